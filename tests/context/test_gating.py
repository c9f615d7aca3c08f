"""Who waits for whom, what the clock says, and several instances of one service: without a process."""

from __future__ import annotations

import time

from context_bus.context.events import ClockSet, LeaveAsked
from context_bus.context.instructions import PublishProcess
from context_bus.context.states import State
from tests.context.sim import Sim, kept, program, restarting, service


def test_service_waits_for_what_it_requires() -> None:
    """It starts when that is ready, not before."""
    sim = Sim(service("a"), kept(service("b"), requires="a"))
    sim.command("start", reply="r")
    assert sim.state("b") is State.WAITING
    assert sim.member("b").reason == "waits for a to be ready"
    sim.spawned("a")
    assert sim.state("b") is State.WAITING
    sim.report("a", "started")
    assert sim.state("b") is State.STARTING
    sim.up("b")
    assert sim.kinds("r") == ["accepted", "done"]


def test_condition_started_is_met_by_a_process() -> None:
    """Existence is enough where no more is asked."""
    sim = Sim(service("a"), kept(service("b"), requires="a", condition="started"))
    sim.command("start")
    assert sim.state("b") is State.WAITING
    sim.spawned("a")
    assert sim.state("b") is State.STARTING


def test_condition_completed_is_met_by_an_orderly_end() -> None:
    """A migration before the server."""
    sim = Sim(service("a"), kept(service("b"), requires="a", condition="completed"))
    sim.command("start")
    sim.up("a")
    assert sim.state("b") is State.WAITING
    sim.ends("a")
    assert sim.state("b") is State.STARTING


def test_who_requires_what_failed_fails_with_the_reason() -> None:
    """Nobody waits for ever for what will not come; its own on_fail fires."""
    sim = Sim(
        service("a"),
        kept(service("b", on_fail=("start", "c")), requires="a"),
        service("c", "deferred"),
    )
    sim.command("start", "a", "b", reply="r")
    sim.gone("a", code=3)
    assert sim.state("b") is State.FAILED
    assert sim.final("r")["b"] == ("failed", "requires a, which has failed: ended with exit code 3")
    assert ("b", "on_fail", "start", "c") in sim.fired()


def test_who_requires_what_backs_off_goes_on_waiting() -> None:
    """A requirement that is being started again is not lost."""
    sim = Sim(kept(service("a"), restart=restarting()), kept(service("b"), requires="a"))
    sim.command("start")
    sim.gone("a", code=3)
    assert sim.state("b") is State.WAITING
    sim.pass_time(1)
    sim.up("a")
    assert sim.state("b") is State.STARTING


def test_start_brings_what_is_required_along() -> None:
    """Whoever starts one service need not know what it stands on."""
    sim = Sim(service("a"), kept(service("b"), requires="a"), kept(service("c"), requires="b"))
    sim.command("start", "c", reply="r")
    assert [sim.state(each) for each in "abc"] == [State.STARTING, State.WAITING, State.WAITING]
    for each in "abc":
        sim.up(each)
    assert sim.kinds("r") == ["accepted", "done"]


def test_stop_ends_dependents_first() -> None:
    """And those that do not depend on each other together."""
    sim = Sim(service("a"), kept(service("b"), requires="a"), kept(service("c"), requires="a"))
    sim.command("start")
    for each in "abc":
        sim.up(each)
    sim.command("stop", reply="r")
    assert [sim.child(each).told for each in "abc"] == [[], ["stop"], ["stop"]]
    sim.ends("b")
    assert sim.child("a").told == []
    sim.ends("c")
    assert sim.child("a").told == ["stop"]
    sim.ends("a")
    assert sim.kinds("r") == ["accepted", "done"]


def test_held_stop_is_a_stop_all_the_same() -> None:
    """What fails while it waits to be stopped is not started again."""
    sim = Sim(kept(service("a"), restart=restarting("always")), kept(service("b"), requires="a"))
    sim.command("start")
    sim.up("a")
    sim.up("b")
    sim.command("stop", reply="r")
    sim.gone("a", signal=9)
    sim.pass_time(1)
    assert sim.state("a") is State.FAILED
    sim.ends("b")
    assert sim.state("a") is State.STOPPED
    assert sim.kinds("r") == ["accepted", "done"]


