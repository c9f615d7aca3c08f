"""The engine: commands, transitions, deadlines and the end, without a process."""

from __future__ import annotations

import pytest

from context_bus.context.commands import AnswerKind
from context_bus.context.events import (
    LeaveAsked,
    ProcessSeen,
    ReplyTo,
    Reported,
    RestartAsked,
    SpawnFailed,
    StateAsked,
    Timer,
)
from context_bus.context.instructions import EndChild, SendRecord, SetTimer
from context_bus.context.states import State
from context_bus.context.trace import CommandSettled, ServiceChanged, TransitionFired
from tests.context.sim import TX, Sim, quick, service


def test_start_runs_what_is_immediate_and_creates_what_is_deferred() -> None:
    """State type decides at context start."""
    sim = Sim(service("a"), service("b", "on_update"), service("c", "start_now"))
    sim.start()
    assert [sim.state(each) for each in "abc"] == [State.STARTED, State.CREATED, State.STARTED]
    assert [sim.child(each).spawn.run_now for each in "abc"] == [True, False, True]


def test_start_is_answered_step_by_step() -> None:
    """A commander hears accepted, progress for each move, and done once."""
    sim = Sim(service("a"), service("b"))
    sim.command("start", reply="r")
    assert sim.kinds("r") == ["accepted"]
    sim.up("a")
    assert sim.kinds("r") == ["accepted"]
    sim.up("b")
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.final("r") == {"a": ("done", ""), "b": ("done", "")}
    progress = [answer.services[0] for kind, answer in sim.answers("r") if kind is AnswerKind.PROGRESS]
    assert [(row.service_id, row.state) for row in progress] == [
        ("a", "starting"),
        ("b", "starting"),
        ("a", "started"),
        ("b", "started"),
    ]
    assert progress[2].pid == sim.child("a").pid


def test_one_refused_service_does_not_hold_up_its_siblings() -> None:
    """The answer lists each; what can be started is."""
    sim = Sim(service("a"), service("b"))
    sim.start("a")
    sim.command("start", "a", "b", "z", reply="r")
    sim.up("b")
    assert sim.kinds("r") == ["accepted", "failed"]
    final = sim.final("r")
    assert {key: result for key, (result, _) in final.items()} == {
        "a": "rejected",
        "b": "done",
        "z": "rejected",
    }
    assert "neither the command nor the file" in final["z"][1]


def test_all_refused_is_rejected_with_every_reason() -> None:
    """Nothing is left to wait for."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.command("start", "a", reply="r")
    assert sim.kinds("r") == ["rejected"]
    assert "started already" in sim.answers("r")[0][1].reason


def test_second_identical_start_joins_the_first() -> None:
    """Two commanders of one start get one process and one outcome each."""
    sim = Sim(service("a"))
    sim.command("start", "a", reply="r1")
    sim.command("start", "a", reply="r2")
    sim.up("a")
    assert sim.kinds("r1") == sim.kinds("r2") == ["accepted", "done"]
    assert sim.member("a").incarnation == 1


def test_start_runs_a_created_service_in_its_process() -> None:
    """What waits is told to run, not forked again."""
    sim = Sim(service("a", "on_update"))
    sim.start("a")
    sim.command("start", "a", reply="r")
    assert sim.child("a").told == ["start"]
    assert sim.kinds("r") == ["accepted"]
    sim.report("a", "started")
    assert sim.state("a") is State.STARTED
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.member("a").incarnation == 1


def test_start_runs_a_deferred_service_that_comes_up() -> None:
    """Who starts it again may have heard ``created`` before the provider did; so it runs in either order."""
    sim = Sim(service("a", "on_update"))
    sim.command("start", "a", reply="r1")
    sim.command("start", "a", reply="r2")
    sim.up("a")
    assert sim.child("a").told == ["start"]
    sim.report("a", "started")
    assert sim.state("a") is State.STARTED
    assert sim.kinds("r1") == sim.kinds("r2") == ["accepted", "done"]


def test_stop_waits_for_the_end() -> None:
    """Done means gone."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.command("stop", "a", reply="r")
    assert sim.child("a").told == ["stop"]
    sim.report("a", "stopped")
    assert sim.kinds("r") == ["accepted"]
    sim.gone("a", "stopped", commanded=True, code=0)
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.state("a") is State.STOPPED
    assert sim.member("a").pid is None


