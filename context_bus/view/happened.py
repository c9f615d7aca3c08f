"""An event of a provider in the words that people read. Pure."""

from __future__ import annotations

import re
import time

import msgspec

from context_bus.context.commands import LoggedEvent

_DIRECTORIES = re.compile(r"(?<!\S)/\S*/(?=[^/\s:]+\.py:\d)")
#: What a field that says nothing holds.
_NOTHING: tuple[object, ...] = ("", None, [], {}, 0)


class Happened(msgspec.Struct, frozen=True):
    """One event.

    Args:
        clock: When, to the millisecond, in local time.
        who: Which service; ``provider`` for its own events.
        verb: What, in a word: of a service the state that it came to, else the kind of the event.
        rest: The rest; may be empty.
    """

    clock: str
    who: str
    verb: str
    rest: str


def happened(event: LoggedEvent) -> Happened:
    """Put an event into words."""
    clock = time.strftime("%H:%M:%S", time.localtime(event.at)) + f".{int(event.at * 1000) % 1000:03}"
    data = dict(event.data)
    if event.kind == "service_changed":
        pid = f"pid {data['pid']}" if data.get("pid") else ""
        verb, parts = str(data.get("new", "")), [pid, str(data.get("reason", ""))]
    else:
        verb = event.kind
        parts = [f"{name}={_brief(value)}" for name, value in data.items() if value not in _NOTHING]
    return Happened(clock, event.service_id or "provider", verb, "  ".join(part for part in parts if part))


def without_directories(text: str) -> str:
    """A text where files of Python code are named without their directories: its end says more."""
    return _DIRECTORIES.sub("", text)


def _brief(value: object) -> str:
    """A value on little space; of services, their names."""
    if isinstance(value, list):
        return ",".join(map(_brief, value))
    if isinstance(value, dict):
        return str(
            value.get("service_id") or " ".join(f"{name}:{_brief(each)}" for name, each in value.items())
        )
    return " ".join(str(value).split())