def test_second_stop_leaves_no_commander_without_an_answer() -> None:
    """Two who want the same both hear of it, though the first stop was still waiting for others."""
    sim = Sim(service("a"), kept(service("b"), requires="a"))
    sim.command("start")
    sim.up("a")
    sim.up("b")
    sim.command("stop", reply="r1")
    sim.command("stop", reply="r2")
    sim.ends("b")
    sim.ends("a")
    assert sim.kinds("r1") == sim.kinds("r2") == ["accepted", "done"]


def test_stop_does_not_wait_for_who_is_wanted_again() -> None:
    """A dependent that somebody starts again will not end; the stop of what it requires was commanded."""
    sim = Sim(service("a"), kept(service("b"), requires="a"))
    sim.command("start")
    sim.up("a")
    sim.up("b")
    sim.command("stop", reply="r")
    sim.command("restart", "b")
    assert sim.child("a").told == ["stop"]
    sim.ends("a")
    sim.ends("b")
    assert sim.kinds("r") == ["accepted", "done"]


def test_restart_of_what_waits_to_be_stopped_answers_both() -> None:
    """Whatever is asked last is what is wanted; who asked before is told what became of it."""
    sim = Sim(service("a"), kept(service("b"), requires="a"))
    sim.command("start")
    sim.up("a")
    sim.up("b")
    sim.command("stop", reply="r1")
    sim.command("restart", "a", reply="r2")
    assert sim.child("a").told == ["stop"]
    sim.ends("a")
    sim.up("a")
    sim.ends("b")
    assert sim.kinds("r1") == sim.kinds("r2") == ["accepted", "done"]
    assert sim.state("a") is State.STARTED


def test_leaving_ends_in_order_too() -> None:
    """The provider's own end is a stop of everything."""
    sim = Sim(service("a"), kept(service("b"), requires="a"), kept(service("c"), requires="zz"))
    sim.command("start")
    sim.up("a")
    sim.up("b")
    sim.send(LeaveAsked("SIGTERM"))
    assert sim.child("a").told == []
    sim.ends("b")
    sim.ends("a")
    assert sim.is_finished()


def test_circle_of_requirements_does_not_hold_up_a_stop() -> None:
    """A message may say what no file can."""
    sim = Sim(kept(service("a"), requires="b", condition="started"), service("b"))
    sim.command("start")
    sim.up("b")
    sim.up("a")
    sim.command("stop", "b")
    sim.ends("b")
    circular = kept(service("b"), requires="a", condition="started")
    sim.command("start", confs=[circular])
    sim.up("b")
    sim.command("stop", reply="r")
    assert [sim.child(each).told for each in "ab"] == [["stop"], ["stop"]]


def test_instances_are_services_of_their_own() -> None:
    """The first has the id of the service; who names it means all of them."""
    sim = Sim(kept(service("a"), instances=3))
    sim.command("start", "a", reply="r")
    assert sorted(key.service_id for key in sim.children) == ["a", "a#2", "a#3"]
    assert sim.child("a#2").spawn.conf.id == "a#2"
    for each in ("a", "a#2", "a#3"):
        sim.up(each)
    assert sim.kinds("r") == ["accepted", "done"]
    sim.command("stop", "a#2")
    assert [sim.child(each).told for each in ("a", "a#2", "a#3")] == [[], ["stop"], []]


def test_transition_acts_on_every_instance() -> None:
    """A call names a service."""
    sim = Sim(service("t", on_start=("start", "a")), kept(service("a", "deferred"), instances=2))
    sim.start("t")
    assert sorted(key.service_id for key in sim.children) == ["a", "a#2", "t"]


