"""Adds a service to an existing context file and keeps every other byte of it: comments, blanks, order.

Knows where the root element ends; must not know what the scaffold makes.
"""

from __future__ import annotations

import re
from pathlib import Path

from context_bus.config.faults import FaultList
from context_bus.config.load import CONTEXT_ROOT, read_bytes
from context_bus.config.model import TaskServiceConf
from context_bus.config.node import Node
from context_bus.config.tree import service_node
from context_bus.config.writers import INDENT, check_writable, xml_lines
from context_bus.config.xml_diagnosis import decode, root_end
from context_bus.config.xml_source import parse_xml
from context_bus.errors import ConfigurationError, Fault, InternalError

_SERVICE_INDENT = re.compile(r"^([ \t]*)<TaskService\b", re.MULTILINE)
_CHILD_INDENT = re.compile(r"^([ \t]+)<\w", re.MULTILINE)


def merge_service(context: bytes | str | Path, service: TaskServiceConf, source: str = "") -> bytes:
    """Append a ``TaskService`` to a context, unless it is there.

    A service with the same id and the same instance is left as it is: it may have been edited since.
    Calls of transitions are not checked, since the services they name may be merged next.

    Args:
        context: The XML, or the path of it.
        service: What to add.
        source: Name of the source in faults, when bytes are given.

    Returns:
        The new bytes; the old ones if there was nothing to add.

    Raises:
        ConfigurationError: The context is not well-formed XML, is YAML, is no context, or has another
            instance under this id.
    """
    data = context if isinstance(context, bytes) else read_bytes(context)
    faults = FaultList(source if isinstance(context, bytes) else str(context))
    root = parse_xml(data, faults)
    faults.raise_faults()
    assert root is not None  # no node without a fault
    if root.tag != CONTEXT_ROOT:
        message = f"the root element is <{root.tag}>, expected <{CONTEXT_ROOT}>"
        remedy = "services are merged into a context"
        raise ConfigurationError([Fault(message, remedy, faults.file, root.line)])
    if _is_there(root, service, faults):
        return data
    faults.raise_faults()
    node = service_node(service)
    check_writable(node, faults.file)
    merged = _insert(data, node)
    found = parse_xml(merged, faults)
    faults.raise_faults()
    if found is None or len(found.named("TaskService")) != len(root.named("TaskService")) + 1:
        raise InternalError(f"{service.id} could not be merged into {faults.file}: please report it")
    return merged


def _is_there(root: Node, service: TaskServiceConf, faults: FaultList) -> bool:
    for node in root.named("TaskService"):
        if _part(node, "id") != service.id:
            continue
        if _part(node, "instance") == service.instance:
            return True
        message = f'the id "{service.id}" is taken by {_who(_part(node, "instance"))}'
        element = f"TaskService[{service.id}]"
        faults.fault(
            message, f"give {service.instance or 'the command'} another id", line=node.line, element=element
        )
    return False


def _part(node: Node, name: str) -> str:
    return node.attributes.get(name) or next((child.text for child in node.named(name)), "")


def _who(instance: str) -> str:
    return f'the instance "{instance}"' if instance else "a command"


def _insert(data: bytes, node: Node) -> bytes:
    text, encoding = decode(data)
    break_ = "\r\n" if "\r\n" in text else "\n"
    found = _SERVICE_INDENT.findall(text) or _CHILD_INDENT.findall(text) or [INDENT]
    lines = break_.join(line for part in xml_lines(node, found[-1]) for line in part.split("\n"))
    end = root_end(text)
    if end.closing:
        # Before the blanks that indent the closing tag; a comment before it stays before the service.
        line_start = text.rfind("\n", 0, end.start) + 1
        own_line = not text[line_start : end.start].strip()
        place = line_start if own_line else end.start
        before, after = text[:place], text[place:]
        joint = "" if own_line else break_
        merged = f"{before}{joint}{lines}{break_}{after}"
    else:
        opening = text[end.start : end.stop].rstrip(">").rstrip("/").rstrip()
        closing = f"</{CONTEXT_ROOT}>"
        merged = f"{text[: end.start]}{opening}>{break_}{lines}{break_}{closing}{text[end.stop :]}"
    return merged.encode(encoding, "xmlcharrefreplace")
