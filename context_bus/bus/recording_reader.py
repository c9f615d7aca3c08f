"""A recording of a bus, read: what is whole in it, whatever happened to the rest. Knows bytes and files.

A block is taken if both of its checksums say that it is as it was written, and at the place where it was
written. So no damage makes a message that was not there: it takes messages away, and that is told.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from context_bus.bus import recording as layout
from context_bus.bus.recording import About, Index
from context_bus.bus.tallies import Tallies
from context_bus.errors import RecordingError
from context_bus.kernel.message import UNREADABLE

#: Bytes looked at once in search of the next block.
_STEP = 1 << 20


class Head(NamedTuple):
    """What stands before each block; the names are those of `recording.HEAD`."""

    kind: int
    flags: int
    position: int
    messages: int
    first: int
    last: int
    stored: int
    size: int
    crc: int

    @property
    def end(self) -> int:
        """Where the block ends."""
        return self.position + layout.HEAD_SIZE + self.stored


class Block(NamedTuple):
    """The messages of one block: when each came, in nanoseconds since the beginning, and its frame."""

    times: tuple[int, ...]
    frames: list[bytes]


class Recording:
    """A recording that is read.

    Args:
        file: Seekable, and closed by whoever opened it.

    Raises:
        RecordingError: It is no recording, or one of a later program.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        #: Bytes of the file.
        self.size = file.seek(0, os.SEEK_END)
        self._check_opening()
        #: What the recording says of itself.
        self.about = About()
        #: The sum at its end; None if it was not ended in order.
        self.index = self._find_index()
        #: Bytes that are no whole block, as far as blocks have been read, and the messages lost with them
        #: as far as their number is known.
        self.damaged_bytes = self.damaged_messages = 0
        #: Bytes after the last whole block of a recording that breaks off.
        self.cut_bytes = 0
        self._read_about()

    @property
    def is_whole(self) -> bool:
        """Whether it was ended in order."""
        return self.index is not None

    def blocks(self, start: int = 0) -> Iterator[Block]:
        """Read the messages of each whole block that ends after ``start``, in nanoseconds."""
        self.damaged_bytes = self.damaged_messages = self.cut_bytes = 0
        for head in self._heads(self._place_before(start)):
            if head.kind != layout.MESSAGES or (start and head.last < start):
                continue
            block = self._messages(head)
            if block is None:
                self.damaged_bytes += head.end - head.position
                self.damaged_messages += head.messages
            else:
                yield block

    def messages(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Read time and frame of each message that came at ``start`` or later, in nanoseconds."""
        for block in self.blocks(start):
            if block.times[0] >= start:
                yield from zip(block.times, block.frames, strict=True)
            else:
                yield from (each for each in zip(*block, strict=True) if each[0] >= start)

    def sum_up(self, *, check: bool = False) -> Index:
        """What there is; read from the end of a recording that was ended in order.

        Args:
            check: Read everything all the same, so that damage shows.
        """
        if self.index is not None and not check:
            return self.index
        tallies = Tallies()
        frames = size = blocks = last = 0
        for block in self.blocks():
            tallies.note_all(block.frames)
            frames += len(block.frames)
            size += sum(map(len, block.frames))
            blocks += 1
            last = block.times[-1]
        ended = self.index.ended if self.index else last
        strangers = self.index.strangers if self.index else 0
        return Index(frames, size, blocks, last, ended, strangers, tuple(tallies.rows()), ())

    # -- the parts of a file -----------------------------------------------------------------------

    def _check_opening(self) -> None:
        opening = self._at(0, layout.OPENING.size)
        if not layout.MAGIC.startswith(opening[: len(layout.MAGIC)]):
            raise RecordingError("this is no recording of a bus")
        if len(opening) == layout.OPENING.size:
            _, version, _ = layout.OPENING.unpack(opening)
            if version > layout.FORMAT:
                raise RecordingError(
                    f"a newer context-bus wrote this recording (format {version}, this one knows "
                    f"{layout.FORMAT}); upgrade"
                )

    def _read_about(self) -> None:
        head = self._head(layout.OPENING.size)
        body = self._body(head) if head and head.kind == layout.ABOUT else None
        if body is not None:
            with contextlib.suppress(msgspec.ValidationError, *UNREADABLE):
                self.about = msgspec.json.decode(body, type=About)

    def _find_index(self) -> Index | None:
        size = layout.TRAILER.size
        end = self._at(max(0, self.size - size), size)
        if len(end) < size:
            return None
        marker, position, crc = layout.TRAILER.unpack(end)
        if marker != layout.TRAILER_MARKER or crc != layout.checksum_of(position):
            return None
        head = self._head(position)
        body = self._body(head) if head and head.kind == layout.INDEX else None
        if body is None:
            return None
        with contextlib.suppress(msgspec.ValidationError, *UNREADABLE):
            return msgspec.json.decode(body, type=Index)
        return None

    def _place_before(self, start: int) -> int:
        """Where to begin to read for what came at ``start``."""
        places = self.index.places if self.index else ()
        after = bisect.bisect_left(places, start, key=lambda place: place.first)
        return places[after - 1].position if start and after else layout.OPENING.size

    def _heads(self, position: int) -> Iterator[Head]:
        """The heads of all blocks from a position on, whatever lies between them."""
        end = self.size - (layout.TRAILER.size if self.index else 0)
        while position < end:
            head = self._head(position)
            if head is None:
                found = self._next_head(position + 1)
                if found is None:
                    self.cut_bytes = end - position
                    return
                self.damaged_bytes += found.position - position
                head = found
            yield head
            position = head.end

    def _next_head(self, position: int) -> Head | None:
        """Find the next block that stands where it was written."""
        while position < self.size:
            data = self._at(position, _STEP)
            at = data.find(layout.MARKER)
            while at >= 0:
                if head := self._head(position + at):
                    return head
                at = data.find(layout.MARKER, at + 1)
            position += max(1, len(data) - len(layout.MARKER) + 1)
        return None

    def _head(self, position: int) -> Head | None:
        """The head at a position; None if there is none, or its block is not all there."""
        data = self._at(position, layout.HEAD_SIZE)
        if len(data) < layout.HEAD_SIZE or not data.startswith(layout.MARKER):
            return None
        if layout.CRC.unpack_from(data, layout.HEAD.size)[0] != zlib.crc32(data[: layout.HEAD.size]):
            return None
        head = Head(*layout.HEAD.unpack_from(data)[1:])
        is_sane = head.position == position and max(head.stored, head.size) <= layout.LARGEST_BLOCK
        return head if is_sane and head.end <= self.size else None

    def _body(self, head: Head) -> bytes | None:
        """What a block holds; None if it is not what was written."""
        stored = self._at(head.position + layout.HEAD_SIZE, head.stored)
        if len(stored) < head.stored or zlib.crc32(stored) != head.crc:
            return None
        if not head.flags & layout.DEFLATED:
            return stored
        try:
            body = zlib.decompressobj().decompress(stored, head.size + 1)
        except zlib.error:
            return None
        return body if len(body) == head.size else None

    def _messages(self, head: Head) -> Block | None:
        body, count = self._body(head), head.messages
        if body is None or 12 * count > len(body):
            return None
        times = struct.unpack_from(f"<{count}Q", body)
        frames, at = [], 12 * count
        for size in struct.unpack_from(f"<{count}I", body, 8 * count):
            frames.append(body[at : at + size])
            at += size
        return Block(times, frames) if at == len(body) and count else None

    def _at(self, position: int, size: int) -> bytes:
        self._file.seek(position)
        return self._file.read(size)


@contextlib.contextmanager
def open_recording(path: Path) -> Iterator[Recording]:
    """Open a recording for reading.

    Raises:
        RecordingError: It is none; names the file.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        try:
            recording = Recording(file)
        except RecordingError as error:
            raise RecordingError(f"{path}: {error}") from None
        yield recording
