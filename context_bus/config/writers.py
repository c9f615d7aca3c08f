"""Model out: context or service list as XML or YAML, the same bytes for the same model, always.

Knows both syntaxes; must not know the schema but for which elements read best as a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from context_bus.config.faults import FaultList
from context_bus.config.model import ContextConf, MetaConf
from context_bus.config.node import TEXT_KEY, Node, illegal_character, is_name
from context_bus.config.tree import context_node, meta_node

#: What one level adds to the indentation.
INDENT = "  "
#: Elements that YAML shows as a list even if there is one.
LISTS = frozenset({"TaskService", "Service"})

_PLAIN = re.compile(r"[\w./][\w./:@+*,()=%&!?'-]*(?: [\w./:@+*,()=%&!?'-]+)*")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
#: Legal in XML, but not printable in YAML: written as escapes.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\xa0]")
_RESOLVER = yaml.resolver.Resolver()


def write_xml(conf: ContextConf | MetaConf) -> bytes:
    """Write a context or a service list as XML.

    Raises:
        ConfigurationError: A text or name of the model cannot be written.
    """
    node = context_node(conf) if isinstance(conf, ContextConf) else meta_node(conf)
    check_writable(node, conf.file)
    lines = ["<?xml version='1.0' encoding='UTF-8'?>", *xml_lines(node)]
    return ("\n".join(lines) + "\n").encode()


def write_yaml(conf: ContextConf | MetaConf) -> bytes:
    """Write a context or a service list as YAML; empty triggers are left out.

    Raises:
        ConfigurationError: A text or name of the model cannot be written.
    """
    node = context_node(conf, all_triggers=False) if isinstance(conf, ContextConf) else meta_node(conf)
    check_writable(node, conf.file)
    lines = [f"{node.tag}:", *_yaml_lines(node, INDENT)]
    return ("\n".join(lines) + "\n").encode()


def check_writable(node: Node, file: str = "") -> None:
    """Refuse names and characters that no file can hold.

    Raises:
        ConfigurationError: With every such name and text.
    """
    faults = FaultList(file)
    _check(node, "", faults)
    faults.raise_faults()


def xml_lines(node: Node, indent: str = "") -> Iterator[str]:
    """The lines of an element, without line ends."""
    start = f"{indent}<{node.tag}" + "".join(
        f' {name}="{_escape(value, quoted=True)}"' for name, value in node.attributes.items()
    )
    text = _escape(node.text)
    if node.children:
        yield f"{start}>{text}"
        for child in node.children:
            yield from xml_lines(child, indent + INDENT)
        yield f"{indent}</{node.tag}>"
    else:
        yield f"{start}>{text}</{node.tag}>" if text else f"{start}/>"


def _escape(text: str, *, quoted: bool = False) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    if quoted:
        text = text.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return text


def _check(node: Node, path: str, faults: FaultList) -> None:
    for name, text in (*node.attributes.items(), ("", node.text)):
        place = "/".join(part for part in (path, name) if part)
        if bad := illegal_character(text):
            faults.fault(f"holds the character {bad}, which XML cannot carry", "remove it", element=place)
    for name in (*node.attributes, *(child.tag for child in node.children)):
        if not is_name(name):
            faults.fault(f"{name!r} cannot name an element", "use letters, digits, _ - .", element=path)
    for child in node.children:
        _check(child, f"{path}/{child.tag}" if path else child.tag, faults)


def _yaml_lines(node: Node, indent: str) -> Iterator[str]:
    for name, text in node.attributes.items():
        yield f"{indent}{name}: {_scalar(text, indent)}"
    if node.text:
        yield f'{indent}"{TEXT_KEY}": {_scalar(node.text, indent)}'
    groups: dict[str, list[Node]] = {}
    for child in node.children:
        groups.setdefault(child.tag, []).append(child)
    for tag, found in groups.items():
        if len(found) > 1 or tag in LISTS:
            yield f"{indent}{tag}:"
            for item in found:
                yield from _yaml_item(item, indent + INDENT)
        elif found[0].is_leaf:
            yield f"{indent}{tag}: {_scalar(found[0].text, indent)}"
        else:
            yield f"{indent}{tag}:"
            yield from _yaml_lines(found[0], indent + INDENT)


def _yaml_item(node: Node, indent: str) -> Iterator[str]:
    if node.is_leaf:
        yield f"{indent}- {_scalar(node.text, indent)}"
        return
    for number, line in enumerate(_yaml_lines(node, indent + INDENT)):
        yield f"{indent}- {line.removeprefix(indent + INDENT)}" if number == 0 else line


def _scalar(text: str, indent: str) -> str:
    if _is_plain(text):
        return text
    if "\n" in text and not re.search("[\r\t\ufffe\uffff]", text) and not _ESCAPED.search(text):
        lines = text.split("\n")
        return "|-\n" + "\n".join(f"{indent}{INDENT}{line}" if line else "" for line in lines)
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)


def _is_plain(text: str) -> bool:
    if not _PLAIN.fullmatch(text) or any(word.endswith(":") for word in text.split(" ")):
        return False
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return bool(tag == "tag:yaml.org,2002:str" or _NUMBER.fullmatch(text))
