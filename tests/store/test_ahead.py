"""What is recorded survives before the database has it, and is taken over once."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from context_bus.store import ahead
from context_bus.store.address import Address
from context_bus.store.ahead import SUFFIX, Ahead
from context_bus.store.changes import Change, EventHappened, RunBegan, Wanted
from context_bus.store.recorder import Recorder
from context_bus.store.run import Run
from context_bus.store.scribe import Limits
from tests.store import lives
from tests.store.recording import QUICK, event, recording, remembered, run, wanted

#: Of a recorder that leaves the database alone for longer than any of these tests takes.
LAZY = Limits(leisure=1000.0, linger=1000.0)
#: Of one whose commits lie among what is recorded.
BUSY = Limits(leisure=0.0, linger=0.001)
STEPS = 4
RANDOM_LIVES = 30


def beside(address: Address) -> Path:
    """The file."""
    assert address.path is not None
    return address.path.with_name(address.path.name + SUFFIX)


def killed(pid: int) -> bool:
    """Wait for a life to end; whether it was killed."""
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_durable_before_there_is_a_database(sqlite: Address) -> None:
    """A provider is killed before it has opened its store: the next one has all, and counts on."""
    pid, fd = lives.live(sqlite, 0, 1000, 0, LAZY)
    first = lives.first_acknowledged(fd, 3)
    os.kill(pid, signal.SIGKILL)
    assert killed(pid)
    done = first + lives.acknowledged(fd)
    assert sqlite.path is not None
    assert not sqlite.path.exists()
    found = remembered(sqlite)
    assert found.run == 2
    assert {row.service_id for row in found.services} == {"s0", "s1", "s2"}
    lives.assert_consistent(sqlite, {0: done})


@pytest.mark.slow
def test_killed_at_every_write(sqlite: Address) -> None:
    """One life after the other, each killed one write, rename, statement or commit later than the last."""
    acknowledged: dict[int, list[int]] = {}
    for life, hit in enumerate(itertools.count(1)):
        pid, fd = lives.live(sqlite, life, STEPS, hit, BUSY)
        was_killed = killed(pid)
        acknowledged[life] = lives.acknowledged(fd)
        lives.assert_consistent(sqlite, acknowledged)
        if not was_killed:
            break
    assert acknowledged[life] == list(range(STEPS))
    assert life > 60


@pytest.mark.slow
def test_killed_at_any_moment(sqlite: Address) -> None:
    """The parent kills after a random time, while lines are written and commits run."""
    rng = random.Random(11)
    acknowledged: dict[int, list[int]] = {}
    for life in range(RANDOM_LIVES):
        pid, fd = lives.live(sqlite, life, 100_000, 0, BUSY)
        first = lives.first_acknowledged(fd, rng.choice([0, 1, 5, 20]))
        time.sleep(rng.uniform(0.0, 0.03))  # not to wait for anything: this is the moment of the kill
        os.kill(pid, signal.SIGKILL)
        assert killed(pid)
        acknowledged[life] = first + lives.acknowledged(fd)
        lives.assert_consistent(sqlite, acknowledged)


def test_the_net_holds(sqlite: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that forgets a line is noticed: the tests above can fail."""
    true_line = ahead._line
    monkeypatch.setattr(ahead, "_line", lambda one: b"" if isinstance(one, EventHappened) else true_line(one))
    pid, fd = lives.live(sqlite, 0, 1000, 0, LAZY)
    first = lives.first_acknowledged(fd, 3)
    os.kill(pid, signal.SIGKILL)
    assert killed(pid)
    with pytest.raises(AssertionError):
        lives.assert_consistent(sqlite, {0: first + lives.acknowledged(fd)})


def end_well(address: Address, *changes: Change) -> Recorder:
    """A run that leaves nothing to bring back."""
    recorder = Recorder(address, Run(1, 2, "boot", 3.0), limits=QUICK)

    async def main() -> None:
        recorder.start()
        await recorder.opened()
        for change in changes:
            recorder.record(change)
        assert await recorder.close(leaves_nothing=True) == 0

    run(main())
    return recorder


def test_after_an_orderly_end_nobody_waits_for_the_database(sqlite: Address) -> None:
    """What the next run has to know stands beside it, and its number is that of the database."""
    end_well(sqlite, event(7))

    async def main() -> None:
        async with recording(sqlite, limits=LAZY) as (recorder, found):
            assert (found.run, found.last_sequence) == (2, 7)
            recorder.record(wanted("s1"))

    run(main())
    found = remembered(sqlite)
    assert (found.run, [row.service_id for row in found.services]) == (3, ["s1"])