def test_stop_without_services_stops_the_transaction() -> None:
    """The old form with an empty configuration stops everything, whatever its state."""
    sim = Sim(service("a"), service("b", "on_fail"), service("c"))
    sim.start("a", "b")
    sim.command("start", "c")
    sim.command("stop", reply="r")
    for each in "abc":
        assert sim.state(each) is State.STOPPING
    sim.ends("a")
    sim.ends("b")
    sim.gone("c", signal=9)
    assert sim.kinds("r") == ["accepted", "done"]


def test_stop_of_all_overrides_the_services_named() -> None:
    """Service name ``all`` means every service of the transaction."""
    sim = Sim(service("a"), service("b"))
    sim.start("a", "b")
    sim.command("stop", "a", name="all")
    assert sim.state("b") is State.STOPPING


def test_stop_overtakes_a_start() -> None:
    """Who started hears why it came to nothing; the process is told again once it listens."""
    sim = Sim(service("a"))
    sim.command("start", "a", reply="up")
    sim.command("stop", "a", reply="down")
    assert sim.kinds("up") == ["accepted", "failed"]
    assert sim.final("up") == {"a": ("failed", "stopped before it was ready")}
    sim.up("a")
    assert sim.child("a").told == ["stop", "stop"]
    sim.ends("a")
    assert sim.kinds("down") == ["accepted", "done"]
    assert sim.state("a") is State.STOPPED


def test_start_during_a_stop_follows_it() -> None:
    """No command is refused for being busy; the successor waits for the end."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.command("stop", "a", reply="down")
    sim.command("start", "a", reply="up")
    assert sim.member("a").incarnation == 1
    sim.ends("a")
    assert sim.member("a").incarnation == 2
    sim.up("a")
    assert (sim.kinds("down"), sim.kinds("up")) == (["accepted", "done"], ["accepted", "done"])


def test_last_word_wins() -> None:
    """Start, stop, start, stop in one breath ends stopped, each command answered."""
    sim = Sim(service("a"))
    for number, action in enumerate(["start", "stop", "start", "stop"]):
        sim.command(action, "a", reply=f"r{number}")
    sim.ends("a")
    assert sim.state("a") is State.STOPPED
    assert [sim.kinds(f"r{number}")[-1] for number in range(4)] == ["failed", "done", "failed", "done"]


def test_restart_waits_for_the_end_and_restores() -> None:
    """Running comes back running, created comes back created."""
    sim = Sim(service("a"), service("b", "on_update"))
    sim.start("a", "b")
    sim.command("restart", reply="r")
    assert sim.member("a").incarnation == sim.member("b").incarnation == 1
    sim.ends("a")
    sim.ends("b")
    sim.up("a", "b")
    assert (sim.state("a"), sim.state("b")) == (State.STARTED, State.CREATED)
    assert sim.kinds("r") == ["accepted", "done"]


def test_restart_of_a_running_deferred_service_runs_it() -> None:
    """What ran is run again, whatever its state type says of context start."""
    sim = Sim(service("a", "on_update"))
    sim.start("a")
    sim.command("start", "a")
    sim.report("a", "started")
    sim.command("restart", "a")
    sim.ends("a")
    assert sim.child("a").spawn.run_now


def test_restart_of_what_never_ran_starts_it() -> None:
    """Restart is how one says: be up, from fresh."""
    sim = Sim(service("a"))
    sim.command("restart", "a", reply="r")
    sim.up("a")
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.frames() == [("process", "start", "a")]


def test_restart_of_a_failed_service_needs_no_stop() -> None:
    """The one way from failed back to work in one command."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.gone("a", signal=11)
    sim.command("restart", "a", reply="r")
    sim.up("a")
    assert sim.kinds("r") == ["accepted", "done"]


