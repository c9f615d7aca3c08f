"""A stream that never waits for its reader."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from context_bus.cli.screen import WAITING, Screen

#: One line of forty bytes.
LINE = "x" * 39 + "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The end that is read, and the stream at the other end."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield reader, stream


def read(reader: int, end: bytes) -> bytes:
    """Read until there is no more, or what came ends so."""
    text = b""
    while not text.endswith(end) and (more := os.read(reader, 65536)):
        text += more
    return text


def test_what_is_written_comes_in_order(pipe: tuple[int, TextIO]) -> None:
    """Whatever signs are in it, also half of one."""
    screen = Screen(pipe[1])
    screen.write("one\n")
    screen.write("zwölf \udcff\n")
    assert read(pipe[0], b"\\udcff\n") == "one\nzwölf \\udcff\n".encode()
    screen.close()


def test_a_reader_that_pauses_delays_nobody_and_is_told_what_it_missed(pipe: tuple[int, TextIO]) -> None:
    """No write waits; what did not fit is counted where it is missing, and then all comes again."""
    screen = Screen(pipe[1])
    count = 2 * WAITING // len(LINE)
    began = time.monotonic()
    for _ in range(count):
        screen.write(LINE)
    assert time.monotonic() - began < 2.0
    *lines, note = read(pipe[0], b" not shown\n").decode().splitlines(keepends=True)
    assert note == f"... {count - len(lines)} lines not shown\n"
    assert set(lines) == {LINE}
    screen.write("again\n")
    assert read(pipe[0], b"again\n") == b"again\n"
    screen.close()


def test_end_does_not_wait_for_a_reader_that_pauses(pipe: tuple[int, TextIO]) -> None:
    """The last words have their time and no more."""
    screen = Screen(pipe[1])
    screen.write(LINE * 5000)
    began = time.monotonic()
    screen.close(0.1)
    assert 0.1 <= time.monotonic() - began < 2.0
    assert read(pipe[0], LINE.encode() * 5000).count(b"\n") == 5000
    screen.close()


def test_reader_that_hangs_up_ends_nothing() -> None:
    """A terminal that was closed."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        screen = Screen(stream)
        for _ in range(100):
            screen.write(LINE)
        screen.close()
        assert screen.write(LINE) == len(LINE)


def test_files_need_none(tmp_path: Path, pipe: tuple[int, TextIO]) -> None:
    """They take what they are given."""
    with (tmp_path / "x").open("w") as file:
        assert not Screen.is_needed(file)
    assert Screen.is_needed(pipe[1])