def test_a_word_of_rest_counts_once(sqlite: Address) -> None:
    """Once the next run has begun, only the database knows what is to be brought back."""
    end_well(sqlite)

    async def main() -> None:
        async with recording(sqlite, limits=LAZY):
            assert Ahead(sqlite.path or Path()).rest() is None

    run(main())


@pytest.mark.parametrize(
    "word", [b"", b"{}\n", b'{"version":"none","run":5,"last_sequence":9}\n', b"\xff\n", b"7"]
)
def test_a_word_of_rest_of_another_kind_does_not_count(sqlite: Address, word: bytes) -> None:
    """Another version, or anything else in the file: then the database is read."""
    end_well(sqlite, wanted("s1"))
    beside(sqlite).write_bytes(word)
    found = remembered(sqlite)
    assert (found.run, [row.service_id for row in found.services]) == (2, ["s1"])


def test_a_deleted_database_is_new_whatever_stands_beside_it(sqlite: Address) -> None:
    """Its runs are counted from one again."""
    end_well(sqlite)
    assert sqlite.path is not None
    sqlite.path.unlink()
    assert remembered(sqlite).run == 1


def test_what_cannot_be_read_costs_no_other(sqlite: Address, caplog: pytest.LogCaptureFixture) -> None:
    """A line cut off, and lines of another version, are left out; those that count are logged."""
    end_well(sqlite)
    lines = [
        b'["RunBegan",{"run":8,"pid":1,"ticks":2,"boot_id":"b","at":3.0}]',
        b'["Unknown",{"a":1}]',
        b'["Wanted",{"transaction":"T"}]',
        b'["Wanted",{"transaction":"T","service_id":"s1","wanted":"up","at":1.0}]',
        b'["Wanted",{"transaction":"T","service_id":"s2","wan',
    ]
    beside(sqlite).write_bytes(b"\n".join(lines))
    found = remembered(sqlite)
    assert (found.run, [row.service_id for row in found.services]) == (9, ["s1"])
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def failing(function: Callable[..., int], times: int) -> Callable[..., int]:
    """A write that finds no space so many times."""
    left = itertools.count(times, -1)

    def write(*args: int) -> int:
        if next(left) > 0:
            raise OSError(28, "No space left on device")
        return function(*args)

    return write


def test_what_finds_no_space_waits_for_the_database(sqlite: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what comes after it, until the database has all; then the file is used again."""

    async def main() -> None:
        async with recording(sqlite, limits=Limits(leisure=0.0)) as (recorder, _):
            await recorder.flushed()
            called: list[int] = []
            with monkeypatch.context() as patched:
                patched.setattr(ahead.os, "write", failing(os.write, 1))
                recorder.record(wanted("s1"))
            recorder.record(wanted("s2"))
            recorder.when_durable(lambda: called.append(1))
            assert not called
            await recorder.flushed()
            assert called == [1]
            recorder.record(wanted("s3"))
            recorder.when_durable(lambda: called.append(2))
            assert called == [1, 2]

    run(main())
    assert [row.service_id for row in remembered(sqlite).services] == ["s1", "s2", "s3"]


def test_the_file_stays_small(sqlite: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the database has is taken out, also while more is recorded all the time."""
    monkeypatch.setattr(ahead, "LARGE", 10_000)

    async def main() -> None:
        async with recording(sqlite) as (recorder, _):
            for number in range(200):
                for each in range(20):
                    recorder.record(event(1 + 20 * number + each))
                await recorder.flushed()
                assert beside(sqlite).stat().st_size < 20_000

    run(main())


def test_every_kind_of_change_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Text of any kind, and what is None."""
    changes: list[Change] = [RunBegan(1, 2, 3, "b", 4.5), wanted("ä\n\"'", conf=None), event(3)]
    file = Ahead(tmp_path / "store")
    file.begin(changes[0], 0, [])
    for change in changes[1:]:
        file.append(change)
    file.close()
    assert Ahead(tmp_path / "store").earlier([RunBegan, Wanted, EventHappened]) == changes
    assert oct((tmp_path / f"store{SUFFIX}").stat().st_mode & 0o777) == "0o600"
