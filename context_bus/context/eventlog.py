"""What happened, numbered: for who listens, and for who asks later. Must not know the bus nor the store."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from itertools import islice

import msgspec

from context_bus.context.commands import EventTexts, LoggedEvent
from context_bus.context.trace import ProviderEvent, ServiceReported

#: Events kept in memory, for who has missed some; older ones are in the store. About 1 MB.
KEPT = 4_000
#: Most events in one reply.
MOST = 10_000


class EventLog:
    """Numbers events and remembers the last ones, as JSON: that takes a quarter of the memory.

    Args:
        wall: Gives seconds since the epoch.
        told: Takes each numbered event.
    """

    def __init__(self, wall: Callable[[], float], told: Callable[[LoggedEvent], None]) -> None:
        self._wall, self._told = wall, told
        self._began = self._next = 0
        self._early: list[tuple[float, ProviderEvent]] = []
        self._kept: deque[bytes] = deque(maxlen=KEPT)

    @property
    def first(self) -> int:
        """Number of the oldest event that is remembered here; of the next one if there is none."""
        return self._next - len(self._kept)

    @property
    def is_whole(self) -> bool:
        """Whether everything since the beginning is remembered here."""
        return self.first == self._began

    def begin(self, sequence: int) -> None:
        """Go on counting after an earlier provider; what happened until now is numbered now.

        Args:
            sequence: Number of the next event.
        """
        self._began = self._next = sequence
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
        self._kept.append(msgspec.json.encode(logged))
        self._told(logged)

    def after(self, sequence: int, limit: int) -> EventTexts:
        """What is remembered here of the events with a higher number.

        Args:
            sequence: The number; 0 for the last ones.
            limit: At most so many; 0 for as many as there may be.
        """
        most = bounded(limit)
        begin = max(0, sequence + 1 - self.first) if sequence else max(0, len(self._kept) - most)
        found = tuple(msgspec.Raw(text) for text in islice(self._kept, begin, begin + most))
        first = max(self.first, min(sequence + 1, self._next))
        return EventTexts(found, first, self._next - 1)


def bounded(limit: int) -> int:
    """How many events a reply may have at most, for a limit that somebody gave."""
    return min(limit, MOST) if limit > 0 else MOST


def _kind(event: type[ProviderEvent]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()
