from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.process.logfile import CHECK_EVERY, RETRY_EVERY, LogFile
from context_bus.process.rotation import PAGE, cut_at, shift


class Heard(list[tuple[str, int]]):
    """What a file has told."""

    def __call__(self, reason: str, lost: int) -> None:
        self.append((reason, lost))


def whole(path: Path) -> bytes:
    """All parts of a file, the oldest first."""
    numbers = sorted((int(part.suffix[1:]) for part in path.parent.glob(f"{path.name}.*")), reverse=True)
    parts = [path.with_name(f"{path.name}.{number}") for number in numbers]
    return b"".join(part.read_bytes() for part in [*parts, path])


# -- where a file is cut ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "room", "can_be_complete", "expected"),
    [
        (b"ab\ncd\n", 6, False, 6),  # fits
        (b"ab\ncd\n", 5, False, 3),  # after the last line that fits
        (b"abcdef\n", 3, True, 0),  # the whole line belongs to the next file
        (b"abcdef\ngh\n", 3, False, 7),  # the line that is begun is ended first
        (b"abcdef", 3, False, 6),  # its end may come
        (b"x" * 3 * PAGE, 10, False, 10),  # it does not within a page
        (b"x" * 3 * PAGE, PAGE + 1, True, PAGE + 1),  # a line longer than a page fills the file
        (b"cd\nef\n", -2, False, 3),  # over the limit already, and here is the end of the line
        (b"x" * PAGE, -PAGE, False, 0),  # over it by a page: no further
    ],
)
def test_cut_is_at_a_line_end_if_one_is_near(
    data: bytes, room: int, can_be_complete: bool, expected: int
) -> None:
    """A file ends with a line wherever that costs no more than a page."""
    assert cut_at(data, room, can_be_complete) == expected


@given(st.lists(st.binary(min_size=1, max_size=2 * PAGE), max_size=12), st.integers(1, 3 * PAGE))
def test_any_chunks_under_any_limit_are_written_byte_for_byte(chunks: list[bytes], limit: int) -> None:
    """Whatever comes in whatever pieces: the parts together are it, and no part exceeds limit and page."""
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.log")
        file = LogFile(str(path), limit, 100_000, Heard())
        for number, chunk in enumerate(chunks):
            file.write(chunk, float(number))
        file.close(99.0)
        if chunks:
            assert whole(path) == b"".join(chunks)
        assert all(part.stat().st_size <= limit + PAGE for part in Path(directory).iterdir())


def test_spliced_data_is_cut_at_lines_too(tmp_path: Path) -> None:
    """The kernel moves what surely fits; the last page before the limit is looked at."""
    path = tmp_path / "x.log"
    data = b"".join(b"line %d\n" % number for number in range(5000))
    file = LogFile(str(path), 20_000, 50, Heard())
    file.retry(0.0)
    reader, writer = os.pipe()
    spliced = copied = 0
    for start in range(0, len(data), 30_000):
        os.write(writer, data[start : start + 30_000])
        left = len(data[start : start + 30_000])
        while left:
            count = file.splice(reader, 0.0)
            if count < 0:
                piece = os.read(reader, PAGE)
                file.write(piece, 0.0)
                copied += (count := len(piece))
            else:
                spliced += count
            left -= count
    file.close(0.0)
    os.close(reader)
    os.close(writer)
    assert whole(path) == data
    assert spliced > copied > 0
    for part in tmp_path.iterdir():
        assert part.stat().st_size <= 20_000
        assert part.read_bytes().endswith(b"\n")


# -- names -----------------------------------------------------------------------------------------


def test_shift_keeps_so_many_and_fills_a_gap_first(tmp_path: Path) -> None:
    """The oldest is dropped when all places are taken; a missing part means nothing has to be dropped."""
    path = tmp_path / "x.log"
    for number in range(5):
        path.write_text(str(number))
        shift(str(path), 3)
    assert {part.name: part.read_text() for part in tmp_path.iterdir()} == {
        "x.log.1": "4",
        "x.log.2": "3",
        "x.log.3": "2",
    }
    (tmp_path / "x.log.2").unlink()
    path.write_text("5")
    shift(str(path), 3)
    assert (tmp_path / "x.log.3").read_text() == "2"
    assert (tmp_path / "x.log.2").read_text() == "4"


def test_without_backups_a_full_file_is_begun_anew(tmp_path: Path) -> None:
    """What is not to be kept is not kept."""
    path = tmp_path / "x.log"
    file = LogFile(str(path), 10, 0, Heard())
    for line in (b"one two\n", b"three\n"):
        file.write(line, 0.0)
    file.close(0.0)
    assert path.read_bytes() == b"three\n"
    assert [part.name for part in tmp_path.iterdir()] == ["x.log"]


# -- files that others handle ----------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[LogFile, Path, Heard]]:
    heard = Heard()
    path = tmp_path / "deep" / "x.log"
    file = LogFile(str(path), 0, 5, heard)
    yield file, path, heard
    file.close(1e9)


def test_directory_is_made_and_an_old_file_is_continued(log: tuple[LogFile, Path, Heard]) -> None:
    """A restart of everything does not begin the file anew."""
    file, path, heard = log
    file.write(b"one\n", 0.0)
    file.close(0.0)
    file.write(b"two\n", 0.0)
    assert path.read_bytes() == b"one\ntwo\n"
    assert heard == []


