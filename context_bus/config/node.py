"""The one neutral tree that XML, YAML and the JSON of the wire all become.

Knows text, names and positions; must not know what any element means.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from context_bus.config.model import Value

#: Key under which the text of an element stands that has attributes or children as well; no XML name.
TEXT_KEY = "#text"
#: Elements within elements; beyond this a file is not a configuration (libxml2 stops at 256).
MAX_DEPTH = 100

#: What XML 1.0 cannot carry, not even escaped; refused from every source so that all can be converted.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@functools.cache
def _name() -> re.Pattern[str]:
    """A name as XML 1.0 (fifth edition) has it, without the colon of namespaces.

    Made when first needed: its ranges take longer to compile than all else of this room, and XML is read
    without it.
    """
    start = (
        "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f"
        "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
    )
    return re.compile(f"[{start}][-.0-9\xb7\u0300-\u036f\u203f\u2040{start}]*")


@dataclass(frozen=True, slots=True)
class Node:
    """One element, whatever it was written in.

    Args:
        tag: Its name.
        text: Its own text without surrounding blanks; empty if it has none.
        attributes: XML attributes; other sources have children only.
        children: Its elements in document order; a list is a repeated element.
        file: Name of the source, for messages.
        line: Line in the source, from 1; 0 if the source has no lines.
    """

    tag: str
    text: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Node, ...] = ()
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    @property
    def is_leaf(self) -> bool:
        """Whether it is text and nothing else."""
        return not self.attributes and not self.children

    def named(self, tag: str) -> list[Node]:
        """Its children of this name."""
        return [child for child in self.children if child.tag == tag]


def illegal_character(text: str) -> str:
    """The first character that no configuration can hold, as ``U+0007``; empty if all are fine."""
    found = _ILLEGAL.search(text)
    return f"U+{ord(found.group()):04X}" if found else ""


def is_name(text: str) -> bool:
    """Whether the text can be the name of an element."""
    return _name().fullmatch(text) is not None


def value_of(node: Node) -> Value:
    """Turn a node into text, or into a mapping of its attributes, text and children.

    A repeated child becomes a list. Text beside attributes or children stands under ``#text``, so that
    nothing is lost (the parser of old let attributes of a leaf leak into the parent).
    """
    if node.is_leaf:
        return node.text
    values: dict[str, Value] = dict(node.attributes)
    if node.text:
        values[TEXT_KEY] = node.text
    seen: dict[str, list[Value]] = {}
    for child in node.children:
        seen.setdefault(child.tag, []).append(value_of(child))
    for tag, found in seen.items():
        values.setdefault(tag, found[0] if len(found) == 1 else found)
    return values


def nodes_of(tag: str, value: Value) -> Iterator[Node]:
    """Turn a value into the elements that say it: the inverse of `value_of`, one node per list item."""
    if isinstance(value, str):
        yield Node(tag, text=value.strip())
    elif isinstance(value, Mapping):
        yield _mapping_node(tag, value)
    elif isinstance(value, Sequence):
        for item in value:
            yield from nodes_of(tag, item)


def _mapping_node(tag: str, value: Mapping[str, Value]) -> Node:
    given = value.get(TEXT_KEY, "")
    text = given.strip() if isinstance(given, str) else ""
    attributes: dict[str, str] = {}
    children: list[Node] = []
    for key, item in value.items():
        if key == TEXT_KEY:
            continue
        # Text stands beside attributes more readably than beside elements.
        if text and isinstance(item, str) and key != "xmlns":
            attributes[key] = item.strip()
        else:
            children.extend(nodes_of(key, item))
    return Node(tag, text, attributes, tuple(children))