def test_restart_twice_is_one_restart_under_way() -> None:
    """A second restart joins the first while the old process ends."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.command("restart", "a", reply="r1")
    sim.command("restart", "a", reply="r2")
    sim.ends("a")
    sim.up("a")
    assert sim.member("a").incarnation == 2
    assert sim.kinds("r1") == sim.kinds("r2") == ["accepted", "done"]


def test_definition_in_a_start_is_taken() -> None:
    """A client may start what the file does not know, and start anew with another definition."""
    sim = Sim()
    sim.command("start", confs=[service("x")], reply="r")
    sim.up("x")
    assert sim.kinds("r") == ["accepted", "done"]
    sim.command("restart", confs=[service("x", "on_update", on_start=("stop", "y"))])
    sim.ends("x")
    assert sim.child("x").spawn.conf.transitions


def test_same_ids_in_two_transactions_are_two_services() -> None:
    """Neither commands nor transitions cross over."""
    sim = Sim(service("a", on_exit=("start", "b")), service("b", "on_exit"))
    for tx in ("T1", "T2"):
        sim.start(tx=tx)
    sim.ends("a", tx="T1")
    assert sim.child("b", "T1").told == ["start"]
    assert sim.child("b", "T2").told == []
    sim.command("stop", tx="T1")
    assert sim.state("a", "T2") is State.STARTED


def test_natural_end_is_not_a_stop() -> None:
    """What ends by itself has exited, though the record's word is the one on the wire."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.ends("a")
    assert sim.state("a") is State.EXITED
    record = sim.engine.table.record(TX)
    assert record is not None
    assert record["tasks"][0]["action"] == "stopped"  # type: ignore[index]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"signal": 9}, "ended by signal SIGKILL"),
        ({"code": 3}, "ended with exit code 3"),
        ({"ending": "failed", "reason": "boom", "code": 1}, "boom"),
    ],
)
def test_every_way_to_fail_is_told(how: dict[str, object], reason: str) -> None:
    """A process that could not report is reported for, with the reason."""
    sim = Sim(service("a", on_fail=("start", "b")), service("b", "on_fail"))
    sim.start()
    sim.gone("a", **how)  # type: ignore[arg-type]
    sim.pass_time(1.0)
    assert sim.state("a") is State.FAILED
    assert sim.member("a").reason == reason
    assert ("control", "failed", "a") in sim.frames()
    assert sim.fired() == [("a", "on_fail", "start", "b")]


def test_failed_boot_is_answered_with_its_reason() -> None:
    """The commander learns what the constructor said; siblings are unharmed."""
    sim = Sim(service("a"), service("b"))
    sim.command("start", reply="r")
    sim.up("b")
    sim.report("a", "failed", "failure", reason="ValueError: no such file")
    sim.gone("a", "failed", reason="ValueError: no such file", code=1)
    assert sim.kinds("r") == ["accepted", "failed"]
    assert sim.final("r") == {"a": ("failed", "ValueError: no such file"), "b": ("done", "")}
    assert sim.state("b") is State.STARTED
    assert ("control", "failed", "a") not in sim.frames()


def test_spawn_that_fails_is_a_failure_of_the_service() -> None:
    """Nothing hangs when the system refuses a process."""
    sim = Sim(service("a", on_fail=("start", "b")), service("b", "on_fail"))
    sim.command("start", reply="r")
    spawn = sim.children.pop(sim.child("a").spawn.key).spawn
    sim.send(SpawnFailed(spawn.key, spawn.incarnation, "no more processes"))
    sim.up("b")
    sim.report("b", "started")
    assert sim.final("r")["a"] == ("failed", "no more processes")
    assert sim.fired() == [("a", "on_fail", "start", "b")]


def test_end_waits_for_the_last_report() -> None:
    """The process is gone before its word arrives: the word still counts, and is not said twice."""
    sim = Sim(service("a"))
    sim.start("a")
    child = sim.child("a")
    sim.gone("a", "stopped", code=0)
    assert sim.state("a") is State.STARTED
    sim.send(Reported(TX, "a", "stopped", "success", child.pid, child.sender))
    assert sim.state("a") is State.EXITED
    assert ("control", "stopped", "a") not in sim.frames()


