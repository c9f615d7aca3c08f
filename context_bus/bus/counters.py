"""What arrived and what is missing, per topic and sender. Pure: knows no socket.

Each sender numbers its messages per topic from 1, so a receiver that asked for a topic alone can tell
to the message what it did not get, whoever dropped it: a forwarder, a full queue, a conflating socket.
"""

from __future__ import annotations

import logging
import time

import msgspec

#: Senders remembered per topic; the longest known go first. Short-lived commands are senders too.
SENDERS = 4096
#: Seconds between two warnings about one topic.
WARN_EVERY = 1.0

_log = logging.getLogger(__name__)


class Sequence(msgspec.Struct, gc=False):
    """What counting needs of a header."""

    sequence: int = 0
    sender: str = ""
    batch: int = 1


class Envelope(msgspec.Struct, gc=False):
    """A message of which only the numbers are read; the content is skipped at the speed of the parser."""

    header: Sequence


read_envelope = msgspec.json.Decoder(Envelope).decode


class Flow:
    """What one sender's messages of one topic came to.

    Written for each message, so it holds as little as can be: what was received follows from the rest.

    Args:
        first: Number of the first message that arrived.
    """

    __slots__ = ("expected", "extra", "first", "kept", "lost", "rejected")

    def __init__(self, first: int) -> None:
        self.first = first
        #: Number of the next message.
        self.expected = first
        #: Messages known to be missing.
        self.lost = 0
        #: Messages that arrived again or too late to be counted by number.
        self.extra = 0
        #: Messages that arrived but could not be decoded.
        self.rejected = 0
        #: Number of a kept value that moved the mark, 0 if none did.
        self.kept = 0

    @property
    def newest(self) -> int:
        """Number of the last message that came as such; 0 if a kept value has come after it."""
        return self.expected - 1 if self.expected - 1 != self.kept else 0

    @property
    def received(self) -> int:
        """Messages that arrived."""
        return self.expected - self.first - self.lost + self.extra


class Counters:
    """Counts the messages of one topic.

    Args:
        topic: For the warnings.
        silent: Do not warn: what a conflating socket leaves out is meant.
    """

    __slots__ = (
        "_warned",
        "flows",
        "forgotten_lost",
        "forgotten_received",
        "kept",
        "rejected",
        "silent",
        "topic",
        "unnumbered",
    )

    def __init__(self, topic: str, *, silent: bool = False) -> None:
        self.topic = topic
        self.silent = silent
        self.flows: dict[str, Flow] = {}
        self.forgotten_lost = 0
        self.forgotten_received = 0
        #: Kept values that were news; they are neither received nor lost.
        self.kept = 0
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
        if missing >= 0:
            flow.expected = sequence + count
            if missing:
                flow.lost += missing
                self._warn(sender, missing)
        elif flow.lost >= count:  # late, after it was taken for lost
            flow.lost -= count
        else:
            flow.extra += count

    def note_kept(self, sender: str, sequence: int) -> None:
        """Count a kept value that was news; from now on what follows it is missed if it does not come."""
        self.kept += 1
        flow = self.flows.get(sender)
        if flow is None:
            self._new_flow(sender, sequence + 1).kept = sequence
        elif sequence >= flow.expected:
            missing = sequence - flow.expected
            flow.first += 1  # it arrived, but not as a message
            flow.lost += missing
            flow.expected, flow.kept = sequence + 1, sequence
            if missing:
                self._warn(sender, missing)

    def _new_flow(self, sender: str, sequence: int) -> Flow:
        if len(self.flows) >= SENDERS:
            oldest = self.flows.pop(next(iter(self.flows)))
            self.forgotten_received += oldest.received
            self.forgotten_lost += oldest.lost
        flow = self.flows[sender] = Flow(sequence)
        return flow

    def _warn(self, sender: str, missing: int) -> None:
        now = time.monotonic()
        if self.silent or now - self._warned < WARN_EVERY:
            return
        self._warned = now
        _log.warning(
            "messages lost: topic=%s sender=%s missing=%d lost=%d", self.topic, sender, missing, self.lost
        )

    @property
    def received(self) -> int:
        """Messages that arrived, of all senders."""
        return (
            self.unnumbered
            + self.forgotten_received
            + sum(flow.received for flow in list(self.flows.values()))
        )

    @property
    def lost(self) -> int:
        """Messages known to be missing, of all senders."""
        return self.forgotten_lost + sum(flow.lost for flow in list(self.flows.values()))
