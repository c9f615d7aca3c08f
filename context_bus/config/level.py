"""Reads one element: takes its named parts, as attribute or child, then tells what nobody asked for.

Knows nodes and faults; must not know which elements exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from context_bus.config.faults import FaultList, nearest
from context_bus.config.node import Node

#: Unknown names of one element that are looked at one by one; old files have a few, junk has thousands.
MAX_UNKNOWN = 20


class Level:
    """One element and its place.

    Args:
        node: The element.
        path: Its path for messages, without the root.
        faults: Where faults go.
        strict: What nobody asks for is a fault, here and below; for elements that no file of old has.
    """

    def __init__(self, node: Node, path: str, faults: FaultList, *, strict: bool = False) -> None:
        self.node = node
        self.path = path
        self.faults = faults
        self.strict = strict
        self._asked: list[str] = []
        self._parts: dict[str, list[Node]] = {}
        for child in node.children:
            self._parts.setdefault(child.tag, []).append(child)

    def __contains__(self, name: str) -> bool:
        return name in self.node.attributes or name in self._parts

    def at(self, name: str) -> str:
        """Path of a part."""
        return f"{self.path}/{name}" if self.path else name

    def line(self, name: str) -> int:
        """Line of a part; of the element itself if the part is an attribute or absent."""
        found = self._parts.get(name)
        return found[0].line if found else self.node.line

    def fault(self, name: str, message: str, remedy: str = "") -> None:
        """Note a fault of a part; of the element itself with an empty name."""
        element = self.at(name) if name else self.path
        self.faults.fault(message, remedy, line=self.line(name), element=element)

    def warn(self, name: str, message: str, remedy: str = "") -> None:
        """Note something odd about a part."""
        element = self.at(name) if name else self.path
        self.faults.warn(message, remedy, line=self.line(name), element=element)

    def text(self, name: str, default: str = "") -> str:
        """Text of an optional part; the default if it is absent or empty."""
        self._asked.append(name)
        found = [node for node in self._named(name) if self._is_text(node)]
        given = [node.text for node in found]
        if name in self.node.attributes:
            given.insert(0, self.node.attributes[name])
        if len(given) > 1:
            lines = ", ".join(str(node.line) for node in found if node.line)
            where = f" (lines {lines})" if len(found) > 1 and lines else ""
            self.fault(name, f"given {len(given)} times{where}", "keep one")
        return given[0] if given and given[0] else default

    def texts(self, name: str) -> list[str]:
        """Texts of a part that may be repeated."""
        self._asked.append(name)
        given = [node.text for node in self._named(name) if self._is_text(node)]
        if name in self.node.attributes:
            given.insert(0, self.node.attributes[name])
        return given

    def required(self, name: str, remedy: str = "") -> str:
        """Text of a part that must be there and not empty; empty after noting the fault."""
        text = self.text(name)
        if text or any(child.children for child in self._named(name)):
            return text
        if name in self:
            self.fault(name, "is empty", remedy)
        elif not any(nearest(tag, [name]) for tag in self._names()[:MAX_UNKNOWN]):
            # A slip of the pen is reported once, as a slip, by `finish`.
            self.fault("", f"<{name}> is missing", remedy)
        return ""

    def child(self, name: str) -> Level:
        """An element that may be absent (then an empty one stands in) but not be there twice."""
        found = self.children(name)
        if len(found) > 1:
            lines = ", ".join(str(level.node.line) for level in found if level.node.line)
            self.fault(name, f"given {len(found)} times" + (f" (lines {lines})" if lines else ""), "keep one")
        if found:
            return found[0]
        stand_in = Node(name, file=self.node.file, line=self.node.line)
        return Level(stand_in, self.at(name), self.faults, strict=self.strict)

    def children(self, name: str) -> list[Level]:
        """All elements of one name."""
        self._asked.append(name)
        if name in self.node.attributes:
            self.fault("", f'"{name}" is an element, not an attribute', f"write <{name}>...</{name}>")
        return [Level(node, self.at(name), self.faults, strict=self.strict) for node in self._named(name)]

    def finish(self, homes: Mapping[str, str] | None = None) -> None:
        """Report every part that was not asked for.

        Args:
            homes: For names that belong elsewhere, where: such a part is a fault, since what it says
                would be lost silently. Others only cause a warning, as files of old may have them, unless
                the level is strict.
        """
        if self.node.text and self._asked:
            text = f'the text "{self.node.text[:40]}"'
            if self.strict:
                self.fault("", f"{text} has no meaning here", f"known here: {self._known()}")
            else:
                self.warn("", f"{text} beside its elements is ignored", "remove it")
        unknown = self.unknown()
        if len(unknown) > MAX_UNKNOWN:
            self.fault("", f"{len(unknown)} unknown names, {', '.join(unknown[:3])} and so on")
            return
        for name in unknown:
            near = nearest(name, self._asked)
            if near and near not in self:
                self.fault(name, f'unknown name "{name}"', f'did you mean "{near}"?')
            elif homes and name in homes:
                self.fault(name, f"<{name}> does not belong here", f"move it into <{homes[name]}>")
            elif near:
                self.fault(name, f'unknown name "{name}"', f'remove it, "{near}" is there already')
            elif self.strict:
                self.fault(name, f'unknown name "{name}"', f"known here: {self._known()}")
            else:
                self.warn(name, "unknown, ignored", f"known here: {self._known()}")

    def settle(self, names: Iterable[str]) -> None:
        """Take parts as asked for: the caller has judged them."""
        self._asked.extend(names)

    def unknown(self) -> list[str]:
        """Names of the parts that nobody asked for so far."""
        asked = set(self._asked)
        return [name for name in self._names() if name not in asked]

    def _known(self) -> str:
        return ", ".join(dict.fromkeys(self._asked))

    def _names(self) -> list[str]:
        return list(dict.fromkeys([*self.node.attributes, *self._parts]))

    def _named(self, name: str) -> list[Node]:
        return self._parts.get(name, [])

    def _is_text(self, node: Node) -> bool:
        if node.children:
            place = self.at(node.tag)
            self.faults.fault("holds elements where text is expected", line=node.line, element=place)
            return False
        for attribute in node.attributes:
            place = self.at(f"{node.tag}/@{attribute}")
            if self.strict:
                self.faults.fault(f'unknown name "{attribute}"', "remove it", line=node.line, element=place)
            else:
                self.faults.warn("unknown, ignored", line=node.line, element=place)
        return True
