"""Kill -9 at every statement and commit, and at any moment: what was acknowledged is there, once."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from context_bus.errors import StoreUnavailable
from context_bus.store.address import Address
from tests.store import lives
from tests.store.recording import remembered

#: Steps of a life that ends by itself.
STEPS = 3
#: Lives that end at any moment.
RANDOM_LIVES = 40


def end_of(pid: int) -> int:
    """The signal that ended a child; 0 if it ended well."""
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def check(address: Address, acknowledged: dict[int, list[int]]) -> None:
    """See that the store is sound; one that was killed before it had tables is as good as new."""
    if address.path is not None and address.path.exists():
        with closing(sqlite3.connect(address.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    try:
        lives.assert_consistent(address, acknowledged)
    except StoreUnavailable:
        assert not any(acknowledged.values())


@pytest.mark.slow
def test_killed_at_every_statement(address: Address) -> None:
    """One life after the other on the same store, each killed one statement, result or commit later."""
    stride = 1 if address.path is not None else 4
    acknowledged: dict[int, list[int]] = {}
    for life, hit in enumerate(itertools.count(1, stride)):
        pid, fd = lives.live(address, life, STEPS, hit)
        ended = end_of(pid)
        acknowledged[life] = lives.acknowledged(fd)
        check(address, acknowledged)
        if not ended:
            break
        assert ended == signal.SIGKILL
    assert acknowledged[life] == list(range(STEPS))
    assert life * stride > 50


@pytest.mark.slow
def test_killed_at_any_moment(address: Address) -> None:
    """The parent kills after a random time, while statements, commits and checkpoints run."""
    rng = random.Random(7)
    acknowledged: dict[int, list[int]] = {}
    for life in range(RANDOM_LIVES):
        pid, fd = lives.live(address, life, 100_000, 0)
        first = lives.first_acknowledged(fd, rng.choice([0, 0, 1, 5, 20]))
        time.sleep(rng.uniform(0.0, 0.03))  # not to wait for anything: this is the moment of the kill
        os.kill(pid, signal.SIGKILL)
        assert end_of(pid) == signal.SIGKILL
        acknowledged[life] = first + lives.acknowledged(fd)
        check(address, acknowledged)
    assert remembered(address).services


def test_the_net_holds(sqlite: Address) -> None:
    """An acknowledgement of what was not recorded is noticed: the tests above can fail."""
    pid, fd = lives.live(sqlite, 0, STEPS, 0)
    assert end_of(pid) == 0
    steps = lives.acknowledged(fd)
    lives.assert_consistent(sqlite, {0: steps})
    with pytest.raises(AssertionError):
        lives.assert_consistent(sqlite, {0: [*steps, STEPS]})
    with pytest.raises(AssertionError):
        lives.assert_consistent(sqlite, {0: []})
