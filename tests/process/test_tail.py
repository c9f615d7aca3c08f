from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.process.logfile import LogFile
from context_bus.process.tail import BLOCK, Followed, follow, last_lines

#: Seconds for what takes milliseconds.
PATIENCE = 20.0


# -- the last lines --------------------------------------------------------------------------------


def test_last_lines_go_back_into_rotated_parts(tmp_path: Path) -> None:
    """A line that was cut by a rotation is one line."""
    path = tmp_path / "x.log"
    path.write_bytes(b"ree\nfour\nfi")
    (tmp_path / "x.log.1").write_bytes(b"two\nth")
    (tmp_path / "x.log.2").write_bytes(b"one\n")
    assert last_lines(path, 1) == [b"fi"]
    assert last_lines(path, 3) == [b"three", b"four", b"fi"]
    assert last_lines(path, 99) == [b"one", b"two", b"three", b"four", b"fi"]
    assert last_lines(path, 0) == []
    assert last_lines(tmp_path / "none", 5) == []


def test_part_that_is_being_renamed_hides_none_behind_it(tmp_path: Path) -> None:
    """Between two renames of a rotation one name is missing; what is behind it is not."""
    path = tmp_path / "x.log"
    path.write_bytes(b"two\n")
    (tmp_path / "x.log.2").write_bytes(b"one\n")
    assert last_lines(path, 2) == [b"one", b"two"]
    path.rename(tmp_path / "x.log.1")
    assert last_lines(path, 2) == [b"one", b"two"]


@given(st.lists(st.binary(max_size=50).map(lambda b: b.replace(b"\n", b"")), min_size=1), st.integers(1, 60))
def test_last_lines_are_those_of_the_whole(lines: list[bytes], count: int) -> None:
    """Wherever the file was cut: as if all had been read and split."""
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.log")
        file = LogFile(str(path), 64, 10_000, lambda *_: None)
        for number, line in enumerate(lines):
            file.write(line + b"\n", float(number))
        file.close(0.0)
        assert last_lines(path, count) == lines[-count:]


