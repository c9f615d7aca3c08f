"""What feedback means to a service and to those that wait for it, as the engine sees it."""

from __future__ import annotations

from dataclasses import replace

from context_bus.config.model import Action, TaskServiceConf, Transition, Trigger
from context_bus.config.supervision import Feedback, Supervision
from context_bus.context.events import FeedbackRead, LifeLost
from context_bus.context.instructions import PublishReport, WatchLife
from context_bus.context.states import State
from context_bus.context.trace import ServiceReported

from .sim import Sim, program, service

FEEDING = Supervision(feedback=Feedback(timeout=30.0))


def feeding(service_id: str = "a") -> TaskServiceConf:
    """A program whose feedback starts another service."""
    starts = Transition(Trigger.ON_UPDATE, Action.START, ("b",))
    return replace(program(service_id), supervision=FEEDING, transitions=(starts,))


def running(*others: TaskServiceConf) -> Sim:
    """It runs."""
    sim = Sim(feeding(), service("b", "deferred"), *others)
    sim.command("start", "a")
    sim.spawned("a")
    return sim


def says(sim: Sim, **values: str) -> None:
    """It has this feedback."""
    spawn = sim.child("a").spawn
    sim.send(FeedbackRead(spawn.key, spawn.incarnation, values))


def test_feedback_is_reported_on_behalf_of_the_program() -> None:
    """As an update of any service, with the values in its status."""
    sim = running()
    says(sim, progress="12")
    assert sim.state("a") is State.UPDATED
    report = sim.every(PublishReport)[-1]
    status = {"device_action": "", "result": "success", "progress": "12"}
    assert (report.key.service_id, str(report.action), report.status) == ("a", "updated", status)
    (shown,) = (each for each in sim.traces(ServiceReported) if each.service_id == "a")
    assert (str(shown.action), shown.result, shown.status) == ("updated", "success", status)


def test_feedback_fires_what_waits_for_an_update() -> None:
    """Once: the other one runs already when the next comes."""
    sim = running()
    says(sim, progress="12")
    says(sim, progress="15")
    assert sim.fired() == [("a", "on_update", "start", "b")]


def test_feedback_may_say_that_it_is_no_success() -> None:
    """It is reported and fires nothing."""
    sim = running()
    says(sim, result="failure")
    assert sim.every(PublishReport)[-1].status["result"] == "failure"
    assert (sim.state("a"), sim.fired()) == (State.STARTED, [])


def test_feedback_of_who_does_not_run_is_passed_over() -> None:
    """It is being stopped, or has ended, or was another process."""
    sim = running()
    spawn = sim.child("a").spawn
    sim.command("stop", "a")
    says(sim, progress="12")
    sim.gone("a", commanded=True, signal=15)
    for number in (spawn.incarnation, 7):
        sim.send(FeedbackRead(spawn.key, number, {"progress": "15"}))
    assert [verb for _, verb, _ in sim.frames() if verb == "updated"] == []
    assert sim.fired() == []


def test_program_with_feedback_is_watched_from_its_readiness_on() -> None:
    """One without is not."""
    sim = Sim(feeding(), program("c"))
    sim.command("start", "a", "c")
    assert not sim.every(WatchLife)
    sim.spawned("a")
    sim.spawned("c")
    assert [each.key.service_id for each in sim.every(WatchLife)] == ["a"]


def test_lost_feedback_is_a_failure() -> None:
    """The process is ended, and why is told."""
    sim = running()
    spawn = sim.child("a").spawn
    sim.send(LifeLost(spawn.key, spawn.incarnation, "no feedback for 30 s"))
    assert sim.child("a").killed
    sim.gone("a", signal=9)
    assert (sim.state("a"), sim.member("a").reason) == (State.FAILED, "no feedback for 30 s")