def test_last_report_that_never_comes_is_made_up_for() -> None:
    """After a bounded wait the provider reports in its place."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.gone("a", "stopped", code=0)
    sim.pass_time(1.0)
    assert sim.state("a") is State.EXITED
    assert ("control", "stopped", "a") in sim.frames()


def test_not_ready_in_time_is_a_failure() -> None:
    """Ten seconds without a report: killed, failed, told."""
    sim = Sim(service("a"))
    sim.command("start", "a", reply="r")
    sim.spawned("a")
    sim.pass_time(9.9)
    assert not sim.child("a").killed
    sim.pass_time(0.2)
    assert sim.child("a").killed
    sim.gone("a", signal=9)
    assert sim.final("r") == {"a": ("failed", "not ready within 10 s; see its log or raise the deadline")}
    assert sim.state("a") is State.FAILED


def test_ready_deadline_starts_anew_when_told_to_run() -> None:
    """A created service has its own time to start."""
    sim = Sim(service("a", "on_fail"))
    sim.start("a")
    sim.pass_time(9)
    sim.command("start", "a")
    sim.pass_time(5)
    assert not sim.child("a").killed
    sim.pass_time(6)
    assert sim.child("a").killed


def test_stop_that_is_not_obeyed_kills() -> None:
    """Grace, then the tree is killed; stopped it is all the same."""
    sim = Sim(service("a"), limits=quick(grace=2.0))
    sim.start("a")
    sim.command("stop", "a", reply="r")
    sim.pass_time(1.9)
    assert not sim.every(EndChild)
    sim.pass_time(0.2)
    assert sim.child("a").killed
    sim.gone("a", signal=9)
    assert sim.state("a") is State.STOPPED
    assert sim.final("r") == {"a": ("done", "killed: did not end within 2 s")}
    assert ("control", "stopped", "a") in sim.frames()


def test_process_that_lingers_after_its_last_word_is_killed() -> None:
    """A thread of the user's that never ends does not keep a finished service."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.report("a", "stopped")
    assert sim.state("a") is State.ENDING
    sim.pass_time(3.1)
    assert sim.child("a").killed
    sim.gone("a", signal=9)
    assert sim.state("a") is State.EXITED


def test_late_report_of_an_earlier_process_is_recognised() -> None:
    """By its publisher; the present process stays as it is."""
    sim = Sim(service("a"))
    sim.start("a")
    old = sim.child("a")
    sim.command("restart", "a")
    sim.ends("a")
    sim.spawned("a")
    for action in ("started", "updated", "stopped", "failed"):
        sim.send(Reported(TX, "a", action, "success", old.pid, old.sender))
    assert sim.state("a") is State.STARTING
    sim.up("a")
    sim.send(Reported(TX, "a", "failed", "failure", old.pid, old.sender))
    assert sim.state("a") is State.STARTED


def test_report_by_another_process_is_not_believed() -> None:
    """A pid that is not the child's does not bind."""
    sim = Sim(service("a"))
    sim.command("start", "a")
    sim.spawned("a")
    sim.send(Reported(TX, "a", "started", "success", 1, "stranger"))
    assert sim.state("a") is State.STARTING


