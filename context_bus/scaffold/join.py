"""Joins the services of a list with the context file that may be there already.

Pure: bytes in, bytes out. Knows the configuration; must not know the disk.
"""

from __future__ import annotations

from collections.abc import Iterator

from context_bus.config.faults import FaultList
from context_bus.config.load import parse_context, parse_tree
from context_bus.config.merge import merge_service
from context_bus.config.model import DEFAULT_CONTEXT_ID, ContextConf, TaskServiceConf
from context_bus.config.writers import write_xml
from context_bus.errors import ConfigurationError, Fault
from context_bus.scaffold.plan import Merged

_OTHER_CONTEXT = "give the file's value, or another --context_name"


def join_context(wanted: ContextConf, before: bytes | None) -> Merged:
    """Decide what a context file becomes.

    What the file says of a service it has stays, since the user may have edited it: that is not a
    conflict. A conflict is what cannot both be: another context under the same name, or another
    service under the same id.

    Args:
        wanted: What the list stands for.
        before: Bytes of the file, None if there is none.

    Returns:
        The bytes afterwards, or the faults; they are only returned if it reads as a context.
    """
    try:
        if before is None:
            content = write_xml(wanted)
            parse_context(content, wanted.file)
            return Merged(content)
        return _join(wanted, before)
    except ConfigurationError as error:
        return Merged(before or b"", faults=error.faults)


def _join(wanted: ContextConf, before: bytes) -> Merged:
    """Add to the file the services that it lacks."""
    there = parse_context(before, wanted.file)
    pairs = [(service, there.service(service.id)) for service in wanted.services]
    faults = [*_context_conflicts(wanted, there, before)]
    notes = []
    content = before
    for service, own in pairs:
        if own is None:
            content = merge_service(content, service, wanted.file)
        elif fault := _service_conflict(service, own, wanted.file):
            faults.append(fault)
        elif service != own:
            notes.append(f"{service.id} as you edited it")
    if not faults:
        parse_context(content, wanted.file)
    return Merged(content, tuple(notes), tuple(faults))


def _context_conflicts(wanted: ContextConf, there: ContextConf, before: bytes) -> Iterator[Fault]:
    """Faults of a file that describes another context; an id that nobody asked for is none."""
    root = parse_tree(before, FaultList(wanted.file))
    for element, asked, found in (
        ("FrontEndEndpoint", wanted.front_end_endpoint, there.front_end_endpoint),
        ("BackendEndpoint", wanted.backend_endpoint, there.backend_endpoint),
        ("ContextID", wanted.context_id, there.context_id),
    ):
        if asked not in (found, DEFAULT_CONTEXT_ID):
            line = next((node.line for node in root.named(element)), 0) if root else 0
            message = f"is {found} here, but {asked} is asked for"
            yield Fault(message, _OTHER_CONTEXT, wanted.file, line, element)


def _service_conflict(service: TaskServiceConf, own: TaskServiceConf, file: str) -> Fault | None:
    """The fault of an id that belongs to another service."""
    for element, asked, found in (
        ("instance", service.instance, own.instance),
        ("service_name", service.service_name, own.service_name),
    ):
        if asked != found:
            return Fault(
                f"the id {service.id} is taken: {element} is {found} here, but {asked} is asked for",
                "choose another task_id",
                file,
                own.line,
                f"TaskService[{own.id}]",
            )
    return None
