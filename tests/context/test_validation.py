"""The table of acceptable commands, cell by cell, and through the engine."""

from __future__ import annotations

import pytest

from context_bus.config.model import Action
from context_bus.context.states import State
from context_bus.context.validation import CELLS, FACTS, Fact, refuse_command, refuse_service
from tests.context.sim import Sim, service

OK, FAIL = True, False
TABLE = {
    "transaction exists": (OK, OK, OK),
    "transaction does not exist": (OK, FAIL, OK),
    "context id exists": (OK, OK, OK),
    "context id does not exist": (OK, FAIL, OK),
    "service id exists": (OK, OK, OK),
    "service id does not exist": (OK, FAIL, OK),
    "service is stopped": (OK, OK, OK),
    "service has failed": (FAIL, OK, OK),
    "service is started": (FAIL, OK, OK),
    "service is updated": (FAIL, OK, OK),
}
THIRTY = [
    (fact, action, cell)
    for fact, cells in TABLE.items()
    for action, cell in zip(("start", "stop", "restart"), cells, strict=True)
]


def test_table_is_the_documented_one() -> None:
    """Nobody adds or loses a cell unnoticed."""
    assert {(str(fact), str(action)): cell for (fact, action), cell in CELLS.items()} == {
        (fact, action): cell for fact, action, cell in THIRTY
    }


@pytest.mark.parametrize(("fact", "action", "cell"), THIRTY)
def test_cell_holds_on_an_engine(fact: str, action: str, cell: bool) -> None:
    """Each of the 30 cells, by a command to a context in that very situation."""
    sim = Sim(service("a"))
    sim.start("a")
    if Fact(fact) is Fact.SERVICE_FAILED:
        sim.gone("a", signal=9)
    elif Fact(fact) is Fact.SERVICE_UPDATED:
        sim.report("a", "updated")
    elif Fact(fact) is not Fact.SERVICE_STARTED:
        sim.command("stop", "a")
        sim.ends("a")
    tx = "T9" if Fact(fact) is Fact.TRANSACTION_UNKNOWN else "T1"
    context_id = "context009" if Fact(fact) is Fact.CONTEXT_UNKNOWN else "context001"
    target = "z" if Fact(fact) is Fact.SERVICE_UNKNOWN else "a"
    confs = [service("z")] if target == "z" else []
    sim.command(action, *([] if confs else [target]), confs=confs, tx=tx, context_id=context_id, reply="r")
    assert sim.kinds("r")[0] == ("accepted" if cell else "rejected")


@pytest.mark.parametrize("state", list(State))
def test_exit_is_always_accepted(state: State) -> None:
    """Whatever goes on, the provider may be told to leave; its engine asks no table."""
    sim = Sim(service("a"))
    sim.command("exit", tx="", context_id="", reply="r")
    assert sim.kinds("r") == ["accepted", "done"]
    assert all(refuse_service(Action.RESTART, "a", each) == "" for each in (state, None))


def test_states_without_a_row_forbid_nothing() -> None:
    """A created service may be started, and anything that is under way may be commanded."""
    for state in set(State) - set(FACTS):
        assert [refuse_service(action, "a", state) for action in Action] == ["", "", ""]


@pytest.mark.parametrize("context_id", ["", "  ", "a\x00b", "x" * 201])
def test_malformed_context_id_is_refused(context_id: str) -> None:
    """An id that nobody can have meant is refused for every action."""
    for action in Action:
        reason = refuse_command(
            action, transaction="T", is_known=True, context_id=context_id, known_ids=("context001",)
        )
        assert "context001" in reason


def test_missing_transaction_is_refused() -> None:
    """A command without a transaction says what to add."""
    reason = refuse_command(
        Action.START, transaction="", is_known=False, context_id="context001", known_ids=("context001",)
    )
    assert "--transaction" in reason


def test_reasons_name_what_they_are_about() -> None:
    """A refusal names the id and the way out."""
    assert refuse_service(Action.START, "ts_7", State.FAILED) == (
        "service ts_7 has failed; stop or restart it first"
    )