def test_events_of_an_earlier_process_are_outdated() -> None:
    """An exit or a timer with an old number is of no account."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.command("restart", "a")
    sim.ends("a")
    sim.up("a")
    before = len(sim.log)
    sim.pass_time(30)
    assert sim.state("a") is State.STARTED
    assert not [each for each in sim.log[before:] if isinstance(each, EndChild)]


def test_report_about_an_unknown_service_is_ignored() -> None:
    """Neither unknown transactions nor unknown ids disturb anything."""
    sim = Sim(service("a"))
    for tx, service_id in (("T9", "a"), (TX, "z"), ("", "")):
        sim.send(Reported(tx, service_id, "failed", "failure", 5, "x"))
    assert sim.log == []


TRIGGERS = ["on_start", "on_update", "on_fail", "on_exit"]


def _pull(sim: Sim, trigger: str) -> None:
    if trigger == "on_start":
        sim.report("a", "started")
    elif trigger == "on_update":
        sim.report("a", "started")
        sim.report("a", "updated", "success")
    elif trigger == "on_fail":
        sim.report("a", "started")
        sim.gone("a", signal=9)
    else:
        sim.report("a", "started")
        sim.ends("a")


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_transition_acts_on_every_service_it_calls(trigger: str, action: str) -> None:
    """Four triggers times three actions, on several ids."""
    state_type = "deferred" if action == "start" else "on_start"
    sim = Sim(
        service("a", "on_start", **{trigger: (action, "b,c")}),
        service("b", state_type),
        service("c", state_type),
    )
    sim.start("b", "c")
    sim.pass_time(2)
    sim.command("start", "a")
    sim.spawned("a")
    _pull(sim, trigger)
    assert sim.fired() == [("a", trigger, action, each) for each in "bc"]
    for each in "bc":
        assert sim.child(each).told == ["start" if action == "start" else "stop"]
        if action == "start":
            sim.report(each, "started")
            assert sim.state(each) is State.STARTED
        else:
            sim.ends(each)
            assert sim.state(each) is (State.STOPPED if action == "stop" else State.STARTING)
    causes = [each for each in sim.log if getattr(each, "cause", None)]
    assert causes
    assert {(each.cause.trigger, each.cause.service_id, each.cause.depth) for each in causes} == {  # type: ignore[union-attr]
        (trigger, "a", 1)
    }


@pytest.mark.parametrize("state", ["never", "stopped", "exited", "failed", "created"])
def test_start_transition_runs_whatever_is_not_running(state: str) -> None:
    """Also what was never started, since the file knows it, and what is deferred."""
    sim = Sim(service("a", on_update=("start", "b")), service("b", "on_update"))
    sim.start("a")
    if state != "never":
        sim.start("b")
    if state == "stopped":
        sim.command("stop", "b")
        sim.ends("b")
    elif state == "exited":
        sim.ends("b")
    elif state == "failed":
        sim.gone("b", signal=9)
    sim.pass_time(5)
    sim.report("a", "updated")
    assert sim.fired() == [("a", "on_update", "start", "b")]
    if state == "created":
        assert sim.child("b").told == ["start"]
    else:
        assert sim.child("b").spawn.run_now


def test_commanded_stop_fires_nothing() -> None:
    """It would start successors of what somebody just ended."""
    sim = Sim(service("a", on_exit=("start", "b"), on_fail=("start", "b")), service("b"))
    sim.start("a")
    sim.command("stop", "a")
    sim.ends("a")
    sim.start("a")
    sim.command("stop", "a")
    sim.gone("a", signal=9)
    assert sim.fired() == []


def test_signal_from_outside_is_a_stop_and_fires_nothing() -> None:
    """Somebody ended it in order, though not by command."""
    sim = Sim(service("a", on_exit=("start", "b")), service("b"))
    sim.start("a")
    sim.report("a", "stopped")
    sim.gone("a", "stopped", commanded=True, code=0)
    assert sim.state("a") is State.STOPPED
    assert sim.fired() == []


def test_update_without_success_fires_nothing() -> None:
    """A task that reports a failed piece of work has not progressed."""
    sim = Sim(service("a", on_update=("stop", "b")), service("b"))
    sim.start()
    sim.report("a", "updated", "failed")
    assert sim.fired() == []
    assert sim.state("a") is State.STARTED


def test_handmade_update_fires_but_says_nothing_of_the_process() -> None:
    """Old clients report on behalf of services; only what may fire is taken from them."""
    sim = Sim(service("a", on_update=("stop", "b")), service("b"))
    sim.start()
    sim.send(Reported(TX, "a", "failed", "failure"))
    assert sim.state("a") is State.STARTED
    sim.send(Reported(TX, "a", "updated", "success"))
    assert sim.fired() == [("a", "on_update", "stop", "b")]


def test_chain_of_transitions_carries_its_depth() -> None:
    """Each link knows how long the chain is."""
    sim = Sim(
        service("a", on_exit=("start", "b")), service("b", "d", on_exit=("start", "c")), service("c", "d")
    )
    sim.start("a")
    sim.ends("a")
    sim.up("b")
    sim.ends("b")
    assert [each.depth for each in sim.traces(TransitionFired)] == [1, 2]
    assert sim.member("c").cause.depth == 2  # type: ignore[union-attr]


def test_storm_is_cut_and_told() -> None:
    """A service that fails at once and restarts itself is cut at the sixth time in ten seconds."""
    sim = Sim(service("a", on_fail=("restart", "a")))
    sim.start("a")
    for _ in range(5):
        sim.gone("a", signal=9)
        assert sim.state("a") is State.STARTING
        sim.up("a")
    sim.gone("a", signal=9)
    assert sim.state("a") is State.FAILED
    assert sim.member("a").reason.startswith("cut: started more than 5 times within 10 s")
    assert sim.children == {}
    sim.command("restart", "a")
    sim.up("a")
    sim.gone("a", signal=9)
    assert sim.state("a") is State.STARTING


def test_storm_of_two_services_is_cut() -> None:
    """Two that restart each other come to rest."""
    sim = Sim(service("a", on_start=("restart", "b")), service("b", on_start=("restart", "a")))
    sim.start("b")
    for _ in range(100):
        for key in list(sim.children):
            if "stop" in sim.children[key].told:
                sim.ends(key.service_id)
            else:
                sim.up(key.service_id)
    assert sim.member("a").is_cut or sim.member("b").is_cut
    assert max(sim.member("a").incarnation, sim.member("b").incarnation) < 10


def test_slow_cycle_is_no_storm() -> None:
    """Services that live and follow each other for ever are what the user asked for."""
    sim = Sim(service("a", on_exit=("start", "b")), service("b", "d", on_exit=("start", "a")))
    sim.start("a")
    for _ in range(30):
        for each in "ab":
            sim.pass_time(1.1)
            sim.ends(each)
            sim.up("b" if each == "a" else "a")
    assert len(sim.fired()) == 60


def test_thousand_updates_with_a_needless_transition_are_quiet() -> None:
    """What has no effect is shown once per process, and published never."""
    sim = Sim(service("a", on_update=("start", "b")), service("b"))
    sim.start()
    before = len(sim.log)
    for _ in range(1000):
        sim.report("a", "updated")
    assert len(sim.traces(TransitionFired)) == 1
    assert sim.traces(TransitionFired)[0].note == "started already"
    assert not [each for each in sim.frames() if each[1] == "updated"]
    assert len(sim.log) - before < 1010


def test_transition_to_an_unknown_service_is_told() -> None:
    """A message from another file may call what nobody knows."""
    sim = Sim()
    sim.command("start", confs=[service("a", on_exit=("start", "z"))])
    sim.up("a")
    sim.ends("a")
    assert [each.note for each in sim.traces(TransitionFired)] == ["not known here"]


def test_exit_stops_everything_and_finishes() -> None:
    """Every transaction, whatever the state; then there is nothing left."""
    sim = Sim(service("a", on_exit=("start", "b")), service("b", "d"))
    sim.start(tx="T1")
    sim.command("start", tx="T2")
    sim.command("exit", tx="", context_id="", reply="r")
    assert not sim.is_finished()
    for tx in ("T1", "T2"):
        for each in "ab":
            sim.ends(each, tx=tx)
    assert sim.is_finished()
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.fired() == []


def test_exit_is_done_before_the_provider_finishes() -> None:
    """The commander of an exit gets its answer while there is a bus."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.command("exit", reply="r")
    sim.ends("a")
    names = [type(each).__name__ for each in sim.log]
    last_answer = len(names) - 1 - names[::-1].index("SendAnswer")
    assert last_answer < names.index("Finish")


