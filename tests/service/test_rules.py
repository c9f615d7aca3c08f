from __future__ import annotations

import pytest

from context_bus.config.model import Action, TaskServiceConf, Transition, Trigger
from context_bus.service.rules import fired_by, trigger_of


@pytest.mark.parametrize(
    ("action", "result", "commanded", "trigger"),
    [
        ("started", "success", False, Trigger.ON_START),
        ("started", "failure", False, Trigger.ON_FAIL),
        ("updated", "success", False, Trigger.ON_UPDATE),
        ("updated", "failed", False, None),
        ("updated", "failure", False, None),
        ("failed", "failure", False, Trigger.ON_FAIL),
        ("failed", "success", False, Trigger.ON_FAIL),
        ("stopped", "success", False, Trigger.ON_EXIT),
        ("stopped", "success", True, None),
        ("stopped", "failure", False, None),
        ("exited", "success", False, Trigger.ON_EXIT),
        ("exited", "", False, Trigger.ON_EXIT),
        ("exited", "success", True, None),
        ("failed", "failure", True, None),
        ("created", "success", False, None),
        ("sang", "success", False, None),
    ],
)
def test_report_means_one_trigger(action: str, result: str, commanded: bool, trigger: Trigger | None) -> None:
    """What each report lets fire; a commanded end fires nothing, whatever it came to."""
    assert trigger_of(action, result, commanded=commanded) is trigger


def test_transitions_of_the_trigger_fire_in_order() -> None:
    """All of one trigger, none of another."""
    transitions = (
        Transition(Trigger.ON_UPDATE, Action.START, ("ts_2",)),
        Transition(Trigger.ON_FAIL, Action.RESTART, ("ts_1",)),
        Transition(Trigger.ON_UPDATE, Action.STOP, ("ts_3", "ts_4")),
    )
    conf = TaskServiceConf("ts_1", "Echo", "echo", transitions=transitions)
    assert fired_by(conf, "updated", "success") == (transitions[0], transitions[2])
    assert fired_by(conf, "failed", "failure") == (transitions[1],)
    assert fired_by(conf, "created", "success") == ()
