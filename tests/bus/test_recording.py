"""The file of a recording: what is written is read, and no damage makes a message that was not there."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context_bus.bus import recording as layout
from context_bus.bus.recording import About, Writer
from context_bus.bus.recording_reader import Recording
from context_bus.errors import RecordingError
from tests.bus.recordings import SECOND, Entry, numbered, read, written
from tests.bus.test_tallies import frame

BLOCKS = numbered(12, 3)
ENTRIES = list(itertools.chain(*BLOCKS))

entries = st.lists(
    st.lists(st.tuples(st.integers(0, 2**40), st.binary(max_size=80)), min_size=1, max_size=5), max_size=6
)


@given(entries, st.booleans(), st.booleans())
def test_what_is_written_is_read(blocks: list[list[Entry]], deflate: bool, ended: bool) -> None:
    """Any bytes, in any number of blocks, compressed or not, ended in order or not."""
    recording = read(written(blocks, deflate=deflate, ended=ended))
    assert list(recording.messages()) == list(itertools.chain(*blocks))
    assert recording.is_whole is ended
    assert (recording.damaged_bytes, recording.cut_bytes) == (0, 0)
    assert recording.about.topics == ("t",)


@pytest.mark.parametrize("deflate", [False, True])
def test_a_file_that_breaks_off_anywhere_opens_up_to_its_last_whole_block(deflate: bool) -> None:
    """At every single byte: all blocks that are there, and nothing else."""
    data = written(BLOCKS, deflate=deflate)
    ends = [place.position for place in read(data).sum_up().places][1:]
    for cut in range(len(data)):
        recording = read(data[:cut])
        whole = sum(end <= cut for end in ends)
        got = list(recording.messages())
        assert got == ENTRIES[: len(got)]
        assert 3 * whole <= len(got) <= 3 * (whole + 1)
        assert not recording.is_whole
        assert recording.sum_up().frames == len(got)


@settings(max_examples=300)
@given(st.booleans(), st.data())
def test_flipped_bytes_take_messages_away_and_make_none(deflate: bool, data: st.DataObject) -> None:
    """Whatever is flipped, what is read was written, in its order; what is gone is told."""
    whole = written(BLOCKS, deflate=deflate)
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        recording = read(bytes(damaged))
    except RecordingError:
        assert damaged[:12] != whole[:12]
        return
    got = list(recording.messages())
    left = iter(ENTRIES)
    assert all(entry in left for entry in got)
    if len(got) < len(ENTRIES):
        assert recording.damaged_bytes or recording.cut_bytes
    recording.sum_up(check=True)


@settings(max_examples=200)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_refused_or_read(noise: bytes, with_opening: bool) -> None:
    """Noise is one error of ours, or a recording without messages."""
    opening = layout.OPENING.pack(layout.MAGIC, layout.FORMAT, 0) if with_opening else b""
    try:
        recording = read(opening + noise)
    except RecordingError:
        assert not with_opening
        return
    assert list(recording.messages()) == []
    assert recording.sum_up().frames == 0


def test_damaged_block_does_not_take_the_next_ones_with_it() -> None:
    """Reading goes on behind it, and says how many messages are gone."""
    data = bytearray(written(BLOCKS))
    places = read(bytes(data)).sum_up().places
    data[places[1].position + layout.HEAD_SIZE] ^= 1
    recording = read(bytes(data))
    assert list(recording.messages()) == ENTRIES[:3] + ENTRIES[6:]
    assert recording.damaged_messages == 3
    data[places[2].position + 8] ^= 1  # now a head, whose length nobody knows then
    assert list(read(bytes(data)).messages()) == ENTRIES[:3] + ENTRIES[9:]


def test_damaged_head_is_no_head() -> None:
    """What it says of times and numbers is not believed: a block is not skipped for it without a word."""
    data = bytearray(written(BLOCKS))
    head = read(bytes(data)).sum_up().places[3].position
    data[head + 32 : head + 40] = bytes(8)  # the time of its last message
    recording = read(bytes(data))
    assert list(recording.messages(ENTRIES[9][0])) == []
    assert recording.damaged_bytes


def test_recording_inside_a_message_is_no_block() -> None:
    """A block counts only where it was written: messages may be pieces of recordings."""
    inner = written(numbered(6, 2))
    data = bytearray(written([[(1, b"t @@@ " + inner)], [(2, frame(2))]]))
    data[read(bytes(data)).sum_up().places[0].position] ^= 1
    recording = read(bytes(data))
    assert list(recording.messages()) == [(2, frame(2))]
    assert recording.damaged_bytes > len(inner)


def test_start_is_found_by_the_index_and_without_it() -> None:
    """Reading from a time on gives what came then or later, block borders or not."""
    blocks = numbered(50, 7)
    flat = list(itertools.chain(*blocks))
    for ended, start in itertools.product((True, False), (0, 1, flat[13][0], flat[14][0] - 1, 10**15)):
        recording = read(written(blocks, ended=ended))
        assert list(recording.messages(start)) == [entry for entry in flat if entry[0] >= start]


def test_start_reads_only_what_it_must() -> None:
    """With an index, what lies before is not even touched."""
    data = bytearray(written(numbered(5000, 5)))
    data[2000:100_000] = bytes(98_000)
    recording = read(bytes(data))
    assert len(list(recording.messages(4990 * SECOND // 100))) == 10
    assert recording.damaged_bytes == 0


def test_index_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many blocks it names every second, every fourth; a start is found all the same."""
    monkeypatch.setattr(layout, "INDEXED", 8)
    blocks = numbered(300, 3)
    recording = read(written(blocks))
    index = recording.sum_up()
    assert len(index.places) <= 8
    assert index.blocks == 100
    start = 200 * SECOND // 100
    assert list(recording.messages(start)) == list(itertools.chain(*blocks))[200:]