def test_leaving_drops_what_was_to_follow() -> None:
    """A restart under way ends with the stop."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.command("restart", "a", reply="r")
    sim.send(LeaveAsked("SIGTERM"))
    sim.ends("a")
    assert sim.is_finished()
    assert sim.kinds("r") == ["accepted", "failed"]
    sim.command("start", "a", reply="late")
    assert sim.answers("late")[0][1].reason == "the provider is leaving: SIGTERM"


def test_leaving_an_empty_context_finishes_at_once() -> None:
    """And only once."""
    sim = Sim(service("a"))
    sim.send(LeaveAsked("SIGINT"))
    sim.send(LeaveAsked("SIGINT"))
    assert len([each for each in sim.log if type(each).__name__ == "Finish"]) == 1


def test_process_frame_of_a_client_is_obeyed() -> None:
    """By id or by name; what was on the bus already is not published again."""
    sim = Sim(service("a"), service("b", "d"))
    sim.start()
    published = sim.frames()
    sim.send(ProcessSeen("start", TX, "b", "name_b", ReplyTo("r", "r")))
    assert sim.child("b").told == ["start"]
    sim.send(ProcessSeen("stop", TX, "", "name_a"))
    assert sim.child("a").told == ["stop"]
    assert sim.frames() == published
    sim.report("b", "started")
    assert sim.kinds("r") == ["accepted", "done"]


def test_process_start_means_run() -> None:
    """Also of a deferred service that is not even created yet, and of one that was never started."""
    sim = Sim(service("a", "d"), service("b", "d"))
    sim.command("start", "a")
    sim.send(ProcessSeen("start", TX, "a"))
    sim.up("a")
    assert sim.child("a").told == ["start"]
    sim.report("a", "started")
    sim.command("stop", "a")
    sim.ends("a")
    sim.send(ProcessSeen("start", TX, "a"))
    assert sim.child("a").spawn.run_now


def test_process_restart_of_a_client_replaces_the_process() -> None:
    """The old way to restart one service."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.send(ProcessSeen("restart", TX, "a"))
    sim.ends("a")
    assert sim.member("a").incarnation == 2


