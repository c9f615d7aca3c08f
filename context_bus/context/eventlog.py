"""What happened, numbered: for who listens, and for who asks later. Must not know the bus nor the store."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

import msgspec

from context_bus.context.commands import EventReply, LoggedEvent
from context_bus.context.trace import ProviderEvent, ServiceReported

#: Events kept in memory, for who has missed some; older ones are in the store.
KEPT = 10_000
#: Most events in one reply.
MOST = 10_000


class EventLog:
    """Numbers events and remembers the last ones.

    Args:
        wall: Gives seconds since the epoch.
        told: Takes each numbered event.
    """

    def __init__(self, wall: Callable[[], float], told: Callable[[LoggedEvent], None]) -> None:
        self._wall, self._told = wall, told
        self._next = 0
        self._early: list[tuple[float, ProviderEvent]] = []
        self._kept: deque[LoggedEvent] = deque(maxlen=KEPT)

    def begin(self, sequence: int, earlier: tuple[LoggedEvent, ...] = ()) -> None:
        """Go on counting after an earlier provider; what happened until now is numbered now.

        Args:
            sequence: Number of the next event.
            earlier: The last events of those before.
        """
        self._next = sequence
        self._kept.extend(earlier)
        early, self._early = self._early, []
        for at, event in early:
            self._number(at, event)

    def add(self, event: ProviderEvent) -> None:
        """Number an event. What services report is on a topic of its own, by the thousand."""
        if isinstance(event, ServiceReported):
            return
        if self._next:
            self._number(self._wall(), event)
        else:
            self._early.append((self._wall(), event))

    def _number(self, at: float, event: ProviderEvent) -> None:
        data = msgspec.to_builtins(event)
        logged = LoggedEvent(
            self._next,
            at,
            _kind(type(event)),
            data.pop("transaction", ""),
            data.pop("service_id", ""),
            data,
        )
        self._next += 1
        self._kept.append(logged)
        self._told(logged)

    def after(self, sequence: int, limit: int) -> EventReply:
        """Events with a higher number, at most so many (0 for as many as there may be)."""
        most = min(limit, MOST) if limit else MOST
        found = [event for event in self._kept if event.sequence > sequence][:most]
        first = self._kept[0].sequence if self._kept else self._next
        return EventReply(tuple(found), first, self._next - 1)


def _kind(event: type[ProviderEvent]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()
