"""The engine under any sequence of commands, reports, deaths and delays: what holds whatever happens.

The machine plays shell, services and commanders at once. Invariants are looked at after every step; at
the end everybody is obedient for a while, and then every command must have been answered, exactly
once, and nothing may be left half way.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from context_bus.config.model import Action
from context_bus.config.supervision import Readiness, ReadinessKind
from context_bus.context.events import (
    ChildFrozen,
    LeaveAsked,
    LifeLost,
    ProbeAnswered,
    ProcessSeen,
    Reported,
    SpawnFailed,
    Timer,
)
from context_bus.context.instructions import EndChild, PublishProcess, SendAnswer, SpawnChild, TellService
from context_bus.context.member import REMEMBERED_SENDERS
from context_bus.context.states import ALIVE, DOWN, PENDING, RUNNING, TRANSIENT, State
from context_bus.context.trace import TransitionFired
from tests.context.sim import Child, Sim, kept, restarting, service

IDS = ("a", "b", "c")
#: Ready after a while, without being asked.
TIMED = Readiness(ReadinessKind.TIME, after=0.3)
TRANSACTIONS = ("T1", "T2")
ids = st.lists(st.sampled_from((*IDS, "unknown")), max_size=4)
transactions = st.sampled_from(TRANSACTIONS)
actions = st.sampled_from(["start", "stop", "restart"])
which = st.integers(min_value=0, max_value=11)


class Contexts(RuleBasedStateMachine):
    """Two transactions of three services that act on each other."""

    @initialize(
        actions=st.lists(st.sampled_from(list(Action)), min_size=4, max_size=4),
        calls=st.lists(st.sampled_from(["a", "b", "c", "a,b", "b,c"]), min_size=4, max_size=4),
        policies=st.lists(st.sampled_from(["never", "on_failure", "always"]), min_size=3, max_size=3),
        requires=st.sampled_from(["", "a", "b", "a,b"]),
        condition=st.sampled_from(["started", "ready", "completed"]),
        readiness=st.sampled_from([Readiness(), Readiness(ReadinessKind.TCP), TIMED]),
    )
    def open(
        self,
        actions: list[Action],
        calls: list[str],
        policies: list[str],
        requires: str,
        condition: str,
        readiness: Readiness,
    ) -> None:
        """Any transitions and policies whatever."""
        pairs = [(str(action), target) for action, target in zip(actions, calls, strict=True)]
        keep = [restarting(policy, max_delay=2.0) for policy in policies]
        a = service("a", "on_start", on_exit=pairs[0], on_fail=pairs[1])
        b = service("b", "deferred", on_start=pairs[2])
        c = service("c", "start_now", on_update=pairs[3])
        self.sim = Sim(
            kept(a, restart=keep[0], instances=2),
            kept(b, restart=keep[1], readiness=readiness),
            kept(c, restart=keep[2], requires=requires, condition=condition),
        )
        self.requests = 0
        self.dead: list[Child] = []
        self.looked = self.answered = 0
        self.finals: set[str] = set()

    # -- commanders ----------------------------------------------------------------------------

    @rule(
        action=st.sampled_from(["start", "stop", "restart"]),
        names=ids,
        tx=transactions,
        everyone=st.booleans(),
    )
    def command(self, action: str, names: list[str], tx: str, everyone: bool) -> None:
        """Any command, with an inbox of its own."""
        self.requests += 1
        name = "all" if everyone else "context"
        self.sim.command(action, *names, tx=tx, name=name, reply=f"r{self.requests}")

    @rule(
        action=st.sampled_from(["start", "stop", "restart", "dance"]),
        name=st.sampled_from(IDS),
        tx=transactions,
    )
    def process_frame(self, action: str, name: str, tx: str) -> None:
        """What an old client says to a service."""
        self.sim.send(ProcessSeen(action, tx, name))

    @precondition(lambda self: self.requests > 3)
    @rule(by_command=st.booleans())
    def leave(self, by_command: bool) -> None:
        """The end, by command or by signal."""
        if by_command:
            self.requests += 1
            self.sim.command("exit", reply=f"r{self.requests}")
        else:
            self.sim.send(LeaveAsked("SIGTERM"))

    # -- services ------------------------------------------------------------------------------

    def _child(self, number: int) -> Child | None:
        children = list(self.sim.children.values())
        return children[number % len(children)] if children else None

    @rule(number=which, action=st.sampled_from(["created", "started", "updated", "updated"]))
    def report(self, number: int, action: str) -> None:
        """A service reports; also what it should not."""
        child = self._child(number)
        if child is not None:
            tx, name = child.spawn.key
            self.sim.report(name, action, tx=tx)

    @rule(number=which)
    def obey(self, number: int) -> None:
        """A service does what it was told."""
        child = self._child(number)
        if child is not None:
            self._obey(child)

    @rule(number=which, complaint=st.sampled_from(["", "connection refused"]))
    def answer_probe(self, number: int, complaint: str) -> None:
        """A readiness probe is answered, asked for or not."""
        child = self._child(number)
        if child is not None:
            self.sim.send(ProbeAnswered(child.spawn.key, child.spawn.incarnation, complaint))

    @rule(number=which)
    def hang(self, number: int) -> None:
        """A service does not answer any more."""
        child = self._child(number)
        if child is not None:
            self.sim.send(ChildFrozen(child.spawn.key, child.spawn.incarnation, True))
            self.sim.send(LifeLost(child.spawn.key, child.spawn.incarnation, "no answer"))

    @rule(number=which, failing=st.booleans())
    def end(self, number: int, failing: bool) -> None:
        """A service ends by itself."""
        child = self._child(number)
        if child is not None:
            tx, name = child.spawn.key
            self.dead.append(child)
            self.sim.ends(name, "failed" if failing else "stopped", tx=tx)

    @rule(number=which, silent=st.booleans())
    def die(self, number: int, silent: bool) -> None:
        """A process dies, without a word on the bus."""
        child = self._child(number)
        if child is not None:
            tx, name = child.spawn.key
            self.dead.append(child)
            if silent:
                self.sim.gone(name, tx=tx, signal=9)
            else:
                self.sim.gone(name, "stopped", tx=tx, code=0)

    @rule(number=which)
    def refuse_spawn(self, number: int) -> None:
        """The system makes no process; known before it could report."""
        child = self._child(number)
        if child is not None:
            key = child.spawn.key
            if self.sim.member(key.service_id, key.transaction).sender == "":
                del self.sim.children[key]
                self.sim.send(SpawnFailed(key, child.spawn.incarnation, "no more processes"))

    @precondition(lambda self: self.dead)
    @rule(number=which, action=st.sampled_from(["created", "started", "updated", "stopped", "failed"]))
    def late_report(self, number: int, action: str) -> None:
        """A report of a process that is gone arrives at last."""
        child = self.dead[number % len(self.dead)]
        tx, name = child.spawn.key
        member = self.sim.member(name, tx)
        was, behind = member.state, member.incarnation - child.spawn.incarnation
        self.sim.send(Reported(tx, name, action, "success", child.pid, child.sender))
        if 0 < behind < REMEMBERED_SENDERS // 2:
            assert member.state is was

    @rule(seconds=st.sampled_from([0.05, 0.5, 1.5, 4.0, 12.0]))
    def wait(self, seconds: float) -> None:
        """Time passes, deadlines with it; what is killed is gone."""
        self.sim.pass_time(seconds)
        self._bury()

    # -- what holds ----------------------------------------------------------------------------

    def _obey(self, child: Child) -> None:
        tx, name = child.spawn.key
        if child.killed:
            self.dead.append(child)
            self.sim.gone(name, tx=tx, signal=9)
        elif "stop" in child.told:
            self.dead.append(child)
            self.sim.ends(name, tx=tx)
        elif self.sim.state(name, tx) is State.STARTING:
            self.sim.up(name, tx=tx)
        elif self.sim.state(name, tx) is State.WARMING:
            self.sim.send(ProbeAnswered(child.spawn.key, child.spawn.incarnation))

    def _bury(self) -> None:
        for child in [each for each in self.sim.children.values() if each.killed]:
            self._obey(child)

    @invariant()
    def a_process_is_there_or_not(self) -> None:
        """Alive means a process, or one whose last report is awaited; down means none."""
        for member in self.sim.engine.table.members():
            if member.state in DOWN:
                assert member.key not in self.sim.children
                assert member.pid is None
            else:
                assert member.key in self.sim.children or member.gone is not None

    @invariant()
    def whoever_waits_has_a_deadline(self) -> None:
        """Nothing waits for ever."""
        for member in self.sim.engine.table.members():
            if member.state in TRANSIENT or (member.gone is not None and member.state in ALIVE):
                assert member.deadlines or self.sim.children[member.key].killed

    @invariant()
    def commands_wait_for_something(self) -> None:
        """A command waits only for a service that is under way."""
        for member in self.sim.engine.table.members():
            if member.waiting:
                under_way = TRANSIENT | PENDING | {State.CREATED}
                # A stop that has to wait for others finds its service running, but wanted no more.
                assert member.state in under_way or member.gone is not None or not member.is_wanted

    @invariant()
    def a_commanded_stop_is_never_undone(self) -> None:
        """What nobody wants has nothing ahead of it: no start, no delay, no turn in a queue."""
        for member in self.sim.engine.table.members():
            if not member.is_wanted:
                assert member.relaunch is None
                assert member.state not in PENDING

    @invariant()
    def every_delay_has_its_timer(self) -> None:
        """A backoff ends; a timer that is set belongs to a state that waits for it."""
        for member in self.sim.engine.table.members():
            assert (member.state is State.BACKOFF) == (Timer.BACKOFF in member.deadlines)
            if Timer.WARM in member.deadlines:
                assert member.state not in DOWN

    @invariant()
    def instructions_make_sense(self) -> None:
        """Numbers only grow; nobody is told who does not exist; answers end with one final."""
        new = self.sim.log[self.looked :]
        self.looked = len(self.sim.log)
        for instruction in new:
            match instruction:
                case SpawnChild(key=key, incarnation=number):
                    assert number <= self.sim.member(key.service_id, key.transaction).incarnation
                case TellService(key=key, incarnation=number) | EndChild(key=key, incarnation=number):
                    assert number <= self.sim.member(key.service_id, key.transaction).incarnation
                case PublishProcess(action=action):
                    assert action in {"start", "stop", "restart"}

    @invariant()
    def final_answers_are_final(self) -> None:
        """No request gets two outcomes, nor anything after one."""
        new = self.sim.log[self.answered :]
        self.answered = len(self.sim.log)
        for answer in (each for each in new if isinstance(each, SendAnswer)):
            assert answer.reply.request_id not in self.finals, answer
            if answer.kind.is_final:
                self.finals.add(answer.reply.request_id)

    @invariant()
    def nothing_starts_when_leaving(self) -> None:
        """Who leaves stops; no transition acts any more."""
        if self.sim.engine.is_leaving:
            members = self.sim.engine.table.members()
            ending = DOWN | {State.STOPPING, State.ENDING}
            assert all(member.state in ending or not member.is_wanted for member in members)
            assert not any(member.relaunch for member in members)

    def teardown(self) -> None:
        """Everybody obeys and time passes; then all is settled."""
        if not hasattr(self, "sim"):
            return
        for _ in range(120):
            for child in list(self.sim.children.values()):
                self._obey(child)
            self.sim.pass_time(0.05)  # so short that services which restart each other are cut
            self._bury()
        members = self.sim.engine.table.members()
        settled = (DOWN - {State.BACKOFF}) | RUNNING | {State.CREATED}
        assert not {
            (member.key, member.state, member.reason, member.incarnation)
            for member in members
            if member.state not in settled
        }
        waiting = [member for member in members if member.waiting]
        assert {member.state for member in waiting} <= {State.WAITING}
        for member in waiting:
            # What it requires was never started, or ended by command: it waits for somebody to start that.
            self.sim.command("stop", member.key.service_id, tx=member.key.transaction)
        self.final_answers_are_final()
        assert self.finals == {f"r{number}" for number in range(1, self.requests + 1)}
        if self.sim.engine.is_leaving:
            assert self.sim.is_finished()
        self._check_cycles()

    def _check_cycles(self) -> None:
        """However transitions chase each other, short lives come to an end."""
        starts = Counter(each.key for each in self.sim.log if isinstance(each, SpawnChild))
        effects = [each for each in self.sim.traces(TransitionFired) if not each.note]
        assert sum(starts.values()) <= len(effects) + len(IDS) * len(TRANSACTIONS) * (self.requests + 400)


Contexts.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestContexts = Contexts.TestCase


def test_planted_bug_is_found() -> None:
    """The net holds: an engine that launches without waiting for the end is caught at once."""
    sim = Sim(service("a"))
    sim.start("a")
    member = sim.member("a")
    sim.command("restart", "a")
    member.life.state = str(State.STOPPED)  # as if the end had come
    with pytest.raises(AssertionError, match="has two processes"):
        sim.command("start", "a")
