"""Watching the traffic of a bus: what its nodes report, taken in. Knows the bus room; prints nothing.

Nodes report while somebody listens and never else, so whoever opens a watch sets them going, and whoever
closes it stops them.
"""

from __future__ import annotations

import time

import msgspec

from context_bus.bus.insight import Insight
from context_bus.bus.report import STATS_TOPIC, Report
from context_bus.bus.subscriber import Subscriber
from context_bus.client.asking import ANSWER_TIMEOUT, ask
from context_bus.client.dialogue import Dialogue
from context_bus.client.endpoints import Endpoints
from context_bus.kernel.closing import Closing
from context_bus.kernel.ids import new_token
from context_bus.kernel.message import SEPARATOR, UNREADABLE

#: Reports that may wait here until they are read.
WAITING = 10_000


class ForwarderCounters(msgspec.Struct, frozen=True):
    """What has passed a forwarder since it began: messages and bytes in, and each once out."""

    received: int
    received_bytes: int
    sent: int
    sent_bytes: int


class _Told(msgspec.Struct, gc=False):
    content: Report


_decode = msgspec.json.Decoder(_Told).decode


class BusWatch(Closing):
    """Listens to the reports of all nodes; belongs to the thread that made it.

    The first ones come within milliseconds: totals. Rates follow a second later.

    Args:
        endpoints: Where the bus is; only the end to listen to is used.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        #: What the reports come to; its time is ``time.monotonic()``.
        self.insight = Insight()
        #: Frames on the topic that were no reports.
        self.rejected = 0
        self._subscriber = Subscriber(endpoints.listen, hwm=WAITING, count=False)
        self._subscriber.subscribe(STATS_TOPIC)
        # Nothing is ever sent there: nodes that report already hear by it that somebody new wants it all.
        self._subscriber.subscribe(f"{STATS_TOPIC}.{new_token(4)}")

    def read(self, timeout: float = 0.0) -> int:
        """Take in what has come.

        Args:
            timeout: Seconds to wait for the first report; 0 takes what is there.

        Returns:
            How many reports were taken in.
        """
        taken = 0
        received = self._subscriber.receive(timeout)
        while received is not None:
            topic, body = received
            try:
                report = _decode(body).content
            except UNREADABLE:
                self.rejected += 1
            else:
                self.insight.take(report, time.monotonic(), len(topic) + len(SEPARATOR) + len(body))
                taken += 1
            received = self._subscriber.receive(0.0)
        return taken

    def fileno(self) -> int:
        """A descriptor that turns readable when ``read`` should be called; once more after each call."""
        return self._subscriber.fileno()

    def close(self) -> None:
        """Listen no longer."""
        self._subscriber.close()


def forwarder_counters(conversation: Dialogue, timeout: float = ANSWER_TIMEOUT) -> ForwarderCounters:
    """Ask a provider what has passed its forwarder.

    Raises:
        CommandRejected: The provider does not answer such queries, or its forwarder does not answer it.
        CommandTimeout: It does not answer at all.
    """
    reply = ask(conversation, "statistics", timeout=timeout)
    return msgspec.json.decode(reply, type=ForwarderCounters)
