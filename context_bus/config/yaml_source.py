"""YAML in: bytes become the neutral tree, or faults with lines. Knows PyYAML; must not know the schema.

Built from parser events, not from constructed values: scalars keep the text as written (``1.50`` stays
``1.50``, ``on`` stays ``on``), every node has its line, and nothing recursive runs on a hostile file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from context_bus.config.faults import FaultList
from context_bus.config.node import MAX_DEPTH, TEXT_KEY, Node, illegal_character, is_name

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Plain scalars that mean nothing is there.
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    tag: str
    line: int
    is_list: bool
    text: str = ""
    key: str | None = None
    keys: dict[str, int] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)


class _Stop(Exception):
    """The document cannot be read further; the reason is noted."""


def parse_yaml(data: bytes, faults: FaultList) -> Node | None:
    """Parse a document with exactly one key at its top, the root element.

    Anchors, aliases, tags and duplicate keys are refused.

    Returns:
        The root, or None after noting why there is none.
    """
    try:
        top = _Builder(faults).build(_events(data))
    except _Stop:
        return None
    except yaml.YAMLError as error:
        mark: yaml.Mark | None = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        line = mark.line + 1 if mark is not None else 0
        faults.fault(f"not YAML: {reason}", _remedy(data, line), line=line)
        return None
    except UnicodeDecodeError as error:
        faults.fault(f"not YAML: byte {error.start} is not {error.encoding}", "save the file as UTF-8")
        return None
    if len(top) == 1:
        return top[0]
    faults.fault("one key is expected at the top", 'write "Context:" and indent all else', line=1)
    return None


def _remedy(data: bytes, line: int) -> str:
    text = b"".join(data.splitlines()[line - 1 : line]) if line else b""
    indentation = text[: len(text) - len(text.lstrip())]
    return "indent with blanks, not tabs" if b"\t" in indentation else ""


def _events(data: bytes) -> Iterator[Event]:
    loader = _LOADER(data)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


class _Builder:
    """Stacks open mappings and lists; children of a list take the name of the list."""

    def __init__(self, faults: FaultList) -> None:
        self._faults = faults
        self._stack: list[_Open] = []
        self._documents = 0

    def build(self, events: Iterator[Event]) -> list[Node]:
        """Follow all events; the children of the top mapping."""
        top = _Open("", 1, is_list=True)
        self._stack.append(top)
        for event in events:
            line = event.start_mark.line + 1 if event.start_mark is not None else 0
            self._refuse(event, line)
            if isinstance(event, DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    self._stop("a second document", "keep one document to a file", line)
            elif isinstance(event, ScalarEvent):
                self._scalar(event, line)
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._open(isinstance(event, SequenceStartEvent), line)
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                self._close()
        return [root for document in top.children for root in document.children]

    def _stop(self, message: str, remedy: str, line: int) -> None:
        self._faults.fault(message, remedy, line=line)
        raise _Stop

    def _refuse(self, event: Event, line: int) -> None:
        if isinstance(event, AliasEvent):
            self._stop(f'the alias "*{event.anchor}" is not accepted', "write the value out", line)
        if getattr(event, "anchor", None):
            self._stop("an anchor is not accepted", "write the value where it belongs", line)
        if tag := getattr(event, "tag", None):
            self._stop(f'the tag "{tag}" is not accepted', "remove it: every value is text", line)

    def _scalar(self, event: ScalarEvent, line: int) -> None:
        is_plain = not event.style
        text = "" if is_plain and event.value in _NULLS else event.value.strip()
        if bad := illegal_character(text):
            message = f"holds the character {bad}, which XML cannot carry"
            self._faults.fault(message, "remove it", line=line, element=self._path())
        parent = self._stack[-1]
        if not parent.is_list and parent.key is None:
            self._key(parent, event.value, line)
        elif not parent.is_list and parent.key == TEXT_KEY:
            parent.text, parent.key = text, None
        else:
            parent.children.append(Node(self._name(), text, file=self._faults.file, line=line))
            parent.key = None

    def _key(self, parent: _Open, key: str, line: int) -> None:
        if key in parent.keys:
            first = parent.keys[key]
            self._faults.fault(
                f'the key "{key}" stands in line {first} already',
                "keep one; several values are a list",
                line=line,
                element=self._path(),
            )
        elif key != TEXT_KEY and not is_name(key):
            self._stop(f"{key!r} cannot name an element", "use letters, digits, _ - .", line)
        parent.keys.setdefault(key, line)
        parent.key = key

    def _open(self, is_list: bool, line: int) -> None:
        parent = self._stack[-1]
        if not parent.is_list and parent.key is None:
            self._stop("a list or mapping as a key", "keys are plain names", line)
        if is_list and len(self._stack) > 1 and parent.is_list:
            self._stop("a list within a list has no XML twin", "name the inner one", line)
        if is_list and len(self._stack) == 1:
            self._stop("a list at the top", 'write "Context:" and indent all else', line)
        if parent.key == TEXT_KEY:
            self._stop(f'"{TEXT_KEY}" is not text', "write text there", line)
        if len(self._stack) > MAX_DEPTH:
            self._stop(f"nested deeper than {MAX_DEPTH} levels", "", line)
        # The line of a mapping is that of its key: where a reader looks for it.
        line = parent.keys.get(parent.key, line) if parent.key else line
        self._stack.append(_Open(self._name(), line, is_list))

    def _close(self) -> None:
        done = self._stack.pop()
        parent = self._stack[-1]
        if done.is_list:
            parent.children.extend(done.children)
        else:
            children, file = tuple(done.children), self._faults.file
            parent.children.append(Node(done.tag, done.text, children=children, file=file, line=done.line))
        parent.key = None

    def _name(self) -> str:
        parent = self._stack[-1]
        return parent.tag if parent.is_list else parent.key or ""

    def _path(self) -> str:
        """Path of the value that comes next, without the root."""
        tags = [part.tag for part in self._stack[3:] if not part.is_list]
        return "/".join([*tags, self._name()] if len(self._stack) > 2 else tags)