def test_sum_is_the_same_with_and_without_an_index() -> None:
    """What the recorder counted is what the file says."""
    summed, counted = read(written(BLOCKS)).sum_up(), read(written(BLOCKS, ended=False)).sum_up()
    assert summed.tallies == counted.tallies
    assert (summed.frames, summed.bytes, summed.blocks) == (counted.frames, counted.bytes, counted.blocks)


def test_what_is_none_is_refused() -> None:
    """Another file, and one of a later program, are told apart."""
    with pytest.raises(RecordingError, match="no recording"):
        read(b"<Context>")
    newer = layout.OPENING.pack(layout.MAGIC, layout.FORMAT + 1, 0)
    with pytest.raises(RecordingError, match=r"newer context-bus .* upgrade"):
        read(newer)


class FullDisk(io.BytesIO):
    """A file on a disk with little room."""

    room = 1500

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write what fits."""
        left = self.room - self.tell()
        if left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(bytes(data[:left]))


def test_full_disk_leaves_whole_blocks() -> None:
    """What did not fit is taken back; the file ends with its last whole block."""
    file = FullDisk()
    writer = Writer(file, About())
    taken = 0
    with contextlib.suppress(OSError):
        for block in numbered(100, 3):
            writer.write(*zip(*block, strict=True))
            taken += 3
    recording = Recording(io.BytesIO(file.getvalue()))
    assert len(list(recording.messages())) == taken
    assert 0 < taken < 100
    assert recording.cut_bytes == 0
    assert writer.frames == taken


def test_layout_is_as_documented() -> None:
    """A reader made from the page alone, byte by byte; if it fails, the format has changed."""
    data = written([[(5, b"a @@@ 1"), (9, b"b @@@ 22")]])
    assert data[:16] == b"\x93BUSREC\n" + (1).to_bytes(4, "little") + bytes(4)
    about_stored = int.from_bytes(data[16 + 40 : 16 + 44], "little")
    block = data[16 + 56 + about_stored :]
    assert block[:4] == b"\x93BLK"
    assert (block[4], block[5]) == (2, 0)
    position, count, first, last = (int.from_bytes(block[at : at + 8], "little") for at in (8, 16, 24, 32))
    assert (position, count, first, last) == (16 + 56 + about_stored, 2, 5, 9)
    body = block[56:]
    assert [int.from_bytes(body[at : at + 8], "little") for at in (0, 8)] == [5, 9]
    assert [int.from_bytes(body[at : at + 4], "little") for at in (16, 20)] == [7, 8]
    assert body[24:39] == b"a @@@ 1b @@@ 22"
    assert data[-16:-12] == b"\x93END"


def test_large_blocks_survive() -> None:
    """Megabytes of incompressible messages, compressed."""
    chance = random.Random(1)
    block = [(at, chance.randbytes(100_000)) for at in range(30)]
    assert list(read(written([block], deflate=True)).messages()) == block
