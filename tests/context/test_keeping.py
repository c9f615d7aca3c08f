"""Restart policies, readiness, liveness: how the engine keeps services, without a process."""

from __future__ import annotations

from context_bus.config.supervision import Liveness, LivenessKind, Probe, Readiness, ReadinessKind
from context_bus.context.events import ChildFrozen, LifeLost, ProbeAnswered, SpawnFailed
from context_bus.context.instructions import ProbeReadiness, Remember, SpawnChild, WatchLife
from context_bus.context.states import State
from context_bus.context.trace import ServiceChanged, ServiceFrozen
from tests.context.sim import TX, Sim, kept, program, restarting, service


def test_run_failure_is_followed_by_a_start_at_once() -> None:
    """What had been ready and lived its second is simply replaced."""
    sim = Sim(kept(service("a"), restart=restarting()))
    sim.start("a")
    sim.pass_time(2.0)
    sim.gone("a", signal=9)
    assert sim.state("a") is State.STARTING
    assert sim.child("a").spawn.incarnation == 2
    assert ("control", "failed", "a") in sim.frames()


def test_boot_failures_back_off_and_end_fatal() -> None:
    """Delays double, and the sixth start within the window is one too many."""
    sim = Sim(kept(service("a"), restart=restarting()))
    sim.command("start", "a", reply="r")
    delays = []
    for _ in range(5):
        sim.gone("a", code=3)
        assert sim.state("a") is State.BACKOFF
        before = sim.now
        while sim.state("a") is State.BACKOFF:
            sim.pass_time(0.1)
        delays.append(round(sim.now - before, 1))
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6]
    sim.gone("a", code=3)
    assert sim.state("a") is State.FATAL
    assert not sim.member("a").is_wanted
    assert sim.kinds("r") == ["accepted", "failed"]
    assert "exit code 3" in sim.final("r")["a"][1]


def test_backoff_says_when_and_why() -> None:
    """Nobody has to guess what a service waits for."""
    sim = Sim(kept(service("a"), restart=restarting()))
    sim.command("start", "a")
    sim.gone("a", code=3)
    assert sim.member("a").reason == "ended with exit code 3; again in 0.1 s (restart 1)"


def test_start_command_waits_through_backoff() -> None:
    """A start that works at the second attempt has worked."""
    sim = Sim(kept(service("a"), restart=restarting()))
    sim.command("start", "a", reply="r")
    sim.gone("a", code=1)
    sim.pass_time(0.2)
    sim.up("a")
    assert sim.kinds("r") == ["accepted", "done"]


