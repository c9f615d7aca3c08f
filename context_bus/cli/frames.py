"""A frame as people see it: topic, decoded body, fields by path, and whether it is only context information.

Pure; whatever bytes come in, it never raises on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from context_bus.bus.counters import Counters
from context_bus.errors import FrameError
from context_bus.kernel.message import UNREADABLE, split_frame

#: Word by which the provider's broadcasts of its whole state are known.
CONTEXT_INFO = "context_info"
#: What a path that leads nowhere yields, where None would be a value.
MISSING = object()


@dataclass(frozen=True, slots=True)
class Sight:
    """What can be seen of a frame.

    Args:
        topic: The topic, or ``?`` when the frame has none.
        body: The decoded JSON, or the text when it is not JSON.
        is_json: Whether it was.
    """

    topic: str
    body: Any
    is_json: bool = True

    @property
    def is_context_info(self) -> bool:
        """Whether this is the provider telling its whole state."""
        return bool(look_up(self.body, "content.status.device_action") == CONTEXT_INFO)

    def header(self, field: str) -> str:
        """A field of the header as text, empty if it is not there."""
        value = look_up(self.body, f"header.{field}")
        return value if isinstance(value, str) else ""


def see(frame: bytes) -> Sight:
    """Look at a frame, whatever it is."""
    try:
        topic, body = split_frame(frame)
    except FrameError:
        return Sight("?", printable(frame), is_json=False)
    try:
        return Sight(printable(topic.encode()), msgspec.json.decode(body))
    except UNREADABLE:
        return Sight(printable(topic.encode()), printable(body), is_json=False)


def see_all(frame: bytes) -> list[Sight]:
    """Look at a frame that may hold several messages: one sight for each."""
    sight = see(frame)
    batch, contents = look_up(sight.body, "header.batch"), look_up(sight.body, "content")
    if not isinstance(batch, int) or not isinstance(contents, list) or len(contents) != batch:
        return [sight]
    header = {name: value for name, value in sight.body["header"].items() if name != "batch"}
    first = header.get("sequence", 1)
    if not isinstance(first, int):
        return [sight]
    return [
        Sight(sight.topic, {"header": {**header, "sequence": first + place}, "content": content})
        for place, content in enumerate(contents)
    ]


def routing(sight: Sight) -> tuple[str, ...]:
    """Action, service id, service name and transaction, wherever this topic keeps them."""
    inner = look_up(sight.body, "Task.message.header")
    header = inner if isinstance(inner, dict) else look_up(sight.body, "header", {})
    names = ("action", "service_id", "service_name")
    words = [header.get(name) for name in names] if isinstance(header, dict) else []
    if isinstance(header, dict):
        words.append(header.get("service_transaction") or header.get("transaction"))
    return tuple(word if isinstance(word, str) else "" for word in words)


@dataclass
class Losses:
    """What is missing among the messages seen, by their numbers."""

    _counters: dict[str, Counters] = field(default_factory=dict)

    def note(self, sight: Sight) -> None:
        """Take in a message that arrived."""
        number, sender = look_up(sight.body, "header.sequence"), look_up(sight.body, "header.sender")
        if isinstance(number, int) and isinstance(sender, str) and number > 0:
            counters = self._counters.setdefault(sight.topic, Counters(sight.topic, silent=True))
            counters.note(sender, number)

    def lines(self) -> list[str]:
        """One line for each topic that lost something."""
        return [
            f"lost {counters.lost} of {counters.lost + counters.received} messages on {topic}"
            for topic, counters in self._counters.items()
            if counters.lost
        ]


def look_up(body: Any, path: str, default: Any = None) -> Any:
    """Follow a dotted path through objects and lists: ``content.status.items.0.price``."""
    for step in path.split(".") if path else ():
        if isinstance(body, dict) and step in body:
            body = body[step]
        elif isinstance(body, list) and step.lstrip("-").isdecimal() and -len(body) <= int(step) < len(body):
            body = body[int(step)]
        else:
            return default
    return body


def printable(data: bytes) -> str:
    """Text of any bytes, with what could drive a terminal shown and not sent."""
    text = data.decode(errors="backslashreplace")
    return "".join(sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in text)
