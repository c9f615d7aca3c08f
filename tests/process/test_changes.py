"""Learn that the file at a path was written."""

from __future__ import annotations

import contextlib
import math
import os
import resource
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from context_bus.process.changes import FileChanges

#: Seconds of rest after something was taken.
PAUSE = 0.25


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "file"


@pytest.fixture
def changes(path: Path) -> Iterator[FileChanges]:
    with FileChanges(PAUSE) as made:
        made.watch(str(path))
        yield made


def is_readable(changes: FileChanges) -> bool:
    return bool(select.select([changes], [], [], 0)[0])


def rest(changes: FileChanges, now: float) -> float:
    """Take until nothing comes any more; returns the time then."""
    while is_readable(changes) or changes.next_time < math.inf:
        now = max(now, min(changes.next_time, now + 1))
        changes.take(now)
    return now


def make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")


def test_writing_is_told_and_then_there_is_rest(path: Path, changes: FileChanges) -> None:
    """The descriptor is silent for a pause, however much comes; then what came meanwhile is told at once."""
    make(path)
    now = rest(changes, 0.0)
    with path.open("a") as file:
        file.write("a")
        file.flush()
        assert is_readable(changes)
        assert changes.take(now)
        for _ in range(1000):
            file.write("b")
            file.flush()
    assert not is_readable(changes)
    assert changes.next_time == now + PAUSE
    assert not changes.take(now + PAUSE / 2)
    assert changes.take(now + PAUSE)
    assert not is_readable(changes)
    assert not changes.take(now + 2 * PAUSE)
    assert changes.next_time == math.inf
    path.write_text("c")
    assert is_readable(changes)


def test_a_flood_makes_few_wakes(path: Path, changes: FileChanges) -> None:
    """A hundred thousand writes over ten seconds of which each lets the watcher look: 40 takes."""
    make(path)
    now = rest(changes, 0.0)
    end, takes = now + 10.0, 0
    with path.open("a", buffering=1) as file:
        for _ in range(100_000):
            now += 0.0001
            file.write("[progress]1\n")
            if is_readable(changes) or now >= changes.next_time:
                assert changes.take(now)
                takes += 1
    assert now == pytest.approx(end, abs=0.01)
    assert 38 <= takes <= 42


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("")
    other.rename(path)


def move_away(path: Path) -> None:
    path.rename(path.with_name("away"))
    path.write_text("")


def remove_directory(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()
    path.parent.parent.rmdir()
    make(path)


CHANGES = (make, replace, move_away, Path.unlink, remove_directory)


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.__name__)
def test_whatever_happens_to_the_path_is_told_and_followed(
    path: Path, changes: FileChanges, change: Callable[[Path], None]
) -> None:
    """Come, gone, replaced, moved, directory and all: the descriptor says so, and the path is followed."""
    if change is not make:
        make(path)
    now = rest(changes, 0.0)
    change(path)
    assert is_readable(changes)
    rest(changes, now)
    if path.exists():
        path.write_text("x")
    else:
        make(path)
    assert is_readable(changes)


def test_a_file_that_is_written_elsewhere_is_none_of_ours(path: Path, changes: FileChanges) -> None:
    """One that was moved away, or lies beside it."""
    make(path)
    rest(changes, 0.0)
    path.rename(path.with_name("away"))
    make(path)
    rest(changes, 0.0)
    path.with_name("away").write_text("x")
    path.with_name("beside").write_text("x")
    assert not is_readable(changes)


def test_touching_is_told(path: Path, changes: FileChanges) -> None:
    """Even if the file has the same times as before: those of many kernels advance in steps."""
    make(path)
    os.utime(path, (1.0, 1.0))
    now = rest(changes, 0.0)
    os.utime(path, (1.0, 1.0))
    assert is_readable(changes)
    assert changes.take(now)


def test_more_than_the_kernel_can_remember_is_told_all_the_same(path: Path, changes: FileChanges) -> None:
    """Its queue overflows when different things happen in turn."""
    make(path)
    now = rest(changes, 0.0)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(limit + 2):
        os.chmod(path, 0o600 + number % 2)
        os.truncate(path, number % 2)
    assert changes.take(now)


def test_without_a_watch_it_is_time_to_look_once_in_a_pause(path: Path) -> None:
    """As when the user's instances of inotify are used up; as soon as there is one it is used."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with FileChanges(PAUSE) as changes:
        with contextlib.ExitStack() as stack:
            stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
            changes.watch(str(path))
            assert changes.next_time == -math.inf
            assert not changes.take(1.0)
            assert changes.next_time == 1.0 + PAUSE
            assert not changes.take(1.0 + PAUSE)
            assert changes.next_time == 1.0 + 2 * PAUSE
        changes.take(2.0)
        assert changes.next_time == math.inf
        make(path)
        assert is_readable(changes)


def test_before_it_watches_it_says_nothing() -> None:
    """It may be polled all the same, and closed more than once."""
    with FileChanges(PAUSE) as changes:
        assert not is_readable(changes)
        assert not changes.take(1.0)
        assert changes.next_time == math.inf
        changes.close()


def test_what_comes_while_a_watch_is_looked_for_is_found(tmp_path: Path) -> None:
    """A directory that is made between two attempts must not be waited for, for it is there already."""
    barrier = threading.Barrier(2)
    paths = [tmp_path / str(number) / "a" / "b" / "c" / "file" for number in range(100)]

    def make_all() -> None:
        for path in paths:
            barrier.wait(10)
            make(path)
            barrier.wait(10)

    maker = threading.Thread(target=make_all)
    maker.start()
    deaf = []
    for path in paths:
        with FileChanges(PAUSE) as changes:
            barrier.wait(10)
            changes.watch(str(path))
            barrier.wait(10)
            if not is_readable(changes):
                path.write_text("x")
                deaf += [] if is_readable(changes) else [path]
    maker.join()
    assert not deaf


def test_no_program_is_asked_where_the_c_library_is(path: Path) -> None:
    """A watcher would take it for a process of its task, and wait for it."""
    code = f"""if True:
        import sys
        from context_bus.process.changes import FileChanges
        sys.addaudithook(lambda event, _: event == "subprocess.Popen" and print(event))
        with FileChanges(1.0) as changes:
            changes.watch({str(path)!r})
            print(changes.next_time)
    """
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "inf\n"
