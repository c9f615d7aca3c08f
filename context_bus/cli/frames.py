"""A frame as people see it: topic, decoded body, fields by path, and whether it is only context information.

Pure; whatever bytes come in, it never raises on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from context_bus.errors import FrameError
from context_bus.kernel.message import split_frame

#: Word by which the provider's broadcasts of its whole state are known.
CONTEXT_INFO = "context_info"


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Sight(printable(topic.encode()), printable(body), is_json=False)


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
