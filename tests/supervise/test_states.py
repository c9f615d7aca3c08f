"""The life of a supervised child: its table and its diagram."""

from __future__ import annotations

import pytest
from transitions import MachineError

from context_bus.supervise.states import ALIVE, COMMANDS, DOWN, RESTING, TABLE, TRANSIENT, State, mermaid


class Child:
    """Something with a state."""

    state: str


def reached_from(start: State, *, without: frozenset[str] = frozenset()) -> set[State]:
    """Every state that some sequence of triggers leads to."""
    reached, front = {start}, [start]
    while front:
        here = front.pop()
        for row in TABLE.rows:
            if here in row.sources and row.trigger not in without and row.dest not in reached:
                reached.add(row.dest)
                front.append(row.dest)
    return reached


def test_every_state_is_reached() -> None:
    """No state is an island, and from each all others can be reached again."""
    assert reached_from(TABLE.initial) == set(State)
    assert all(reached_from(state) == set(State) for state in State)


def test_every_transient_state_comes_to_rest() -> None:
    """What waits for somebody gets on without a command, at last to running or to rest."""
    goals = RESTING | {State.RUNNING}
    for state in TRANSIENT:
        exits = {row.dest for row in TABLE.rows if state in row.sources and row.trigger not in COMMANDS}
        assert exits - {state}, state
        assert reached_from(state, without=COMMANDS) & goals, state


def test_rest_lasts_until_a_command() -> None:
    """Nothing that happens wakes a child that is at rest."""
    for state in RESTING:
        assert reached_from(state, without=COMMANDS) == {state}


def test_subsets_cover_the_states() -> None:
    """There is a process or none; every state lasts, passes, or is what is wanted."""
    assert set(State) == ALIVE | DOWN
    assert set(State) == TRANSIENT | RESTING | {State.RUNNING}
    assert not TRANSIENT & RESTING
    assert DOWN >= RESTING


def test_a_stop_is_obeyed_everywhere() -> None:
    """But where it is done already, or being done."""
    obeying = {source for row in TABLE.rows if row.trigger == "stop" for source in row.sources}
    assert obeying == set(State) - {State.STOPPED, State.STOPPING}


def test_machine_and_table_agree() -> None:
    """The machine allows exactly the rows of the table."""
    machine = TABLE.machine()
    for state in State:
        for trigger in {row.trigger for row in TABLE.rows}:
            child = Child()
            machine.add_model(child, initial=str(state))
            if TABLE.allows(trigger, state):
                child.trigger(trigger)  # type: ignore[attr-defined] # added by the machine
            else:
                with pytest.raises(MachineError):
                    child.trigger(trigger)  # type: ignore[attr-defined] # added by the machine
            machine.remove_model(child)


def test_diagram_shows_every_row() -> None:
    """The diagram is drawn from the same rows."""
    text = mermaid()
    assert text.startswith("stateDiagram-v2\n    [*] --> stopped\n")
    assert "    backoff --> waiting: the delay is over\n" in text
    assert text.count("-->") == 1 + sum(len(row.sources) for row in TABLE.rows)
