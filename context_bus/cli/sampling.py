"""Rates of numbered messages from short looks at them. Pure: frames come in as an argument.

Each sender numbers its messages by topic, and says when each was sent. So two messages of it, a second
apart, tell to the message how many there were between them, whoever receives those.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from context_bus.cli.meter import Rate
from context_bus.errors import FrameError
from context_bus.kernel.message import UNREADABLE, split_frame

#: Looks without a message of a sender after which it is taken to have ended; at once, if more were expected.
PATIENCE, EXPECTED = 5, 10.0


class _Stamp(msgspec.Struct, gc=False):
    """What of a header tells number and time."""

    sequence: int = 0
    sender: str = ""
    batch: int = 1
    sent_at: float = 0.0


class _Stamped(msgspec.Struct, gc=False):
    header: _Stamp


_decode = msgspec.json.Decoder(_Stamped).decode
_UNNUMBERED = _Stamp()


@dataclass(slots=True)
class _Look:
    """What one look saw of one topic of one sender: first and last number, with their times."""

    first: int
    began: float
    last: int
    ended: float
    messages: int = 0
    size: int = 0


@dataclass(slots=True)
class _Sender:
    """What is known of one topic of one sender."""

    last: int
    at: float
    rate: float = 0.0
    mean: float = 0.0
    missed: int = 0


class Sampler:
    """Measures by looks.

    Args:
        total: Messages that were counted before.
    """

    def __init__(self, total: int = 0) -> None:
        self._senders: dict[tuple[str, str], _Sender] = {}
        #: Messages sent so far.
        self.total = total

    @staticmethod
    def can_measure(frames: Sequence[bytes]) -> bool:
        """Whether all of these are numbered, so that it is enough to look at some."""
        return all((stamp := _stamp_of(frame)[1]).sequence > 0 and stamp.sent_at > 0 for frame in frames)

    def look(self, frames: Sequence[bytes]) -> Rate | None:
        """Take in a look, and tell the rate since the one before; None before there are two.

        Args:
            frames: All that came within a short time.
        """
        looks, times = self._read(frames)
        is_first = not self._senders
        new = sum(self._advance(key, look) for key, look in looks.items())
        span = times[-1] - times[0] if times else 0.0
        for key in self._senders.keys() - looks.keys():
            self._miss(key, span)
        self.total += new
        if is_first or not looks:
            return None
        return self._rate(new, frames, times)

    def _read(self, frames: Sequence[bytes]) -> tuple[dict[tuple[str, str], _Look], list[float]]:
        looks: dict[tuple[str, str], _Look] = {}
        times: list[float] = []
        for frame in frames:
            topic, stamp = _stamp_of(frame)
            if stamp.sequence <= 0 or stamp.sent_at <= 0.0:
                continue
            times.append(stamp.sent_at)
            last = stamp.sequence + max(1, stamp.batch) - 1
            look = looks.get((topic, stamp.sender))
            if look is None:
                look = looks[topic, stamp.sender] = _Look(last, stamp.sent_at, last, stamp.sent_at)
            elif last > look.last:
                look.last, look.ended = last, stamp.sent_at
            look.messages += max(1, stamp.batch)
            look.size += len(frame)
        times.sort()
        return looks, times

    def _advance(self, key: tuple[str, str], look: _Look) -> int:
        """Note how far a sender has come; returns by how many messages."""
        mean = look.size / look.messages
        known = self._senders.get(key)
        if known is None or look.last < known.last:  # not known before, or a name that was used again
            rate = _rate(look.last - look.first, look.ended - look.began)
            self._senders[key] = _Sender(look.last, look.ended, rate, mean)
            return 0
        new = look.last - known.last
        known.rate = _rate(new, look.ended - known.at)
        known.last, known.at, known.mean, known.missed = look.last, look.ended, mean, 0
        return new

    def _miss(self, key: tuple[str, str], span: float) -> None:
        known = self._senders[key]
        known.missed += 1
        if known.missed > PATIENCE or known.rate * span > EXPECTED:
            known.rate = 0.0

    def _rate(self, new: int, frames: Sequence[bytes], times: list[float]) -> Rate:
        senders = self._senders.values()
        rate = sum(each.rate for each in senders)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)] or [0.0]
        sizes = list(map(len, frames))
        return Rate(
            messages=new,
            rate=rate,
            bytes_per_second=sum(each.rate * each.mean for each in senders),
            shortest=min(gaps),
            longest=max(gaps),
            deviation=statistics.pstdev(gaps),
            smallest=min(sizes),
            largest=max(sizes),
            total=self.total,
        )


def _rate(messages: int, seconds: float) -> float:
    return messages / seconds if seconds > 0 and math.isfinite(seconds) else 0.0


def _stamp_of(frame: bytes) -> tuple[str, _Stamp]:
    try:
        topic, body = split_frame(frame)
        return topic, _decode(body).header
    except (FrameError, *UNREADABLE):
        return "", _UNNUMBERED
