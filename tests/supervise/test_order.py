"""Who may start and who has to stop first."""

from __future__ import annotations

import pytest

from context_bus.config.supervision import Condition, Requirement
from context_bus.supervise.order import Blocked, Facts, Gate, Open, StopOrder, Waits, stop_levels

READY = Facts(exists=True, ready=True)
EXISTS = Facts(exists=True)
COMPLETED = Facts(completed=True)
FAILED = Facts(failed=True)


def requires(*names: str) -> tuple[Requirement, ...]:
    return tuple(Requirement(name) for name in names)


def test_nothing_required_is_open() -> None:
    """Whatever the others do."""
    assert Gate(()).ask({"db": FAILED}) == Open()


@pytest.mark.parametrize(
    ("condition", "opening", "waiting"),
    [
        (Condition.STARTED, [EXISTS, READY, COMPLETED], [Facts()]),
        (Condition.READY, [READY], [Facts(), EXISTS]),
        (Condition.COMPLETED, [COMPLETED], [Facts(), EXISTS, READY]),
    ],
)
def test_each_condition_has_its_facts(
    condition: Condition, opening: list[Facts], waiting: list[Facts]
) -> None:
    """What opens the gate, and what keeps it shut for the time being."""
    gate = Gate([Requirement("db", condition)])
    assert all(gate.ask({"db": facts}) == Open() for facts in opening)
    assert all(gate.ask({"db": facts}) == Waits("db", condition) for facts in waiting)
    assert gate.ask({}) == Waits("db", condition)


@pytest.mark.parametrize("condition", list(Condition))
def test_failure_for_good_blocks(condition: Condition) -> None:
    """Nobody waits for what will not come, and the reason names whom to mend."""
    answer = Gate([Requirement("db", condition)]).ask({"db": FAILED})
    assert isinstance(answer, Blocked)
    assert answer.reason == (
        f"db, which has to be {condition} before, has failed; mend it and start both again"
    )


def test_what_has_completed_will_not_be_ready() -> None:
    """The file asked for the wrong condition, and is told the right one."""
    answer = Gate(requires("init")).ask({"init": COMPLETED})
    assert isinstance(answer, Blocked)
    assert "require that it is completed" in answer.reason


def test_hopeless_comes_before_waiting() -> None:
    """Whoever is blocked need not wait for the others first."""
    gate = Gate(requires("db", "cache"))
    assert gate.for_whom == ("db", "cache")
    assert gate.ask({"db": READY}) == Waits("cache", Condition.READY)
    assert isinstance(gate.ask({"cache": FAILED}), Blocked)
    assert str(Waits("cache", Condition.READY)) == "waits for cache to be ready"


NEEDS = {"web": requires("app"), "app": requires("db", "cache"), "mail": requires("db"), "lone": ()}


def test_dependents_stop_before_what_they_require() -> None:
    """In groups, each in parallel."""
    assert stop_levels(["db", "cache", "app", "web", "mail", "lone"], NEEDS) == [
        ["lone", "mail", "web"],
        ["app"],
        ["cache", "db"],
    ]


def test_only_those_who_stop_are_sorted() -> None:
    """Who goes on running, or is down, delays nobody."""
    assert stop_levels(["db", "web"], NEEDS) == [["db", "web"]]
    assert stop_levels([], NEEDS) == []


def test_holders_are_those_who_still_need_it() -> None:
    """Each can stop as soon as its own dependents have."""
    order = StopOrder(NEEDS)
    assert order.holders("db", {"web", "app", "mail", "db"}) == ["app", "mail"]
    assert order.holders("db", {"web", "db"}) == []
    assert order.holders("web", {"web", "app"}) == []
    assert order.holders("unknown", {"web"}) == []


def test_a_circle_keeps_nothing_from_stopping() -> None:
    """Those in it wait for nobody; those at its ends keep their order."""
    needs = {
        "top": requires("a"),
        "a": requires("b"),
        "b": requires("a", "base"),
        "self": requires("self"),
    }
    assert stop_levels(["top", "a", "b", "base", "self"], needs) == [["b", "self", "top"], ["a", "base"]]
    assert StopOrder(needs).holders("a", {"a", "b"}) == []
    assert StopOrder(needs).holders("a", {"top", "a", "b"}) == ["top"]


def test_many_services_are_sorted_at_once() -> None:
    """A chain of a thousand has a thousand levels."""
    needs = {f"s{number}": requires(f"s{number + 1}") for number in range(999)}
    ids = [f"s{number}" for number in range(1000)]
    assert stop_levels(ids, needs) == [[name] for name in ids]
