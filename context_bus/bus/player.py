"""Publishes a recording again, at its own pace or another. Knows the publisher; must not know files.

A frame goes out byte for byte as it came, so that receivers see the original senders and their numbers.
Played once more, those numbers would go back; so each turn of a loop has senders of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping

import msgspec

from context_bus.bus.publisher import Publisher, check_topic
from context_bus.bus.recording_reader import Recording
from context_bus.bus.tallies import messages_in
from context_bus.errors import FrameError, SendTimeout
from context_bus.kernel.message import MARK, UNREADABLE, split_frame

#: How a later turn is told from the one before: sender ``feed.1`` becomes ``feed.1~2``.
TURN = "~"
_SENDER = re.compile(rb'("sender"\s*:\s*"(?:[^"\\]|\\.)*)"')


class _Headed(msgspec.Struct):
    header: msgspec.Raw


_read_header = msgspec.json.Decoder(_Headed).decode


class Player:
    """Plays a recording.

    Args:
        recording: What to play.
        publisher: Who publishes it.
        rate: Times the speed of the original; 0 for as fast as the bus takes it.
        topics: Only these; None for all.
        without: Topics to leave out.
        remap: Topics to publish under another name, each with that name.
        start: Seconds to skip at the beginning; of every turn.
        duration: Seconds of the recording to play at most.
        mark: Appended to the name of each sender; empty to play senders as they were.
        sleep: How to wait so many seconds; if it gives a number, it has waited so much longer on purpose.

    Raises:
        FrameError: A topic to publish under cannot be one.
    """

    def __init__(
        self,
        recording: Recording,
        publisher: Publisher,
        *,
        rate: float = 1.0,
        topics: Collection[str] | None = None,
        without: Collection[str] = (),
        remap: Mapping[str, str] | None = None,
        start: float = 0.0,
        duration: float | None = None,
        mark: str = "",
        sleep: Callable[[float], float | None] = time.sleep,
    ) -> None:
        self.recording = recording
        #: Messages played so far.
        self.played = 0
        #: Seconds into the recording.
        self.position = start
        #: Messages that were left out, by topic.
        self.left_out: dict[str, int] = {}
        #: Called whenever the bus takes nothing for the publisher's ``send_timeout``; it is tried again.
        self.on_stall: Callable[[], object] = lambda: None
        self._publisher = publisher
        self._rate = rate
        self._topics, self._without = topics, frozenset(without)
        self._remap = {topic: check_topic(name) for topic, name in (remap or {}).items()}
        self._start, self._duration = start, duration
        self._mark = mark
        #: How to wait; see above.
        self.sleep = sleep
        self._turn = 0
        self._choices: dict[bytes, bytes | None] = {}

    def play(self) -> Iterator[float]:
        """Play one turn; from the second on, senders have names of its own.

        Returns:
            The seconds into the recording, after each message that was published.
        """
        self._turn += 1
        mark = self._mark + (f"{TURN}{self._turn}" if self._turn > 1 else "")
        first = round(self._start * 1e9)
        end = None if self._duration is None else first + round(self._duration * 1e9)
        began, rate, clock, relay = time.monotonic(), self._rate, time.monotonic, self._relay
        for at, frame in self.recording.messages(first):
            if end is not None and at > end:
                break
            out = self._outgoing(frame)
            if out is None:
                continue
            if rate and (left := began + (at - first) / 1e9 / rate - clock()) > 0:
                began += self.sleep(left) or 0.0  # what somebody paused is not made up for
            relay(marked(out, mark) if mark else out)
            self.played += messages_in(frame)
            self.position = at / 1e9
            yield self.position

    def topics(self) -> list[str]:
        """The topics that will be published, under their names here."""
        tallies = self.recording.sum_up().tallies
        chosen = dict.fromkeys(self._choose(tally.topic.encode()) for tally in tallies if tally.topic)
        return [name.strip().decode() for name in chosen if name is not None]

    def _relay(self, frame: bytes) -> None:
        while True:
            try:
                return self._publisher.relay(frame)
            except SendTimeout:
                self.on_stall()

    def _outgoing(self, frame: bytes) -> bytes | None:
        """The frame under the name of its topic here; None if it is not played."""
        head, _, _ = frame.partition(MARK)
        try:
            name = self._choices[head]
        except KeyError:
            name = self._choices[head] = self._choose(head)
        if name is None:
            topic = head.strip().decode(errors="replace")
            self.left_out[topic] = self.left_out.get(topic, 0) + messages_in(frame)
            return None
        return name + frame[len(head) :] if name is not head else frame

    def _choose(self, head: bytes) -> bytes | None:
        try:
            topic, _ = split_frame(head + MARK)
        except FrameError:
            return None
        if (self._topics is not None and topic not in self._topics) or topic in self._without:
            return None
        new = self._remap.get(topic)
        return head if new is None else new + b" "


def marked(frame: bytes, mark: str) -> bytes:
    """A frame whose sender is another one; as it is if it names no sender.

    Args:
        frame: The frame.
        mark: What the name of its sender ends with.
    """
    head, separator, body = frame.partition(MARK)
    try:
        header = bytes(_read_header(body).header)
    except UNREADABLE:
        return frame
    found = _SENDER.search(header)
    if found is None:
        return frame
    at = body.find(header)
    end = at + found.end(1)
    return b"".join((head, separator, body[:end], mark.encode(), body[end:]))