def test_policy_never_leaves_a_failure_alone() -> None:
    """The default: transitions and people decide."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.gone("a", signal=9)
    sim.pass_time(60)
    assert sim.state("a") is State.FAILED
    assert not sim.member("a").is_wanted


def test_policy_on_failure_leaves_an_orderly_end_alone() -> None:
    """A task that is done is done."""
    sim = Sim(kept(service("a"), restart=restarting()))
    sim.start("a")
    sim.ends("a")
    assert sim.state("a") is State.EXITED
    assert not sim.children


def test_policy_always_starts_again_what_ended_well() -> None:
    """Whatever the end."""
    sim = Sim(kept(service("a"), restart=restarting("always")))
    sim.start("a")
    sim.pass_time(5)
    sim.ends("a")
    assert sim.state("a") is State.STARTING


def test_commanded_stop_is_never_undone() -> None:
    """Not by the policy, whatever way the process takes to end."""
    sim = Sim(kept(service("a"), restart=restarting("always")))
    sim.start("a")
    sim.command("stop", "a", reply="r")
    sim.gone("a", "failed", reason="on its way out", code=1)
    sim.pass_time(60)
    assert sim.state("a") is State.STOPPED
    assert sim.kinds("r") == ["accepted", "done"]


def test_stop_calls_off_a_backoff() -> None:
    """The timer that is still to come finds nothing to do."""
    sim = Sim(kept(service("a"), restart=restarting()))
    sim.command("start", "a", reply="r1")
    sim.gone("a", code=1)
    sim.command("stop", "a", reply="r2")
    assert sim.state("a") is State.STOPPED
    assert sim.kinds("r1") == ["accepted", "failed"]
    assert sim.kinds("r2") == ["accepted", "done"]
    sim.pass_time(60)
    assert not sim.children


def test_restart_command_forgives() -> None:
    """After a fatal end somebody else decides, and the counts begin anew."""
    sim = Sim(kept(service("a"), restart=restarting(max_restarts=1)))
    sim.command("start", "a")
    sim.gone("a", code=1)
    sim.pass_time(1)
    sim.gone("a", code=1)
    assert sim.state("a") is State.FATAL
    sim.command("restart", "a", reply="r")
    sim.gone("a", code=1)
    assert sim.state("a") is State.BACKOFF


def test_spawn_that_fails_backs_off_too() -> None:
    """No process is a failure like any other."""
    sim = Sim(kept(service("a"), restart=restarting()))
    sim.command("start", "a")
    child = sim.children.pop(sim.child("a").spawn.key)
    sim.send(SpawnFailed(child.spawn.key, child.spawn.incarnation, "no more processes"))
    assert sim.state("a") is State.BACKOFF
    sim.pass_time(0.2)
    assert sim.state("a") is State.STARTING


def test_transition_goes_before_the_policy() -> None:
    """A service that its own on_fail restarts is not started twice."""
    sim = Sim(kept(service("a", on_fail=("restart", "a")), restart=restarting()))
    sim.start("a")
    sim.pass_time(5)
    sim.gone("a", signal=9)
    assert sim.state("a") is State.STARTING
    assert sim.child("a").spawn.incarnation == 2
    sim.pass_time(1)
    assert len(sim.every(SpawnChild)) == 2


def test_program_is_ready_when_it_exists() -> None:
    """A program reports nothing itself, so its report is made for it."""
    sim = Sim(program("p"))
    sim.command("start", "p", reply="r")
    sim.spawned("p")
    assert sim.state("p") is State.STARTED
    assert ("control", "started", "p") in sim.frames()
    assert sim.kinds("r") == ["accepted", "done"]


def test_program_that_ends_well_has_exited() -> None:
    """Exit code zero, or one that the policy takes for success."""
    sim = Sim(kept(program("p"), restart=restarting(success_codes=(0, 3))))  # type: ignore[arg-type]
    sim.command("start", "p")
    sim.gone("p", code=3)
    assert sim.state("p") is State.EXITED


def test_probed_service_is_warming_until_it_answers() -> None:
    """Up means ready: commands and transitions wait for it."""
    probe = Readiness(ReadinessKind.TCP, Probe("127.0.0.1:80"), deadline=5.0)
    sim = Sim(kept(service("a", on_start=("start", "b")), readiness=probe), service("b", "deferred"))
    sim.command("start", "a", reply="r")
    sim.up("a")
    assert sim.state("a") is State.WARMING
    (order,) = sim.every(ProbeReadiness)
    sim.send(ProbeAnswered(order.key, order.incarnation, "connection refused"))
    assert sim.kinds("r") == ["accepted"]
    assert not sim.fired()
    sim.send(ProbeAnswered(order.key, order.incarnation))
    assert sim.state("a") is State.STARTED
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.fired() == [("a", "on_start", "start", "b")]


def test_probe_in_vain_is_a_boot_failure_with_the_last_complaint() -> None:
    """The deadline counts from the existence of the process."""
    probe = Readiness(ReadinessKind.TCP, Probe("127.0.0.1:80"), deadline=5.0)
    sim = Sim(kept(service("a"), readiness=probe, restart=restarting()))
    sim.command("start", "a")
    sim.up("a")
    (order,) = sim.every(ProbeReadiness)
    sim.send(ProbeAnswered(order.key, order.incarnation, "connection refused"))
    sim.pass_time(5.1)
    assert sim.child("a").killed
    sim.gone("a", signal=9)
    assert sim.state("a") is State.BACKOFF
    assert sim.member("a").reason.startswith("not ready within 5 s: connection refused")


def test_time_makes_ready() -> None:
    """For what has no better way to say so."""
    sim = Sim(kept(program("p"), readiness=Readiness(ReadinessKind.TIME, after=2.0)))
    sim.command("start", "p")
    sim.spawned("p")
    sim.pass_time(1.9)
    assert sim.state("p") is State.WARMING
    sim.pass_time(0.2)
    assert sim.state("p") is State.STARTED


def test_lost_life_is_a_failure_and_the_policy_restarts() -> None:
    """A service that hangs is ended without being asked, and replaced."""
    sim = Sim(kept(service("a"), liveness=Liveness(LivenessKind.HEARTBEAT), restart=restarting()))
    sim.start("a")
    (order,) = sim.every(WatchLife)
    sim.pass_time(10)
    sim.send(LifeLost(order.key, order.incarnation, "no heartbeat for 5 s"))
    assert sim.child("a").killed
    sim.gone("a", signal=9)
    assert sim.state("a") is State.STARTING
    changes = [each for each in sim.traces(ServiceChanged) if each.new is State.FAILED]
    assert changes[0].reason == "no heartbeat for 5 s"


def test_frozen_service_is_shown_once() -> None:
    """SIGSTOP is noticed when it happens; what is done about it is the liveness probe's business."""
    sim = Sim(service("a"))
    sim.start("a")
    key = sim.child("a").spawn.key
    sim.send(ChildFrozen(key, 1, True))
    sim.send(ChildFrozen(key, 1, True))
    assert [each.is_frozen for each in sim.traces(ServiceFrozen)] == [True]
    record = sim.engine.table.record(TX)
    assert record is not None
    assert record["tasks"][0]["frozen"] is True  # type: ignore[index]


def test_what_is_wanted_is_remembered_before_anything_is_done() -> None:
    """The first instruction of a start says so; that of a stop says the opposite."""
    sim = Sim(service("a"))
    first = sim.command("start", "a")[0]
    assert isinstance(first, Remember)
    assert (first.is_wanted, first.state) == (True, "starting")
    sim.up("a")
    first = sim.command("stop", "a")[0]
    assert isinstance(first, Remember)
    assert first.is_wanted is False


def test_outcome_is_remembered() -> None:
    """What ended by itself is not wanted any more, and so is not brought back."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.ends("a")
    last = sim.every(Remember)[-1]
    assert (last.is_wanted, last.state) == (False, "exited")
