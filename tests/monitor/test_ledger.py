"""Records in real databases: what goes in comes out, what is too old or too much goes."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest
import sqlalchemy as sa

from context_bus.errors import NothingRecorded, StoreTooNew, StoreUnavailable
from context_bus.monitor import ledger as ledgers
from context_bus.monitor.buckets import Figures
from context_bus.monitor.ledger import Ledger
from context_bus.monitor.records import Records, Series
from context_bus.store.address import Address
from context_bus.store.engine import make_engine
from context_bus.store.migrations import meta
from tests.monitor.samples import sample


@pytest.fixture
def ledger(address: Address):  # a generator of what its name says
    made = Ledger(address)
    yield made
    made.close()


def test_what_is_written_is_read(ledger: Ledger, address: Address) -> None:
    """Of each series from when to when and how many; summed up by intervals."""
    ledger.write("T1", [sample("a", at, cpu=at * 100) for at in range(100, 160)])
    ledger.write("T1", [sample("b", 150.0), sample("a", 160.0, None, None, 0)])
    ledger.write("T2", [sample("a", 500.0)])
    ledger.write("T2", [sample("a", 500.0, cpu=7)])  # the same moment again changes nothing
    with Records(address) as records:
        assert records.series() == (
            Series("T2", "a", 1, 500.0, 500.0),
            Series("T1", "a", 61, 100.0, 160.0),
            Series("T1", "b", 1, 150.0, 150.0),
        )
        assert {each.samples for each in records.series(counted=False)} == {0}
        rows = records.history("a", "T1", 100.0, 170.0, 30.0)
        assert [(row.at, row.samples, row.gone) for row in rows] == [
            (90.0, 20, 0),
            (120.0, 30, 0),
            (150.0, 11, 1),
        ]
        assert rows[1].cpu == Figures(120.0, 134.5, 148.0, 149.0)
        assert rows[1].rss == Figures(1.0, 1.0, 1.0, 1.0)
        assert rows[2].cpu == Figures(150.0, 154.5, 159.0, 159.0)
        assert records.history("a", "T1", 120.0, 130.0, 60.0)[0].samples == 10
        assert records.history("z", "T1", 0.0, 1000.0, 60.0) == []


def test_what_is_too_old_goes_in_small_portions(
    ledger: Ledger, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn deletes so much and no more; series of which nothing is left are forgotten."""
    monkeypatch.setattr(ledgers, "PORTION", 10)
    monkeypatch.setattr(ledgers, "TURN", 3)
    ledger.write("T1", [sample("a", at) for at in range(100)])
    ledger.write("T1", [sample(f"s{number}", 50.0) for number in range(20)])
    turns = [ledger.prune(60_000, 2**30) for _ in range(3)]
    assert turns == [False, False, False]
    with Records(address) as records:
        assert records.series()[0].samples < 100
    while not ledger.prune(60_000, 2**30):
        turns.append(False)
    assert len(turns) < 30
    with Records(address) as records:
        assert records.series() == (Series("T1", "a", 40, 60.0, 99.0),)


def test_a_series_that_was_forgotten_is_known_again(ledger: Ledger, address: Address) -> None:
    """Another monitor may have deleted it meanwhile."""
    ledger.write("T1", [sample("a", 1.0)])
    other = Ledger(address)
    assert other.prune(2_000, 2**30)
    other.close()
    ledger.write("T1", [sample("a", 3.0)])
    with Records(address) as records:
        assert records.series() == (Series("T1", "a", 1, 3.0, 3.0),)


def test_a_file_stays_within_its_limit(sqlite: Address) -> None:
    """The oldest go first, what is young stays, and what was deleted is used again."""
    made, limit = Ledger(sqlite), 300_000
    now = time.time()
    for part in range(40):
        made.write("T", [sample("a", now + part * 500 + each, rss=each * 7) for each in range(500)])
        while not made.prune(0, limit):
            pass
    made.close()
    assert sqlite.path is not None
    assert sqlite.path.stat().st_size < limit + 200_000
    with Records(sqlite) as records:
        (kept,) = records.series()
    assert kept.last == pytest.approx(now + 40 * 500 - 1, abs=0.01)
    assert 4_000 < kept.samples < 20_000


def test_a_sample_takes_few_bytes(sqlite: Address) -> None:
    """A service that is looked at once a second takes less than 25 MB a week."""
    made = Ledger(sqlite)
    made.write("T", [sample("a", 1.79e9 + each, 1234 + each % 100, 70_000 + each) for each in range(50_000)])
    made.close()
    with closing(sqlite3.connect(str(sqlite.path))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert sqlite.path is not None
    assert sqlite.path.stat().st_size / 50_000 < 41


def test_a_file_that_was_deleted_is_made_anew(sqlite: Address) -> None:
    """What is written into a file without a name is lost."""
    made = Ledger(sqlite)
    made.write("T", [sample("a", 1.0)])
    assert sqlite.path is not None
    for each in sqlite.path.parent.glob("monitor.sqlite*"):
        each.unlink()
    made.write("T", [sample("a", 2.0)])
    made.close()
    with Records(sqlite) as records:
        assert records.series() == (Series("T", "a", 1, 2.0, 2.0),)


def test_tables_of_a_later_version_are_refused(ledger: Ledger, address: Address) -> None:
    """Neither written nor read."""
    ledger.write("T", [sample()])
    ledger.close()
    engine = make_engine(address)
    with engine.begin() as connection:
        connection.execute(sa.update(meta).where(meta.c.component == "monitor").values(version=99))
    engine.dispose()
    with pytest.raises(StoreTooNew):
        ledger.write("T", [sample()])
    with Records(address) as records, pytest.raises(StoreTooNew):
        records.series()


def test_no_records_is_one_line_with_the_remedy(address: Address) -> None:
    """Whether there is no file or only a provider's tables."""
    with (
        Records(address) as records,
        pytest.raises(NothingRecorded, match=r"nothing is recorded yet.*store_records"),
    ):
        records.series()


def test_a_broken_file_is_one_line(sqlite: Address) -> None:
    """It says which file."""
    assert sqlite.path is not None
    sqlite.path.write_bytes(b"rubbish" * 1000)
    with (
        Records(sqlite) as records,
        pytest.raises(StoreUnavailable, match=r"monitor\.sqlite cannot be read: "),
    ):
        records.series()
