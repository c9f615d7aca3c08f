"""A recording of a bus, written: the layout of its file, and the writer. Knows bytes; opens nothing.

Laid out in ``doc/reference-recording.md``. A file only grows, block by block; a block is whole or it is
not there, as its checksums tell, so whatever happens to the writer costs what was not written yet.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import msgspec

from context_bus._version import VERSION
from context_bus.bus.tallies import Tally

#: What every recording begins with; its last byte would not survive a transfer as text.
MAGIC = b"\x93BUSREC\n"
#: Version of the layout, after the magic.
FORMAT = 1
OPENING = struct.Struct("<8sII")
#: First bytes of every block, by which a reader finds the next one behind a damaged one.
MARKER = b"\x93BLK"
#: Marker, kind, flags, place in the file, messages, first and last time, bytes stored, bytes unpacked,
#: checksum of what is stored; then the checksum of all these.
HEAD = struct.Struct("<4sBBxxQQQQIII")
CRC = struct.Struct("<I")
_U64 = struct.Struct("<Q")
#: Bytes before what a block holds.
HEAD_SIZE = HEAD.size + CRC.size
#: Kinds of blocks.
ABOUT, MESSAGES, INDEX = 1, 2, 3
#: Flag of a block whose bytes are deflated.
DEFLATED = 1
#: The very end of a recording that was ended in order: where its index is, and a checksum of that.
TRAILER = struct.Struct("<4sQI")
TRAILER_MARKER = b"\x93END"
#: Bytes of messages after which a block is written; small enough to stay in a cache until then.
BLOCK_BYTES = 512 * 1024
#: Bytes of one block at most; what claims more is damaged.
LARGEST_BLOCK = 1 << 31
#: Blocks that an index names; of more, every second, fourth and so on.
INDEXED = 4096
#: zlib's fastest level: a recorder has to keep up.
LEVEL = 1


class About(msgspec.Struct, frozen=True):
    """What a recording says of itself in its first block.

    Args:
        started: When it began, in nanoseconds since the epoch; 0 if that was lost.
        endpoint: Where was listened.
        topics: Exact topics; none means every one.
        program: What wrote it.
    """

    started: int = 0
    endpoint: str = ""
    topics: tuple[str, ...] = ()
    program: str = f"context-bus {VERSION}"


class Place(NamedTuple):
    """One block of messages as an index knows it; times are nanoseconds since the beginning."""

    position: int
    first: int
    last: int


class Index(msgspec.Struct, frozen=True):
    """What the last block of a recording that was ended in order sums up.

    Args:
        frames: Frames in the file, each one message or several; so many bytes in the next.
        bytes: See above.
        blocks: Blocks of messages.
        last: Time of the last message, in nanoseconds since the beginning.
        ended: When the recorder ended, in nanoseconds since the beginning.
        strangers: Frames that were no messages and were left out.
        tallies: What was recorded of each sender on each topic.
        places: Where blocks are, in order.
    """

    frames: int
    bytes: int
    blocks: int
    last: int
    ended: int
    strangers: int
    tallies: tuple[Tally, ...]
    places: tuple[Place, ...]


class Writer:
    """Writes a recording into an empty file.

    Args:
        file: Unbuffered, open for writing, at its beginning; it is not closed here.
        about: What the recording says of itself.
        deflate: Whether to compress.

    Raises:
        OSError: From any method, when the file takes no more; then it ends with its last whole block.
    """

    def __init__(self, file: BinaryIO, about: About, *, deflate: bool = False) -> None:
        self._file = file
        self._flags = DEFLATED if deflate else 0
        #: Bytes of the file.
        self.size = 0
        #: Frames in the file, and their bytes.
        self.frames = self.bytes = 0
        #: Time of the last one, in nanoseconds since the beginning.
        self.last = 0
        self._blocks = 0
        self._every = 1
        self._places: list[Place] = []
        opening = OPENING.pack(MAGIC, FORMAT, 0)
        # In one write: nobody ever sees a recording without its first block, but for a full disk.
        at = len(opening)
        self._write(opening + b"".join(_block(ABOUT, 0, at, 0, 0, 0, msgspec.json.encode(about))))

    def write(self, times: Sequence[int], frames: Sequence[bytes]) -> None:
        """Write one block.

        Args:
            times: When each frame came, in nanoseconds since the beginning; never decreasing.
            frames: As many frames, at least one.
        """
        sizes = list(map(len, frames))
        count = len(frames)
        body = b"".join((struct.pack(f"<{count}Q{count}I", *times, *sizes), *frames))
        place = Place(self.size, times[0], times[-1])
        self._write(*_block(MESSAGES, self._flags, self.size, count, place.first, place.last, body))
        self._index(place)
        self.frames += count
        self.bytes += sum(sizes)
        self.last = place.last

    def finish(self, tallies: Sequence[Tally], ended: int, strangers: int = 0) -> None:
        """Write the index; the recording is whole then.

        Args:
            tallies: What was recorded of each sender on each topic.
            ended: When, in nanoseconds since the beginning.
            strangers: Frames that were left out.
        """
        index = Index(
            self.frames,
            self.bytes,
            self._blocks,
            self.last,
            ended,
            strangers,
            tuple(tallies),
            tuple(self._places),
        )
        at = self.size
        body = msgspec.json.encode(index)
        end = TRAILER.pack(TRAILER_MARKER, at, checksum_of(at))
        self._write(*_block(INDEX, DEFLATED, at, 0, 0, 0, body), end)

    def _index(self, place: Place) -> None:
        if self._blocks % self._every == 0:
            self._places.append(place)
            if len(self._places) > INDEXED:
                del self._places[1::2]
                self._every *= 2
        self._blocks += 1

    def _write(self, *parts: bytes) -> None:
        """Write all, or take back what was written of it."""
        try:
            for part in parts:  # joining them would copy a block once more
                rest = memoryview(part)
                while rest:
                    rest = rest[self._file.write(rest) or 0 :]
        except OSError:
            self._file.truncate(self.size)
            self._file.seek(self.size)
            raise
        self.size += sum(map(len, parts))


def checksum_of(position: int) -> int:
    """What the trailer says of its position."""
    return zlib.crc32(_U64.pack(position))


def _block(
    kind: int, flags: int, position: int, count: int, first: int, last: int, body: bytes
) -> tuple[bytes, bytes]:
    stored = zlib.compress(body, LEVEL) if flags & DEFLATED else body
    head = HEAD.pack(
        MARKER, kind, flags, position, count, first, last, len(stored), len(body), zlib.crc32(stored)
    )
    return head + CRC.pack(zlib.crc32(head)), stored
