"""Recordings for tests, made by the real writer into memory."""

from __future__ import annotations

import io
from collections.abc import Sequence

from context_bus.bus.recording import About, Writer
from context_bus.bus.recording_reader import Recording
from context_bus.bus.tallies import Tallies
from tests.bus.test_tallies import frame

#: Nanoseconds of a second.
SECOND = 1_000_000_000
#: A message as a recording has it: nanoseconds since its beginning, and the frame.
Entry = tuple[int, bytes]


def written(blocks: Sequence[Sequence[Entry]], *, deflate: bool = False, ended: bool = True) -> bytes:
    """The bytes of a recording that holds these blocks."""
    file, tallies = io.BytesIO(), Tallies()
    writer = Writer(file, About(started=1_700_000_000 * SECOND, topics=("t",)), deflate=deflate)
    for block in blocks:
        times, frames = zip(*block, strict=True)
        tallies.note_all(frames)
        writer.write(times, frames)
    if ended:
        writer.finish(tallies.rows(), 10 * SECOND, tallies.strangers)
    assert writer.size == len(file.getvalue())
    return file.getvalue()


def numbered(count: int, per_block: int, step: int = SECOND // 100) -> list[list[Entry]]:
    """Blocks of messages numbered from 1, one every ``step`` nanoseconds."""
    entries = [(index * step, frame(index + 1, pad="x" * (index % 50))) for index in range(count)]
    return [entries[start : start + per_block] for start in range(0, count, per_block)]


def read(data: bytes) -> Recording:
    """Open the bytes of a recording."""
    return Recording(io.BytesIO(data))