@pytest.mark.parametrize("way", ["renamed", "deleted", "directory deleted"])
def test_file_that_is_moved_away_is_noticed(log: tuple[LogFile, Path, Heard], way: str) -> None:
    """Within a second of writing, or at once when asked; what was written before stays where it is."""
    file, path, _ = log
    file.write(b"one\n", 0.0)
    if way == "renamed":
        path.rename(path.with_name("x.log-old"))
    else:
        path.unlink()
        if way == "directory deleted":
            path.parent.rmdir()
    file.write(b"two\n", CHECK_EVERY)
    assert path.read_bytes() == b"two\n"
    path.unlink()
    file.reopen(CHECK_EVERY)
    assert path.read_bytes() == b""


def test_file_cut_by_somebody_else_has_no_hole(log: tuple[LogFile, Path, Heard]) -> None:
    """After copy and truncate what follows begins at the beginning, also when it is spliced."""
    file, path, _ = log
    file.write(b"one\n", 0.0)
    os.truncate(path, 0)
    reader, writer = os.pipe()
    os.write(writer, b"two\n")
    assert file.splice(reader, 0.0) == 4
    os.truncate(path, 0)
    file.write(b"three\n", 0.0)
    os.close(reader)
    os.close(writer)
    assert path.read_bytes() == b"three\n"


def test_two_writers_of_one_file_overwrite_nothing_and_one_rotates(tmp_path: Path) -> None:
    """Only one may splice and rotate; the other appends, and follows."""
    path, heard = tmp_path / "x.log", Heard()
    first, second = (LogFile(str(path), 40, 50, heard) for _ in range(2))
    lines = [b"%s %d\n" % (who, n) for n in range(20) for who in (b"first", b"second")]
    for number, line in enumerate(lines):
        (second if number % 2 else first).write(line, number * CHECK_EVERY)
    assert first.can_splice()
    assert not second.can_splice()
    first.close(0.0)
    second.close(0.0)
    assert sorted(whole(path).splitlines(keepends=True)) == sorted(lines)
    assert heard == []


# -- trouble ---------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with little room."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("may not mount")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_full_disk_is_told_once_and_what_is_lost_is_counted_in_the_file(small_disk: Path) -> None:
    """The file says itself how much of it is missing, and then goes on."""
    heard, path = Heard(), small_disk / "x.log"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 40_000)
    file = LogFile(str(path), 0, 5, heard)
    line = b"y" * 99 + b"\n"
    now = 0.0
    while not heard:
        file.write(line, now)
    kept = path.stat().st_size
    for _ in range(50):
        now += RETRY_EVERY / 5
        file.write(line, now)
    reason = os.strerror(errno.ENOSPC)
    assert heard == [(reason, 0)]
    ballast.unlink()
    file.write(line, now + 1)
    text = path.read_bytes()
    assert [told for told, _ in heard] == [reason, ""]
    lost = heard[-1][1]
    assert (b"\n... %d bytes lost: No space left on device\n" % lost) in text
    assert lost % 100 == -kept % 100
    assert text.endswith(b"device\n" + line)
    file.close(now)


def test_size_limit_of_the_process_is_no_reason_to_die(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: the signal that comes with it included."""
    script = (
        "import resource, sys\n"
        "from context_bus.process.logfile import LogFile\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "told = []\n"
        "file = LogFile(sys.argv[1], 0, 5, lambda *args: told.append(args))\n"
        "for n in range(30): file.write(b'z' * 99 + b'\\n', n / 10)\n"
        "print(told, file.lost)\n"
    )
    root = str(Path(__file__).parents[2])
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x.log")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert run.stdout.strip() == "[('File too large', 0)] 2000"
    assert (tmp_path / "x.log").stat().st_size == 1000


def test_file_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    """Trouble from the beginning is trouble like any other."""
    heard, blocked = Heard(), tmp_path / "blocked"
    blocked.write_text("a file where a directory should be")
    file = LogFile(str(blocked / "x.log"), 0, 5, heard)
    file.write(b"one\n", 0.0)
    assert heard == [(os.strerror(errno.ENOTDIR), 0)]
    blocked.unlink()
    file.retry(RETRY_EVERY)
    file.write(b"two\n", RETRY_EVERY)
    file.close(1.0)
    assert heard[1:] == [("", 4)]
    assert (blocked / "x.log").read_bytes() == b"... 4 bytes lost: Not a directory\ntwo\n"


def test_file_that_cannot_be_rotated_goes_on(tmp_path: Path) -> None:
    """A part that is in the way costs the rotation, not the lines; and it is said once."""
    heard, path = Heard(), tmp_path / "x.log"
    (tmp_path / "x.log.1").mkdir()
    file = LogFile(str(path), 20, 1, heard)
    lines = [b"line %d\n" % n for n in range(10)]
    for number, line in enumerate(lines):
        file.write(line, float(number))
    assert path.read_bytes() == b"".join(lines)
    assert heard == [("cannot be rotated: Is a directory", 0)]
    (tmp_path / "x.log.1").rmdir()
    file.write(b"last\n", 99.0)
    assert (path.read_bytes(), heard[1:]) == (b"last\n", [("", 0)])
    file.close(99.0)
