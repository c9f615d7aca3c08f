"""What one node counts, looked at by whoever reports it. Knows counters; must not know sockets.

The counters are those that sending and receiving keep anyway. They are read without a lock, by another
thread: each is a whole number, and what a look misses by a message the next one has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from context_bus.bus.counters import Counters
from context_bus.bus.latency import Latencies
from context_bus.bus.report import ALIVE_EVERY, INBOX, INBOXES, STATS_TOPIC, Delays, Received, Report, Sent
from context_bus.kernel.message import Header

#: Rows in one report at most.
ROWS = 1000

_Sums = tuple[int, ...]
_NOTHING: _Sums = (0, 0, 0, 0, 0)
#: By topic and sender: received, lost, conflated, rejected, number of the last.
_Received = dict[tuple[str, str], _Sums]
#: Whether somebody listens to a topic.
IsHeard = Callable[[str], bool]


class Channel(Protocol):
    """One socket of a node that listens."""

    conflate: bool
    counters: dict[str, Counters]
    rejected: int


class Listening(Protocol):
    """The listening half of a node."""

    latencies: Latencies | None

    @property
    def channels(self) -> Sequence[Channel]:
        """Its sockets."""
        ...


class SentCounters:
    """What a publisher counts, by topic."""

    __slots__ = ("inboxes", "numbered", "plain")

    def __init__(self) -> None:
        #: Messages, bytes, and messages that came into another's frame, of those with a number.
        self.numbered: dict[str, list[int]] = {}
        #: Messages and bytes of those without.
        self.inboxes = [0, 0]
        self.plain: dict[str, list[int]] = {INBOXES: self.inboxes}

    def of(self, topic: str, *, numbered: bool = False) -> list[int]:
        """The counter of a topic."""
        if numbered:
            return self.numbered.setdefault(topic, [0, 0, 0])
        return self.inboxes if topic.startswith(INBOX) else self.plain.setdefault(topic, [0, 0])

    @property
    def messages(self) -> int:
        """Messages sent so far."""
        return sum(each[0] for table in (self.numbered, self.plain) for each in list(table.values()))

    def totals(self) -> dict[str, tuple[int, int, int, int]]:
        """By topic: messages, bytes, messages without a number, frames."""
        found = {}
        for topic, (messages, size, joined) in list(self.numbered.items()):
            found[topic] = (messages, size, 0, messages - joined)
        for topic, (messages, size) in list(self.plain.items()):
            more = found.get(topic, (0, 0, 0, 0))
            found[topic] = (more[0] + messages, more[1] + size, messages, more[3] + messages)
        return {topic: total for topic, total in found.items() if total[0] and topic != STATS_TOPIC}


class Tally:
    """One node's counters, and what they were at the last look.

    Args:
        sender: Name of the node's publisher.
        identity: Whose it is.
        sent: What the publisher counts.
    """

    def __init__(self, sender: str, identity: Header, sent: SentCounters) -> None:
        self._who = Report(
            sender=sender,
            service_id=identity.service_id,
            service_name=identity.service_name,
            transaction=identity.service_transaction,
            pid=os.getpid(),
        )
        self._sent = sent
        self._listenings: list[Listening] = []
        self._closed: _Received = {}
        self._is_watched = False
        self._looked = 0.0
        self._told = 0.0
        #: Totals at the last look, and whether they had changed then.
        self._sent_before: dict[str, tuple[_Sums, bool]] = {}
        self._received_before: dict[tuple[str, str], tuple[_Sums, bool]] = {}

    # -- for the node ----------------------------------------------------------------------------

    def add(self, listening: Listening) -> None:
        """Count what this one receives, too; from any thread."""
        listening.latencies = Latencies() if self._is_watched else None
        self._listenings.append(listening)

    def remove(self, listening: Listening) -> None:
        """It receives no more; what it has received stays. Safe to repeat."""
        listening.latencies = None
        if listening in self._listenings:
            _add(self._closed, listening)
            self._listenings.remove(listening)

    # -- for who reports -------------------------------------------------------------------------

    def begin(self) -> None:
        """Somebody wants to know: measure delays."""
        if not self._is_watched:
            self._is_watched = True
            for listening in list(self._listenings):
                listening.latencies = Latencies()

    def end(self) -> None:
        """Nobody does any more; forget what was told."""
        self._is_watched, self._looked, self._told = False, 0.0, 0.0
        self._sent_before, self._received_before = {}, {}
        for listening in list(self._listenings):
            listening.latencies = None

    def look(
        self, now: float, wall: float, is_heard: IsHeard, *, whole: bool = False, last: bool = False
    ) -> list[Report]:
        """Look at the counters.

        Args:
            now: Seconds on the monotonic clock.
            wall: Seconds since the epoch.
            is_heard: Whether somebody listens to a topic.
            whole: Tell rows that have not changed as well.
            last: The node has closed.

        Returns:
            What is to be told: nothing, if there is nothing new.
        """
        span = now - self._looked if self._looked else 0.0
        self._looked = now
        sent = self._look_at_sent(is_heard, whole)
        received = self._look_at_received(whole)
        delays = [each for one in list(self._listenings) if one.latencies for each in one.latencies.take()]
        if not (sent or received or delays or whole or last or now - self._told >= ALIVE_EVERY):
            return []
        self._told = now
        who = msgspec.structs.replace(self._who, at=wall, span=span, is_last=last)
        return list(_in_parts(who, sent, received, delays))

    def _look_at_sent(self, is_heard: IsHeard, whole: bool) -> list[Sent]:
        rows = []
        for topic, sums in self._sent.totals().items():
            before, had_changed = self._sent_before.get(topic, (_NOTHING, False))
            has_changed = sums != before
            # Once more after the last change, so that its rate falls to 0.
            if whole or has_changed or had_changed:
                messages, size, unnumbered, frames = map(int.__sub__, sums, before)
                heard = topic == INBOXES or is_heard(topic)
                rows.append(Sent(topic, *sums[:3], messages, size, unnumbered, frames, heard))
            self._sent_before[topic] = (sums, has_changed)
        return rows

    def _look_at_received(self, whole: bool) -> list[Received]:
        rows = []
        for key, sums in self._received().items():
            before, had_changed = self._received_before.get(key, (_NOTHING, False))
            has_changed = sums != before
            if whole or has_changed or had_changed:
                received, lost, conflated, rejected, seen = sums
                new_received = max(0, received - before[0])
                new = max(0, seen - before[4]) if seen else new_received
                rows.append(Received(*key, received, new, new_received, lost, conflated, rejected, seen))
            self._received_before[key] = (sums, has_changed)
        return rows

    def _received(self) -> _Received:
        found = dict(self._closed)
        for listening in list(self._listenings):
            _add(found, listening)
        return found


def _add(found: _Received, listening: Listening) -> None:
    for channel in listening.channels:
        for key, sums in _sums_of(channel):
            more = found.get(key)
            if more is not None:
                counts = (old + new for old, new in zip(more[:4], sums[:4], strict=True))
                sums = (*counts, max(more[4], sums[4]))
            found[key] = sums


def _sums_of(channel: Channel) -> Iterator[tuple[tuple[str, str], _Sums]]:
    if channel.rejected:
        yield ("", ""), (0, 0, 0, channel.rejected, 0)
    for topic, counters in list(channel.counters.items()):
        if topic == STATS_TOPIC:
            continue
        rejected = counters.rejected
        for sender, flow in list(counters.flows.items()):
            rejected -= flow.rejected
            lost, conflated = (0, flow.lost) if channel.conflate else (flow.lost, 0)
            yield (topic, sender), (flow.received, lost, conflated, flow.rejected, flow.expected - 1)
        received, lost = counters.unnumbered + counters.forgotten_received, counters.forgotten_lost
        if received or lost or rejected:
            lost, conflated = (0, lost) if channel.conflate else (lost, 0)
            yield (topic, ""), (received, lost, conflated, max(0, rejected), 0)


def _in_parts(
    who: Report, sent: list[Sent], received: list[Received], delays: list[Delays]
) -> Iterator[Report]:
    """One report, or several if there are many rows; of these only the last may be the node's last."""
    size = max(len(sent), len(received), len(delays), 1)
    for start in range(0, size, ROWS):
        part = slice(start, start + ROWS)
        is_end = start + ROWS >= size
        yield msgspec.structs.replace(
            who,
            is_last=who.is_last and is_end,
            sent=tuple(sent[part]),
            received=tuple(received[part]),
            delays=tuple(delays[part]),
        )