def test_last_lines_of_a_huge_file_cost_nothing(tmp_path: Path) -> None:
    """A file is read from its end: one of a gigabyte (mostly a hole) as fast as a small one."""
    path = tmp_path / "x.log"
    with path.open("wb") as file:
        file.truncate(1 << 30)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b"".join(b"line %d\n" % n for n in range(BLOCK // 4)))
    began = time.thread_time()
    assert last_lines(path, 3)[-1] == b"line %d" % (BLOCK // 4 - 1)
    assert time.thread_time() - began < 0.1


# -- following -------------------------------------------------------------------------------------

Stream = AsyncIterator[tuple[str, bytes]]


async def take(stream: Stream, until: Callable[[bytes], bool]) -> bytes:
    """Read on until what has come is what is waited for."""
    text = b""
    async with asyncio.timeout(PATIENCE):
        while not until(text):
            text += (await anext(stream))[1]
    return text


def test_follow_begins_with_the_last_lines_and_goes_on(tmp_path: Path) -> None:
    """Nothing is left out or doubled between the two; a line that is not complete yet comes whole."""
    path = tmp_path / "x.log"
    path.write_bytes(b"two\nthree\nfo")
    (tmp_path / "x.log.1").write_bytes(b"zero\none\n")

    async def main() -> None:
        async with aclosing(follow({"x": path}, lines=3)) as stream:
            assert await anext(stream) == ("x", b"one\ntwo\nthree\n")
            with path.open("ab") as file:
                file.write(b"ur\nfive\n")
            assert await take(stream, lambda text: text.endswith(b"five\n")) == b"four\nfive\n"

    asyncio.run(main())


def test_follow_waits_for_files_and_for_their_directories(tmp_path: Path) -> None:
    """What appears later is read from its beginning, also when old parts of it are there."""
    first, second = tmp_path / "a" / "b" / "x.log", tmp_path / "y.log"
    (tmp_path / "y.log.1").write_bytes(b"old\n")

    async def main() -> None:
        async with aclosing(follow({"x": first, "y": second})) as stream:
            coming = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            first.parent.mkdir(parents=True)
            first.write_bytes(b"first\n")
            async with asyncio.timeout(PATIENCE):
                assert await coming == ("x", b"first\n")
                second.write_bytes(b"second\n")
                assert await anext(stream) == ("y", b"second\n")

    asyncio.run(main())


@pytest.mark.parametrize("backups", [3, 50])
def test_follow_survives_rotations_without_loss_or_doubles(tmp_path: Path, backups: int) -> None:
    """Many rotations between two looks: every line that is still in a part comes, once, in order."""
    path = tmp_path / "x.log"
    file = LogFile(str(path), 200, backups, lambda *_: None)
    file.write(b"before\n", 0.0)

    async def main() -> list[bytes]:
        async with aclosing(follow({"x": path})) as stream:
            coming = asyncio.ensure_future(take(stream, lambda text: text.endswith(b"line 0\n")))
            await asyncio.sleep(0)
            file.write(b"line 0\n", 0.0)
            assert await coming == b"line 0\n"
            for number in range(1, 500):
                file.write(b"line %d\n" % number, 0.0)
            text = await take(stream, lambda text: text.endswith(b"line 499\n"))
            return text.splitlines()

    got = asyncio.run(main())
    file.close(0.0)
    expected = [b"line %d" % number for number in range(1, 500)]
    if backups == 50:
        assert got == expected
    else:
        # What was dropped is gone; the part that was open when it was dropped is not.
        assert got == [line for line in expected if line in got]
        assert got[-60:] == expected[-60:]


def test_follow_goes_on_after_truncation_and_deletion(tmp_path: Path) -> None:
    """By whatever way the file becomes another one."""
    path = tmp_path / "x.log"
    path.write_bytes(b"before\n" * 10)

    async def main() -> None:
        async with aclosing(follow({"x": path}, lines=1)) as stream:
            assert await anext(stream) == ("x", b"before\n")
            os.truncate(path, 0)
            with path.open("ab") as file:
                file.write(b"cut\n")
            assert await take(stream, bool) == b"cut\n"
            path.unlink()
            path.write_bytes(b"anew\n")
            assert await take(stream, bool) == b"anew\n"

    asyncio.run(main())


def test_renamed_file_is_read_until_somebody_writes_to_the_next(tmp_path: Path) -> None:
    """A writer notices a rename later than the reader does; what it writes till then is not lost."""
    path, old = tmp_path / "x.log", tmp_path / "x.log-20260101"
    path.write_bytes(b"before\n")
    followed = Followed("x", str(path))
    assert followed.begin(1) == b"before\n"
    path.rename(old)
    path.write_bytes(b"")
    assert list(followed.advance()) == []
    with old.open("ab") as file:
        file.write(b"late\n")
    path.write_bytes(b"then\n")
    assert list(followed.advance()) == [b"late\n", b"then\n"]
    followed.close()


def test_follow_ends_without_a_word_of_asyncio(tmp_path: Path) -> None:
    """Whoever has read enough leaves; nothing is said of the look that was still going on."""
    path, complaints = tmp_path / "x.log", list[dict[str, object]]()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with aclosing(follow({"x": path})) as stream:
            coming = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            path.write_bytes(b"enough\n")
            assert await coming == ("x", b"enough\n")
        del coming
        gc.collect()

    asyncio.run(main())
    assert complaints == []


def test_rest_of_a_file_that_has_no_last_line_end(tmp_path: Path) -> None:
    """What will never be a whole line can be taken, once, when there will be no more."""
    path = tmp_path / "x.log"
    path.write_bytes(b"one\ntw")
    followed = Followed("x", str(path))
    try:
        assert followed.begin(5) == b"one\n"
        with path.open("ab") as file:
            file.write(b"o\nthree")
        assert list(followed.advance()) == [b"two\n"]
        assert followed.rest() == b"three"
        assert followed.rest() == b""
    finally:
        followed.close()
