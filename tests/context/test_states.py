"""The life of a service: its table, its machine, its diagram."""

from __future__ import annotations

import pytest
from transitions import MachineError

from context_bus.context.states import ALIVE, DOWN, TABLE, TRANSIENT, WORDS, Lifecycle, State, mermaid
from context_bus.kernel.machine import Row, StateTable


def test_every_state_is_reached_and_left() -> None:
    """No state is a dead end, none an island."""
    reached = {row.dest for row in TABLE.rows} | {TABLE.initial}
    left = {source for row in TABLE.rows for source in row.sources}
    assert reached == left == set(State)


def test_states_are_alive_or_down() -> None:
    """There is a process or there is none; what waits has a process to wait for."""
    assert set(State) == ALIVE | DOWN
    assert TRANSIENT <= ALIVE
    assert set(WORDS) == set(State)


def test_lifecycle_follows_the_table_only() -> None:
    """A row moves it; what is not in the table is refused and changes nothing."""
    life = Lifecycle()
    assert life.fire("launch") is State.STARTING
    with pytest.raises(MachineError):
        life.fire("launch")
    assert life.now is State.STARTING


def test_machine_and_table_agree() -> None:
    """The machine allows exactly the rows of the table."""
    for state in State:
        for trigger in {row.trigger for row in TABLE.rows}:
            life = Lifecycle()
            life.state = str(state)
            allowed = TABLE.allows(trigger, state)
            if allowed:
                life.fire(trigger)
            else:
                with pytest.raises(MachineError):
                    life.fire(trigger)


def test_diagram_shows_every_row() -> None:
    """The diagram is drawn from the same rows."""
    text = mermaid()
    assert text.startswith("stateDiagram-v2\n    [*] --> defined\n")
    assert "    stopping --> stopped: ended as told\n" in text
    assert text.count("-->") == 1 + sum(len(row.sources) for row in TABLE.rows)


def test_table_refuses_two_ways_out() -> None:
    """The same trigger cannot leave one state twice."""
    rows = [Row("go", (State.DEFINED,), State.STARTING), Row("go", (State.DEFINED,), State.FAILED)]
    with pytest.raises(ValueError, match="go leaves defined twice"):
        StateTable(State, State.DEFINED, rows)