def test_process_frame_for_nobody_is_refused() -> None:
    """With a reason, if anybody asked for an answer."""
    sim = Sim(service("a"))
    sim.send(ProcessSeen("stop", "T9", "a", "", ReplyTo("r", "r")))
    sim.send(ProcessSeen("dance", TX, "a", "", ReplyTo("q", "q")))
    assert sim.answers("r")[0][1].reason == "service a is not known in transaction T9"
    assert "dance" in sim.answers("q")[0][1].reason


def test_query_returns_the_record() -> None:
    """Known transactions are answered, unknown ones refused with those that are known."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.send(StateAsked("request", TX, ReplyTo("r", "r")))
    record = sim.every(SendRecord)[0].record
    assert record["contextId"] == "context001"
    sim.send(StateAsked("request", "T9", ReplyTo("q", "q")))
    assert sim.answers("q")[0][1].reason == "transaction T9 is not known here; known: T1"


def test_edited_code_restarts_its_services_alone() -> None:
    """Those that are up or have failed, in every transaction; what was stopped stays so."""
    sim = Sim(service("a"), service("b"), service("c"))
    sim.start()
    sim.gone("b", signal=9)
    sim.command("stop", "c")
    sim.ends("c")
    sim.send(RestartAsked(frozenset({"A", "B", "C"})))
    assert sim.state("a") is State.STOPPING
    assert sim.state("b") is State.STARTING
    assert sim.state("c") is State.STOPPED


def test_unknown_action_is_refused() -> None:
    """The verbs are listed."""
    sim = Sim(service("a"))
    sim.command("updated", reply="r")
    assert sim.kinds("r") == ["rejected"]
    assert "expected start, stop, restart, scale, reload or exit" in sim.answers("r")[0][1].reason


def test_start_with_nothing_to_start_is_refused() -> None:
    """Neither the command nor the file names a service."""
    sim = Sim()
    sim.command("start", reply="r")
    assert sim.kinds("r") == ["rejected"]
    assert TX not in sim.engine.table


def test_refused_start_leaves_no_transaction_behind() -> None:
    """A location outside the roots must not make a transaction known."""
    sim = Sim()
    sim.command("start", "z", reply="r")
    assert sim.kinds("r") == ["rejected"]
    assert TX not in sim.engine.table


def test_changes_and_outcomes_are_shown() -> None:
    """The live view sees each state once, and how a command ended though nobody asked for an answer."""
    sim = Sim(service("a"))
    sim.start("a")
    assert [(str(each.old), str(each.new)) for each in sim.traces(ServiceChanged)] == [
        ("defined", "starting"),
        ("starting", "started"),
    ]
    assert [each.kind for each in sim.traces(CommandSettled)] == [AnswerKind.DONE]


def test_single_task_that_is_quicker_than_its_report_was_up() -> None:
    """Its start is done, though nobody saw it started."""
    sim = Sim(service("a"))
    sim.command("start", "a", reply="r")
    sim.gone("a", "stopped", code=0)
    sim.pass_time(1)
    assert sim.kinds("r") == ["accepted", "done"]


def test_deadlines_are_set_for_all_that_waits() -> None:
    """Ready, stop and end each have one."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.command("stop", "a")
    found = [(each.timer, each.at - sim.now) for each in sim.every(SetTimer)]
    assert found == [(Timer.READY, 60.0), (Timer.READY, 10.0), (Timer.STOP, 3.0)]


def test_time_to_report_begins_with_the_process() -> None:
    """Who waits in a long row for its process is not late yet; who never gets one is, in the end."""
    sim = Sim(service("a"), service("b"))
    sim.command("start")
    sim.pass_time(30)
    sim.spawned("a")
    sim.pass_time(9)
    assert sim.state("a") is sim.state("b") is State.STARTING
    sim.up("a")
    sim.pass_time(22)
    assert sim.child("b").killed
