"""Learn that any of several files was written, by one descriptor."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.process.writes import Writes


@pytest.fixture
def writes() -> Iterator[Writes]:
    with Writes() as made:
        yield made


def is_readable(writes: Writes) -> bool:
    return bool(select.select([writes], [], [], 0)[0])


def test_each_of_several_files_is_told_of(tmp_path: Path, writes: Writes) -> None:
    """In whatever directories: written, appended to, made, replaced, touched, deleted."""
    one, two = tmp_path / "one", tmp_path / "deep/two"
    two.parent.mkdir()
    writes.watch([one, two])
    assert (writes.take(), writes.is_blind) == (False, False)
    for change in (
        lambda: one.write_text("a"),
        lambda: two.write_text("b"),
        lambda: two.write_text("bb"),
        lambda: os.utime(one),
        lambda: os.replace(two, one),
        lambda: one.unlink(),
    ):
        change()
        assert is_readable(writes)
        assert writes.take()
        assert not is_readable(writes)
        assert not writes.take()


def test_neighbours_are_not_told_of(tmp_path: Path, writes: Writes) -> None:
    """They wake whoever waits, who learns that it was nothing."""
    writes.watch([tmp_path / "one"])
    (tmp_path / "two").write_text("a")
    assert not writes.take()


def test_what_is_meant_can_change(tmp_path: Path, writes: Writes) -> None:
    """What was meant before is not any more, in the same directory and in another."""
    one, two, other = tmp_path / "one", tmp_path / "two", tmp_path / "other/three"
    other.parent.mkdir()
    writes.watch([one, other])
    writes.watch([two])
    writes.take()
    one.write_text("a")
    other.write_text("a")
    assert not writes.take()
    two.write_text("a")
    assert writes.take()


def test_blind_for_a_directory_that_is_not_there(tmp_path: Path, writes: Writes) -> None:
    """Whoever waits is to look again some time; what is there is told of all the same."""
    far = tmp_path / "far/one"
    writes.watch([tmp_path / "one", far])
    assert writes.is_blind
    (tmp_path / "one").write_text("a")
    assert writes.take()
    far.parent.mkdir()
    writes.watch([tmp_path / "one", far])
    assert not writes.is_blind


def test_directory_that_goes_is_told_of(tmp_path: Path, writes: Writes) -> None:
    """And is watched again when it has come back."""
    one = tmp_path / "deep/one"
    one.parent.mkdir()
    writes.watch([one])
    one.parent.rmdir()
    assert writes.take()
    assert writes.is_blind
    one.parent.mkdir()
    writes.watch([one])
    one.write_text("a")
    assert writes.take()


def test_kernel_that_grants_nothing_makes_blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No error: there is a descriptor less to wait for."""
    import inotify_simple

    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(inotify_simple, "INotify", refuse)
    with Writes() as writes:
        writes.watch([tmp_path / "one"])
        assert (writes.is_blind, writes.fileno(), writes.take()) == (True, -1, False)
