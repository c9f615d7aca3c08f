"""One provider for each context file: who holds the lock is named, and whatever ends it frees the lock."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from context_bus.errors import StoreLocked, StoreTooNew, StoreUnavailable
from context_bus.store import lock
from context_bus.store.place import Place, place_of
from tests.store import holder


@contextmanager
def held(place: Place, child: str = "") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process holds the lock of a place; with the pid of its child, or 0."""
    command = [sys.executable, "-m", holder.__name__, place.file, child]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        word, pid = process.stdout.readline().split()
        assert word == "held"
        try:
            yield process, int(pid)
        finally:
            process.kill()
            if int(pid):
                os.kill(int(pid), signal.SIGKILL)


def test_the_holder_is_named(place: Place) -> None:
    """The line says which process provides the context, since when, and how to stop it."""
    with held(place) as (process, _):
        with pytest.raises(StoreLocked) as caught:
            lock.take(place)
        text = str(caught.value)
        assert text.startswith(f"{place.file}: process {process.pid} already provides this context (since ")
        assert text.endswith(f"; stop it with `kill {process.pid}`")
        assert caught.value.pid == process.pid


@pytest.mark.parametrize("child", ["", "exec", "fork"])
def test_the_lock_dies_with_its_holder(place: Place, child: str) -> None:
    """SIGKILL frees it at once, and no child that lives on holds it, executed or only forked."""
    with held(place, child) as (process, pid):
        process.kill()
        process.wait()
        lock.take(place).release()
        if pid:
            os.kill(pid, 0)


def test_the_lock_is_taken_once_and_released_once(place: Place) -> None:
    """The same process cannot hold it twice either; a released lock is free for anybody."""
    first = lock.take(place)
    with pytest.raises(StoreLocked, match=f"process {os.getpid()} "):
        lock.take(place)
    first.release()
    first.release()
    with held(place):
        pass
    lock.take(place).release()


@pytest.mark.parametrize("content", ["", "garbage", "1 2", "999999999 5 17.5\n", "\0" * 100])
def test_what_a_dead_holder_left_means_nothing(place: Place, content: str) -> None:
    """Only the kernel says whether it is held; a file that is left behind is taken over."""
    place.lock.write_text(content)
    taken = lock.take(place)
    assert place.lock.read_text().split()[0] == str(os.getpid())
    taken.release()


def test_a_lock_without_a_directory_is_one_line(place: Place) -> None:
    """The remedy is another state directory."""
    with pytest.raises(StoreUnavailable, match="--state DIR"):
        lock.take(place_of(place.directory / "none" / "main.xml"))


def test_errors_of_the_store_cross_processes() -> None:
    """They pickle with their fields, and have the exit code of their family."""
    for error in (
        StoreLocked("main.xml", 12, "10:03:07"),
        StoreTooNew("store.sqlite", "provider", 7, 3),
        StoreUnavailable("gone"),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
        assert copy.exit_code == 9
