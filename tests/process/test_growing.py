"""Files that other programs write: what was added is read once, what was written anew from its beginning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from context_bus.process.growing import LIMIT, WINDOW, Growing, Look


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "feedback.log"


@pytest.fixture
def growing(path: Path) -> Growing:
    """Its reader."""
    return Growing(str(path))


def append(path: Path, text: str) -> None:
    """Add to a file as ``>>`` does."""
    with path.open("a") as file:
        file.write(text)


def test_what_was_added_is_read_once(path: Path, growing: Growing) -> None:
    """A look at what did not change finds nothing."""
    assert growing.look() == Look()
    append(path, "a\n")
    assert growing.look() == Look(True, False, b"a\n")
    assert growing.look() == Look()
    append(path, "b\n")
    assert growing.look() == Look(True, False, b"b\n")


def test_touch_is_a_sign_without_words(path: Path, growing: Growing) -> None:
    """Whoever only touches the file lives."""
    append(path, "a\n")
    growing.look()
    os.utime(path, ns=(1, 1))
    assert growing.look() == Look(True)


@pytest.mark.parametrize("again", ["b\n", "longer than before\n", "a", "a\n"])
def test_file_that_is_written_anew_is_read_anew(path: Path, growing: Growing, again: str) -> None:
    """Whether that is longer, shorter or of the same size; the very same bytes need not be read again."""
    path.write_text("a\n")
    growing.look()
    path.write_text(again)
    os.utime(path, ns=(1, 1))
    look = growing.look()
    assert look == (Look(True) if again == "a\n" else Look(True, True, again.encode()))


def test_large_file_that_is_written_anew_is_known_by_its_ends(path: Path, growing: Growing) -> None:
    """It begins or ends otherwise, though it is as long or longer."""
    old = "x" * (3 * WINDOW)
    for new in ("y" + old[1:], old[:-1] + "y", "y" * 4 * WINDOW):
        path.write_text(old)
        Growing.skip(growing)
        path.write_text(new)
        os.utime(path, ns=(1, 1))
        look = growing.look()
        assert (look.is_anew, look.data) == (True, new.encode())


def test_other_file_in_its_place_is_read_anew(path: Path, growing: Growing) -> None:
    """As programs do that replace a file rather than write it."""
    path.write_text("a\n")
    growing.look()
    (path.parent / "new").write_text("a\nb\n")
    os.replace(path.parent / "new", path)
    assert growing.look().data in {b"a\nb\n", b"b\n"}  # it goes on as the old one did, so either will do


def test_file_that_was_emptied_or_is_gone_says_nothing(path: Path, growing: Growing) -> None:
    """It is about to be written anew; what was read counts until then."""
    path.write_text("a\n")
    growing.look()
    path.write_text("")
    assert not growing.look().is_anew
    path.write_text("b\n")
    assert growing.look() == Look(True, True, b"b\n")
    path.unlink()
    assert growing.look() == Look()
    path.write_text("c\n")
    assert growing.look() == Look(True, True, b"c\n")


def test_flood_is_read_in_pieces(path: Path, growing: Growing) -> None:
    """One look takes so much and says that there is more."""
    path.write_bytes(b"x" * (2 * LIMIT + 1))
    looks = [growing.look() for _ in range(4)]
    assert [(len(each.data), each.has_more) for each in looks] == [
        (LIMIT, True),
        (LIMIT, True),
        (1, False),
        (0, False),
    ]
    assert [each.is_touched for each in looks] == [True, False, False, False]


def test_what_is_skipped_is_not_read(path: Path, growing: Growing) -> None:
    """An older program's words are not this one's, but what is added to them is."""
    path.write_bytes(b"x" * (2 * LIMIT + 1))
    growing.skip()
    assert growing.look() == Look()
    append(path, "a\n")
    assert growing.look() == Look(True, False, b"a\n")


def test_what_is_no_file_is_not_waited_for(path: Path, growing: Growing) -> None:
    """A pipe without a writer, a directory, a device without end."""
    os.mkfifo(path)
    assert growing.look().data == b""
    path.unlink()
    path.mkdir()
    assert growing.look().data == b""
    path.rmdir()
    path.symlink_to("/dev/zero")
    assert growing.look().data == b""