def test_requirement_means_every_instance() -> None:
    """Half a service is not ready."""
    sim = Sim(kept(service("a"), instances=2), kept(service("b"), requires="a"))
    sim.command("start")
    sim.up("a")
    assert sim.state("b") is State.WAITING
    sim.up("a#2")
    assert sim.state("b") is State.STARTING


def test_scheduled_service_runs_at_its_time_and_again() -> None:
    """The start command arms it; each run waits for the minute."""
    sim = Sim(kept(program("p"), schedule="* * * * *"))
    sim.command("start", "p", reply="r")
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.state("p") is State.WAITING
    for _ in range(2):
        sim.pass_time(60)
        assert sim.child("p")
        wall = time.localtime(sim.now + sim.wall_offset)
        assert wall.tm_min is not None
        sim.gone("p", code=0)
        assert sim.state("p") is State.WAITING


def test_times_that_come_while_it_runs_are_skipped_and_told() -> None:
    """One run at a time: the next is at the first time after its end."""
    sim = Sim(kept(program("p"), schedule="* * * * *"))
    sim.command("start", "p")
    for minutes, said in (
        (0, ""),
        (1, "; skipped 1 time, when it still ran"),
        (3, "; skipped 3 times, when it still ran"),
    ):
        sim.pass_time(sim.member("p").due_at - sim.now - sim.wall_offset)
        sim.spawned("p")
        sim.pass_time(60.0 * minutes + 1.0)
        assert len(sim.children) == 1
        sim.gone("p", code=0)
        assert sim.member("p").reason == f"runs by its schedule * * * * *{said}"
    sim.pass_time(sim.member("p").due_at - sim.now - sim.wall_offset)
    sim.pass_time(7200.0)
    sim.gone("p", code=0)
    assert sim.member("p").reason.endswith("; skipped 100 or more times, when it still ran")


def test_scheduled_service_is_stopped_for_good() -> None:
    """A stop disarms the clock."""
    sim = Sim(kept(program("p"), schedule="* * * * *"))
    sim.command("start", "p")
    sim.command("stop", "p")
    sim.pass_time(200)
    assert not sim.children
    assert sim.state("p") is State.STOPPED


def test_second_start_runs_a_scheduled_service_now() -> None:
    """Whoever wants it twice does not want to wait."""
    sim = Sim(kept(program("p"), schedule="0 0 1 1 *"))
    sim.command("start", "p")
    sim.command("start", "p")
    assert sim.child("p")


def test_clock_set_back_does_not_run_twice_nor_early() -> None:
    """What is due by the clock is due when the clock says so."""
    sim = Sim(kept(program("p"), schedule="* * * * *"))
    sim.command("start", "p")
    sim.wall_offset -= 3600.0
    sim.send(ClockSet())
    due = sim.member("p").due_at
    assert 0 < due - (sim.now + sim.wall_offset) <= 60
    sim.pass_time(61)
    sim.gone("p", code=0)
    assert sim.state("p") is State.WAITING


def test_clock_that_was_set_back_unnoticed_only_delays() -> None:
    """The timer comes, sees that it is too early, and sets itself again."""
    sim = Sim(kept(program("p"), schedule="* * * * *"))
    sim.command("start", "p")
    sim.wall_offset -= 30.0
    sim.pass_time(60)
    assert sim.state("p") is State.WAITING or sim.children
    sim.pass_time(60)
    assert sim.children


def test_deferred_program_waits_without_a_process() -> None:
    """It reports created, and a transition or a command runs it."""
    sim = Sim(service("t", on_start=("start", "p")), replace_type(program("p")))
    sim.command("start", "p", reply="r")
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.state("p") is State.WAITING
    assert ("control", "created", "p") in sim.frames()
    sim.start("t")
    assert sim.child("p")
    assert [each.action for each in sim.every(PublishProcess) if each.key.service_id == "p"] == ["start"]


def replace_type(conf):  # type: ignore[no-untyped-def]
    """The same service, deferred."""
    from dataclasses import replace

    return replace(conf, state_type="deferred")
