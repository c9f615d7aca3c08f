"""What is marked in a plot: starts, restarts and failures among the events of a provider. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from context_bus.store.remembered import EventRow

#: The kind of event that tells of a change of state.
CHANGED = "service_changed"
#: States before a start that has none before it: the service has not run yet, or waits for its time.
_FRESH = frozenset({"defined", "waiting", ""})


class MarkKind(StrEnum):
    """What happened to a service."""

    START = "start"
    RESTART = "restart"
    STOP = "stop"
    FAILURE = "failure"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Mark:
    """One event of a service.

    Args:
        at: Seconds since the epoch.
        service_id: Whose.
        kind: What happened.
    """

    at: float
    service_id: str
    kind: MarkKind


class _Change(msgspec.Struct, frozen=True):
    old: str = ""
    new: str = ""


def marks_of(
    events: Iterable[EventRow], transaction: str, services: Collection[str], since: float, until: float
) -> Iterator[Mark]:
    """Find what is marked.

    Args:
        events: In their order.
        transaction: Whose services.
        services: Their ids.
        since: From when, in seconds since the epoch.
        until: Before when.
    """
    for event in events:
        is_ours = event.kind == CHANGED and event.transaction == transaction and event.service_id in services
        if is_ours and since <= event.at < until:
            change = msgspec.json.decode(event.data, type=_Change)
            kind = _kind(change.old, change.new)
            if kind is not None:
                yield Mark(event.at, event.service_id, kind)


def _kind(old: str, new: str) -> MarkKind | None:
    match new:
        case "starting" if old != "created":
            return MarkKind.START if old in _FRESH else MarkKind.RESTART
        case "stopped" | "exited":
            return MarkKind.STOP
        case "failed":
            return MarkKind.FAILURE
        case "fatal":
            return MarkKind.GIVEN_UP
    return None
