"""Whatever is recorded, however it is batched, failed and repeated: the rows are as if one by one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context_bus.store.address import Address
from context_bus.store.backlog import Backlog
from context_bus.store.changes import (
    Change,
    Forgotten,
    ProcessBegan,
    ProcessEnded,
    ProcessReady,
    StateChanged,
    TransactionOpened,
    Wanted,
    Wish,
)
from context_bus.store.records import Reader
from context_bus.store.run import Run
from context_bus.store.schema import core
from context_bus.store.writer import Writer
from tests.store.recording import began, event, state, wanted

_SERVICES = st.sampled_from(["s1", "s2"])
_NAMES = st.sampled_from(["p1", "p2", "p3"])
_TIMES = st.integers(1, 99).map(float)
_CHANGES = st.one_of(
    st.builds(wanted, _SERVICES, st.sampled_from(Wish), st.sampled_from([None, "{}", "[]"]), _TIMES),
    st.builds(state, _SERVICES, st.sampled_from(["a", "b"]), st.sampled_from([None, "[1]", "[2]"]), _TIMES),
    st.builds(began, _NAMES, _SERVICES, _TIMES),
    st.builds(ProcessReady, _NAMES, _TIMES),
    st.builds(ProcessEnded, _NAMES, _TIMES, st.integers(0, 3)),
    st.builds(event, st.integers(1, 20)),
    st.builds(TransactionOpened, st.just("T"), st.sampled_from(["c1", "c2"]), st.just("n"), _TIMES),
    st.builds(Forgotten, st.just("T"), st.sampled_from(["", "s1", "s2"])),
)
#: What happens next: a change, a batch that is written, one that fails before it is written, or after it.
_STEPS = st.lists(st.one_of(_CHANGES, _CHANGES, _CHANGES, st.sampled_from(["write", "fail", "unknown"])))


@dataclass
class Model:
    """The rows, in plain dictionaries."""

    transactions: dict[str, str] = field(default_factory=dict)
    services: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)
    processes: dict[str, tuple[str, float | None, float | None, int | None]] = field(default_factory=dict)
    events: set[int] = field(default_factory=set)

    def apply(self, change: Change) -> None:
        """Do what a change says."""
        match change:
            case TransactionOpened():
                self.transactions.setdefault(change.name, change.context_id)
            case Wanted():
                _, conf, word, restarts = self.services.get(change.service_id, ("", "", "", ""))
                conf = conf if change.conf is None else change.conf
                self.services[change.service_id] = (change.wanted, conf, word, restarts)
            case StateChanged():
                wish, conf, _, restarts = self.services.get(change.service_id, ("none", "", "", ""))
                restarts = restarts if change.restarts is None else change.restarts
                self.services[change.service_id] = (wish, conf, change.state, restarts)
            case Forgotten(_, ""):
                self.services.clear()
                self.transactions.clear()
            case Forgotten():
                self.services.pop(change.service_id, None)
            case _:
                self._apply_history(change)

    def _apply_history(self, change: Change) -> None:
        values = change.values()
        name = str(values.get("id"))
        if "sequence" in values:
            self.events.add(int(str(values["sequence"])))
        elif "pid" in values:
            self.processes.setdefault(name, (str(values["service_id"]), None, None, None))
        elif name in self.processes:
            service, ready, ended, code = self.processes[name]
            if isinstance(change, ProcessEnded):
                ended, code = change.at, change.exit_code
            elif isinstance(change, ProcessReady):
                ready = change.at
            self.processes[name] = (service, ready, ended, code)


def rows_of(address: Address) -> Model:
    """The rows of a store in the form of the model."""
    with Reader(address) as reader:
        found = reader.load()
        return Model(
            {row.name: row.context_id for row in found.transactions},
            {row.service_id: (row.wanted, row.conf, row.state, row.restarts) for row in found.services},
            {row.id: (row.service_id, row.ready_at, row.ended_at, row.exit_code) for row in reader.history()},
            {row.sequence for row in reader.events()},
        )


def sensible(steps: list[Change | str]) -> list[Change | str]:
    """Without what no provider says: the readiness or the end of a process that has not begun."""
    begun: set[str] = set()
    kept: list[Change | str] = []
    for step in steps:
        if isinstance(step, ProcessBegan):
            begun.add(step.id)
        if not isinstance(step, ProcessReady | ProcessEnded) or step.id in begun:
            kept.append(step)
    return kept


@settings(max_examples=60, deadline=None)
@given(_STEPS.map(sensible))
def test_the_rows_are_as_if_written_one_by_one(steps: list[Change | str]) -> None:
    """In any batches, and when a batch is written a second time because nobody knew that it came through."""
    with tempfile.TemporaryDirectory() as directory:
        address = Address("main.xml", Path(directory, "store.sqlite"))
        writer, backlog, model = Writer(address, [core()]), Backlog(100), Model()
        writer.begin(Run(1, 2, "boot", 3.0))
        changes = [step for step in steps if isinstance(step, Change)]
        for change in changes:
            model.apply(change)
        for step in [*steps, "write"]:
            if isinstance(step, Change):
                backlog.add(step)
            elif len(backlog):
                batch = backlog.take()
                assert batch is not None
                if step != "fail":
                    writer.write(batch.in_order())
                if step != "write":
                    backlog.restore(batch)
        writer.close()
        assert rows_of(address) == model


def test_a_process_begins_before_it_ends(sqlite: Address) -> None:
    """Changes of one kind are written together, but no end before the beginning that it belongs to."""
    writer = Writer(sqlite, [core()])
    writer.begin(Run(1, 2, "boot", 3.0))
    writer.write([began("p1")])
    writer.write([ProcessEnded("p1", 5.0), began("p2"), ProcessReady("p2", 6.0), ProcessEnded("p2", 7.0)])
    writer.close()
    assert {name: row[1:3] for name, row in rows_of(sqlite).processes.items()} == {
        "p1": (None, 5.0),
        "p2": (6.0, 7.0),
    }


def test_a_batch_written_twice_is_there_once(sqlite: Address, caplog: pytest.LogCaptureFixture) -> None:
    """And no change of it is taken for one that cannot be written."""
    writer = Writer(sqlite, [core()])
    writer.begin(Run(1, 2, "boot", 3.0))
    changes = [
        TransactionOpened("T", "c", "n", 1.0),
        wanted("s1"),
        began("p1"),
        event(1),
        Forgotten("T", "s2"),
    ]
    for _ in range(2):
        writer.write(changes)
    writer.close()
    assert "not recorded" not in caplog.text
    assert len(rows_of(sqlite).events) == len(rows_of(sqlite).processes) == 1
