"""What came of each sender on each topic: messages, bytes, and what is missing between them.

Pure. Made for whoever takes everything, at the speed of the forwarder: the number of a frame is found
without decoding it, wherever its beginning is one that was seen and understood before.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import msgspec

from context_bus.bus.subscriber import read_envelope
from context_bus.errors import FrameError
from context_bus.kernel.message import UNREADABLE, split_frame

#: Beginnings of frames remembered; then it begins anew.
BEGINNINGS = 16_384
#: Senders on topics told apart; of the longest known, beyond it, only the sum is kept.
TALLIES = 20_000
#: How far from its beginning a frame has its number at most, to be counted the short way.
REACH = 600
_NUMBER, _BATCH = b',"sequence":', b'"batch":'
_AFTER = len(_NUMBER)
#: Digits that a number has at most, and a few bytes.
_DIGITS = 24


class Tally(msgspec.Struct, array_like=True):
    """What came of one sender on one topic.

    Args:
        topic: The topic; empty where many are summed up.
        sender: The sender; empty for messages that name none.
        messages: Messages that came; several may have come in one frame.
        bytes: Bytes of frames.
        missed: Messages known to be missing.
        expected: Number of the next message.
    """

    topic: str
    sender: str
    messages: int = 0
    bytes: int = 0
    missed: int = 0
    expected: int = 0

    def note(self, number: int, count: int, size: int) -> None:
        """Take in ``count`` messages of a frame of so many bytes, the first of which has this number."""
        self.messages += count
        self.bytes += size
        if not number:
            return
        missing = number - self.expected if self.expected else 0
        if missing >= 0:
            self.expected = number + count
            self.missed += missing
        else:  # late, after it was taken for missing; or once more
            self.missed = max(0, self.missed - count)


class Tallies:
    """Counts whatever frames come."""

    def __init__(self) -> None:
        #: Frames that were no messages.
        self.strangers = 0
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._beginnings: dict[bytes, Tally] = {}
        self._forgotten = Tally("", "")

    def note_all(self, frames: Sequence[bytes]) -> list[bool]:
        """Count frames in the order in which they came; of each says whether it is a message at all."""
        if not self._note_run(frames):
            note = self.note
            return [note(frame) for frame in frames]
        return []

    def note(self, frame: bytes) -> bool:
        """Count a frame; says whether it is a message of a bus at all."""
        at = frame.find(_NUMBER, 0, REACH)
        tally = self._beginnings.get(frame[:at])
        if tally is None or at < 0:
            return self._learn(frame, at)
        at += _AFTER
        end = frame.find(b",", at, at + _DIGITS)
        number = _number(frame[at:end])
        if not number or frame.startswith(_BATCH, end + 1):
            return self._read(frame) is not None
        tally.note(number, 1, len(frame))
        return True

    def _note_run(self, frames: Sequence[bytes]) -> bool:
        """Count frames that all are of one sender, topic and action, if none is missing between them.

        A flood is mostly that, and then only the numbers at both ends are read: since numbers grow, so many
        frames have all numbers from the first to the last, or one of them is missing.
        """
        first, last, many = frames[0], frames[-1], len(frames)
        at = first.find(_NUMBER, 0, REACH)
        beginning = first[: at + _AFTER]
        tally = self._beginnings.get(first[:at])
        if tally is None or at < 0 or sum(map(bytes.startswith, frames, repeat(beginning))) != many:
            return False
        at += _AFTER
        low, high = (_number(frame[at : frame.find(b",", at, at + _DIGITS)]) for frame in (first, last))
        if not low or high - low != many - 1 or last.startswith(_BATCH, last.find(b",", at) + 1):
            return False
        tally.note(low, many, sum(map(len, frames)))
        return True

    def rows(self) -> list[Tally]:
        """What came, by topic and sender; what is only known as a sum comes last."""
        rows = sorted(self._tallies.values(), key=lambda tally: (tally.topic, tally.sender))
        return [*rows, self._forgotten] if self._forgotten.messages else rows

    def has(self, topic: str) -> bool:
        """Whether anything came on a topic."""
        return any(tally.topic == topic for tally in list(self._tallies.values()))

    @property
    def missed(self) -> int:
        """Messages known to be missing, of all senders."""
        return sum(tally.missed for tally in self.rows())

    @property
    def messages(self) -> int:
        """Messages that came, of all senders."""
        return sum(tally.messages for tally in self.rows())

    def _learn(self, frame: bytes, at: int) -> bool:
        """Count a frame by decoding its header, and remember its beginning if that says all the rest."""
        tally = self._read(frame)
        if tally is None:
            return False
        beginning = frame[:at]
        # A sender that stands behind the number is another one with the same beginning.
        if at >= 0 and tally.sender and f'"sender":"{tally.sender}"'.encode() in beginning:
            if len(self._beginnings) >= BEGINNINGS:
                self._beginnings.clear()
            self._beginnings[beginning] = tally
        return True

    def _read(self, frame: bytes) -> Tally | None:
        try:
            topic, body = split_frame(frame)
        except FrameError:
            self.strangers += 1
            return None
        try:
            header = read_envelope(body).header
        except UNREADABLE:
            tally = self._tally(topic, "")
            tally.note(0, 1, len(frame))
            return tally
        tally = self._tally(topic, header.sender)
        tally.note(max(0, header.sequence), max(1, header.batch), len(frame))
        return tally

    def _tally(self, topic: str, sender: str) -> Tally:
        tally = self._tallies.get((topic, sender))
        if tally is None:
            if len(self._tallies) >= TALLIES:
                self._forget()
            tally = self._tallies[topic, sender] = Tally(topic, sender)
        return tally

    def _forget(self) -> None:
        old = self._tallies.pop(next(iter(self._tallies)))
        self._beginnings = {key: tally for key, tally in self._beginnings.items() if tally is not old}
        self._forgotten.messages += old.messages
        self._forgotten.bytes += old.bytes
        self._forgotten.missed += old.missed


def messages_in(frame: bytes) -> int:
    """How many messages a frame holds; one of several says so near its beginning."""
    at = frame.find(_BATCH, 0, REACH)
    if at < 0:
        return 1
    at += len(_BATCH)
    digits = frame[at : at + 9].partition(b",")[0].partition(b"}")[0].strip()
    return max(1, _number(digits))


def _number(digits: bytes) -> int:
    """A number from 1; 0 for anything else."""
    return int(digits) if digits.isdigit() else 0
