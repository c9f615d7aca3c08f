"""What ``bus top`` and ``bus list`` look at: the bus's own insight, and the forwarder's counters beside it.

Knows the watch and how figures are told to people.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from context_bus.bus.insight import TopicRow, Traffic
from context_bus.bus.report import EVERY
from context_bus.client.conversation import Conversation
from context_bus.client.endpoints import Endpoints
from context_bus.client.insight import BusWatch, ForwarderCounters, forwarder_counters
from context_bus.context.commands import STATE_TOPIC
from context_bus.errors import CommandRejected, CommandTimeout
from context_bus.kernel.closing import Closing

#: Seconds for the first reports to come, before the first look.
SETTLE = 0.25
#: Seconds a provider has to tell its forwarder's counters: they are not worth waiting for.
PATIENCE = 0.5

#: In which order rows are shown, the greatest first.
ORDERS: dict[str, Callable[[TopicRow], float]] = {
    "rate": lambda row: row.rate,
    "bytes": lambda row: row.bytes_per_second,
    "lost": lambda row: row.lost,
    "latency": lambda row: row.p99 or 0.0,
}


class Sight(msgspec.Struct, frozen=True):
    """What was seen at one moment.

    Args:
        at: Seconds since the epoch.
        rows: Topics by sender.
        forwarder: The forwarder's own counters; None without a provider that tells them.
        foreign: Frames and bytes a second that no node reports to have sent; None if unknown.
    """

    at: float
    rows: tuple[TopicRow, ...]
    forwarder: ForwarderCounters | None = None
    foreign: Traffic | None = None


class Summary(msgspec.Struct, frozen=True):
    """One topic of all senders."""

    topic: str
    senders: tuple[str, ...]
    listened: bool
    rate: float
    bytes_per_second: float
    messages: int
    lost: int


class Looker(Closing):
    """Looks at the traffic of one bus.

    Args:
        endpoints: Where it is.

    Raises:
        NotConnected: There is no bus.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._conversation = Conversation(endpoints)
        try:
            self._conversation.open()
            self._watch = BusWatch(endpoints)
        except BaseException:
            self._conversation.close()
            raise
        self._asks = self._conversation.is_heard(STATE_TOPIC)
        self._next = time.monotonic() + SETTLE
        self._counters: ForwarderCounters | None = None
        self._ask()

    def look(self, order: str) -> Sight:
        """See how things are, about a second after the look before.

        Args:
            order: A key of `ORDERS`.
        """
        self._next = max(self._next, time.monotonic()) + EVERY
        while (left := self._next - time.monotonic()) > 0:
            self._watch.read(left)
        self._ask()
        now = time.monotonic()
        insight = self._watch.insight
        # Our own questions are no traffic that anybody asked for.
        rows = [row for row in insight.rows(now) if row.sender != self._conversation.publisher.sender]
        rows.sort(key=ORDERS[order], reverse=True)
        return Sight(time.time(), tuple(rows), self._counters, insight.foreign(now))

    def _ask(self) -> None:
        if not self._asks:
            return
        try:
            self._counters = forwarder_counters(self._conversation, PATIENCE)
        except CommandRejected:  # an older provider
            self._asks = False
        except CommandTimeout:
            self._counters = None
        else:
            counters = self._counters
            self._watch.insight.take_forwarder(counters.received, counters.received_bytes, time.monotonic())

    def close(self) -> None:
        """Look no more."""
        self._watch.close()
        self._conversation.close()


def summary(topic: str, rows: Sequence[TopicRow]) -> Summary:
    """Sum up the rows of a topic."""
    return Summary(
        topic,
        tuple(map(who, rows)),
        any(row.is_heard for row in rows),
        sum(row.rate for row in rows),
        sum(row.bytes_per_second for row in rows),
        sum(row.messages for row in rows),
        sum(row.lost for row in rows),
    )


def who(row: TopicRow) -> str:
    """Whose row it is, for people."""
    name = row.service_id or row.service_name or row.sender or "(others)"
    return f"{name} (gone)" if row.is_gone else name
