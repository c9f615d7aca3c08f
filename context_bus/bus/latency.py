"""How long messages were on their way, from a sample of each bunch that is taken. Knows headers only.

Looking at every header would cost half of what handling a message costs. One message of a bunch, each of
them as likely as any other, stands for as many as there were: so a percentile is that of all messages.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import msgspec

from context_bus.bus.histogram import bucket_of
from context_bus.bus.report import STATS_TOPIC, Delays
from context_bus.errors import FrameError
from context_bus.kernel.message import UNREADABLE, split_frame

#: Messages of a bunch at most: of a flood one in so many is looked at, which costs a fiftieth of handling it.
BUNCH = 256

_random = random.random
#: The clock of ``sent_at``.
now: Callable[[], float] = time.time


class _Stamp(msgspec.Struct, gc=False):
    """What of a header says when it was sent."""

    sent_at: float = 0.0
    sender: str = ""
    batch: int = 1


class _Stamped(msgspec.Struct, gc=False):
    header: _Stamp


_decode = msgspec.json.Decoder(_Stamped).decode


class Picking:
    """Chooses one message of a bunch; those in between cost nothing more.

    Of so many messages as turn out to be there, the one chosen last is any of them with the same chance.

    Args:
        receive: The socket's own way.
    """

    __slots__ = ("_pick", "_receive", "at", "frame", "taken")

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        #: Place of the message that is chosen next, from 1.
        self._pick = 1
        #: Messages of the bunch so far; whoever takes them counts.
        self.taken = 0
        #: The one that is chosen.
        self.frame = b""
        #: Wall clock when it was about to be handled.
        self.at = 0.0

    def next(self) -> tuple[Callable[[int], bytes], int]:
        """How to receive what comes next, and how many so; while ``taken`` is below ``BUNCH``."""
        between = min(self._pick - 1, BUNCH) - self.taken
        return (self._receive, between) if between else (self._choose, 1)

    def _choose(self, flags: int) -> bytes:
        self.frame = self._receive(flags)
        self.at, self._pick = now(), int(self._pick / (1.0 - _random())) + 1
        return self.frame


class Latencies:
    """Counts the samples of one node; one thread notes, another takes."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], dict[int, int]] = {}

    def note(self, frame: bytes, at: float, count: int) -> None:
        """Take in a sample.

        Args:
            frame: The message.
            at: Wall clock when it was about to be handled.
            count: Messages it stands for, itself included.
        """
        try:
            topic, body = split_frame(frame)
            stamp = _decode(body).header
        except (FrameError, *UNREADABLE):
            return
        if stamp.sent_at <= 0.0 or topic == STATS_TOPIC:
            return
        buckets = self._buckets.setdefault((topic, stamp.sender), {})
        bucket = bucket_of(at - stamp.sent_at)
        buckets[bucket] = buckets.get(bucket, 0) + count * max(1, stamp.batch)

    def take(self) -> tuple[Delays, ...]:
        """Give what was noted since this was called last."""
        taken, self._buckets = self._buckets, {}
        return tuple(Delays(topic, sender, dict(found)) for (topic, sender), found in list(taken.items()))
