"""What arrived and what is missing, per topic and sender. Pure: knows no socket.

Each sender numbers its messages per topic from 1, so a receiver that asked for a topic alone can tell
to the message what it did not get, whoever dropped it: a forwarder, a full queue, a conflating socket.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import msgspec

#: Senders remembered per topic; the longest known go first. Short-lived commands are senders too.
SENDERS = 4096
#: Seconds between two warnings about one topic.
WARN_EVERY = 1.0

_log = logging.getLogger(__name__)


class Flow(msgspec.Struct, gc=False):
    """What one sender's messages of one topic came to.

    Args:
        received: Messages that arrived.
        lost: Messages known to be missing.
        expected: Number of the next one.
    """

    received: int = 0
    lost: int = 0
    expected: int = 0


class Counters:
    """Counts the messages of one topic.

    Args:
        topic: For the warnings.
        silent: Do not warn: what a conflating socket leaves out is meant.
    """

    __slots__ = ("_warned", "dropped_flows", "flows", "rejected", "silent", "topic", "unnumbered")

    def __init__(self, topic: str, *, silent: bool = False) -> None:
        self.topic = topic
        self.silent = silent
        self.flows: dict[str, Flow] = {}
        self.dropped_flows = Flow()
        self.rejected = 0
        self.unnumbered = 0
        self._warned = 0.0

    def note(self, sender: str, sequence: int, count: int = 1) -> None:
        """Count ``count`` messages of a sender, of which the first has this number."""
        flow = self.flows.get(sender)
        if flow is None:
            # The first message of a sender sets the mark: what it sent before we listened is not lost.
            flow = self._new_flow(sender, sequence)
        missing = sequence - flow.expected
        flow.received += count
        if missing > 0:
            flow.lost += missing
            self._warn(sender, missing)
        elif missing < 0:
            # A number twice or out of order: another forwarder's path, or a replay. It does count as received.
            flow.lost = max(0, flow.lost - count)
            return
        flow.expected = sequence + count

    def _new_flow(self, sender: str, sequence: int) -> Flow:
        if len(self.flows) >= SENDERS:
            oldest = self.flows.pop(next(iter(self.flows)))
            self.dropped_flows.received += oldest.received
            self.dropped_flows.lost += oldest.lost
        flow = self.flows[sender] = Flow(expected=sequence)
        return flow

    def _warn(self, sender: str, missing: int) -> None:
        now = time.monotonic()
        if self.silent or now - self._warned < WARN_EVERY:
            return
        self._warned = now
        _log.warning(
            "messages lost: topic=%s sender=%s missing=%d lost=%d", self.topic, sender, missing, self.lost
        )

    def _all(self) -> Iterator[Flow]:
        yield from list(self.flows.values())
        yield self.dropped_flows

    @property
    def received(self) -> int:
        """Messages that arrived, of all senders."""
        return self.unnumbered + sum(flow.received for flow in self._all())

    @property
    def lost(self) -> int:
        """Messages known to be missing, of all senders."""
        return sum(flow.lost for flow in self._all())
