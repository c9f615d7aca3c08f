"""The thread that keeps samples: commits are few, nothing waits for it, trouble is told and survived."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from context_bus.errors import NothingRecorded
from context_bus.monitor import keeper as keepers
from context_bus.monitor.keeper import Keeper, Keeping
from context_bus.monitor.records import Records
from context_bus.store.address import Address
from context_bus.testing.wait import wait_until
from tests.monitor.samples import sample

#: Seconds in which everything here happens on a busy machine.
SOON = 20.0
#: For a week, and all that fits.
LONG = Keeping(7 * 86400.0, 2**30)
#: Without a rest between two commits.
QUICK = Keeping(7 * 86400.0, 2**30, commit_every=0.01, prune_every=0.01)


def kept(address: Address) -> int:
    """How many samples there are."""
    with Records(address) as records:
        try:
            return sum(each.samples for each in records.series())
        except NothingRecorded:  # not made yet
            return 0


@contextmanager
def keeping(address: Address, how: Keeping, told: list[tuple[str, int]] | None = None) -> Iterator[Keeper]:
    """A keeper until the end of the block."""
    heard = told if told is not None else []
    made = Keeper(address, "T", how, lambda reason, lost: heard.append((reason, lost)))
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_the_end_keeps_what_is_left(address: Address) -> None:
    """A monitor that stops loses nothing, and need not wait for the next commit."""
    now = time.time()
    began = time.monotonic()
    with keeping(address, Keeping(7 * 86400.0, 2**30, commit_every=3600.0)) as keeper:
        for number in range(50):
            keeper.keep([sample("a", now + number)])
        wait_until(lambda: kept(address), SOON, "first commit")
        keeper.keep([sample("a", now + 50)])
    assert kept(address) == 51
    assert time.monotonic() - began < 30.0


def test_commits_are_few(sqlite: Address) -> None:
    """At most one a second, whatever comes."""
    now = time.time()
    commits = set()
    with keeping(sqlite, Keeping(7 * 86400.0, 2**30, commit_every=0.5)) as keeper:
        began = time.monotonic()
        while time.monotonic() - began < 2.0:
            keeper.keep([sample("a", now + time.monotonic())])
            commits.add(kept(sqlite))
    assert len(commits) <= 2.0 / 0.5 + 2


def test_a_lock_delays_nobody_and_costs_nothing(sqlite: Address) -> None:
    """Somebody else has the file for himself; what comes meanwhile is kept, and it is told once."""
    told: list[tuple[str, int]] = []
    now = time.time()
    with keeping(sqlite, QUICK, told) as keeper:
        keeper.keep([sample("a", now)])
        wait_until(lambda: kept(sqlite) == 1, SOON, "first commit")
        with closing(sqlite3.connect(str(sqlite.path), isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            began = time.perf_counter()
            for number in range(1, 1001):
                keeper.keep([sample("a", now + number)])
            assert time.perf_counter() - began < 1.0
            wait_until(lambda: told, SOON, "told")
        wait_until(lambda: len(told) == 2, SOON, "recovered")
    assert "takes nothing: database is locked" in told[0][0]
    assert told[1] == ("", 0)
    assert kept(sqlite) == 1001


def test_a_full_disk_is_told_and_survived(sqlite: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot wait any longer goes, the oldest first, and is counted."""
    monkeypatch.setattr(keepers, "PENDING", 200)
    told: list[tuple[str, int]] = []
    now = time.time()
    from context_bus.monitor import ledger as ledgers

    made = ledgers.make_engine
    is_full = [True]

    def small(address: Address) -> object:
        import sqlalchemy as sa

        engine = made(address)
        # SQLite itself refuses to grow, as on a full disk.
        sa.event.listen(
            engine,
            "connect",
            lambda connection, _: connection.execute(
                f"PRAGMA max_page_count={4 if is_full[0] else 1_000_000}"
            ).close(),
        )
        return engine

    monkeypatch.setattr(ledgers, "make_engine", small)
    with keeping(sqlite, QUICK, told) as keeper:
        for number in range(2000):
            keeper.keep([sample("a", now + number)])
        wait_until(lambda: told, SOON, "told")
        is_full[0] = False
        wait_until(lambda: len(told) > 1, SOON, "recovered")
    assert "full" in told[0][0]
    assert len(told) == 2
    reason, lost = told[1]
    assert reason == ""
    assert lost > 0
    assert kept(sqlite) + lost == 2000


def test_what_is_too_old_is_pruned_while_it_works(sqlite: Address) -> None:
    """Without anybody's doing."""
    now = time.time()
    with keeping(sqlite, Keeping(100.0, 2**30, 0.01, 0.01)) as keeper:
        keeper.keep([sample("a", now - 1000 + number) for number in range(1000)])
        wait_until(lambda: 0 < kept(sqlite) <= 101, SOON, lambda: f"{kept(sqlite)} to be pruned")


KEEP_FOR_EVER = """
import sys, time
from context_bus.monitor.keeper import Keeper, Keeping
from context_bus.monitor.place import address_for
from tests.monitor.samples import sample

keeper = Keeper(address_for("f", sys.argv[1]), "T", Keeping(7 * 86400.0, 2**30), print)
keeper.start()
number = 0
while True:
    keeper.keep([sample("a", time.time()), sample("b", time.time())])
    number += 1
    print(time.time(), flush=True)
    time.sleep(0.02)
"""


@pytest.mark.parametrize("moment", [0.3, 1.1, 2.7])
def test_a_kill_leaves_a_file_that_lacks_no_more_than_a_second(sqlite: Address, moment: float) -> None:
    """At any moment."""
    assert sqlite.path is not None
    command = [sys.executable, "-c", KEEP_FOR_EVER, str(sqlite.path.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            wait_until(lambda: kept(sqlite), SOON, "first commit")
            until = time.monotonic() + moment
            said: list[str] = []
            while time.monotonic() < until:
                said.append(process.stdout.readline())
        finally:
            os.kill(process.pid, signal.SIGKILL)
        last = float([*said, *process.stdout.readlines()][-1])
    with closing(sqlite3.connect(str(sqlite.path))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Records(sqlite) as records:
        found = records.series()
    assert len(found) == 2
    # A second between two commits, and what a busy machine adds to it.
    assert all(last - each.last < 1.0 + 0.75 for each in found)
