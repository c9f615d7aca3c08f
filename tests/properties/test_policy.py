"""What decides about children, under any sequence of ends, delays, commands, beats and absences.

The machine plays one child, the services it requires, and a supervisor that is late, stopped or replaced
now and then. It keeps its own books, from what really happened, and compares. Planted bugs prove that
the net holds.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from context_bus.config.supervision import (
    Condition,
    Liveness,
    LivenessKind,
    Probe,
    Requirement,
    Restart,
    RestartWhen,
)
from context_bus.supervise import liveness, order
from context_bus.supervise.liveness import Pulse
from context_bus.supervise.order import Blocked, Facts, Gate, Open, StopOrder, Waits
from context_bus.supervise.policy import Again, Ended, GiveUp, Restarts, Stay

OTHERS = ("db", "cache", "init")
#: What conversions between two clocks may lose, in seconds.
LOST = 1e-5
PERIOD = 2.0

confs = st.builds(
    Restart,
    policy=st.sampled_from([*RestartWhen, RestartWhen.ON_FAILURE, RestartWhen.ALWAYS]),
    delay=st.sampled_from([0.0, 0.1, 1.0]),
    factor=st.sampled_from([1.0, 1.5, 2.0]),
    max_delay=st.sampled_from([1.0, 2.0, 30.0]),
    jitter=st.sampled_from([0.0, 0.1, 0.5]),
    max_restarts=st.integers(0, 5),
    window=st.sampled_from([1.0, 10.0, 60.0]),
    min_uptime=st.sampled_from([0.0, 1.0, 5.0]),
)
requirements = st.lists(
    st.builds(Requirement, st.sampled_from(OTHERS), st.sampled_from(Condition)), max_size=3
)
facts = st.builds(Facts, st.booleans(), st.booleans(), st.booleans(), st.booleans())
pauses = st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.0, 4.0, 11.0])


class Supervised(RuleBasedStateMachine):
    """One child: restarted, let in by a gate, and watched."""

    @initialize(
        conf=confs,
        required=requirements,
        seed=st.integers(0, 2**16),
        kind=st.sampled_from([LivenessKind.HEARTBEAT, LivenessKind.HTTP]),
    )
    def open(self, conf: Restart, required: list[Requirement], seed: int, kind: LivenessKind) -> None:
        """Any configuration."""
        self.conf, self.required = conf, required
        self.rng = random.Random(seed).random
        self.restarts = Restarts(conf, self.rng)
        self.gate = Gate(required)
        self.facts: dict[str, Facts] = {}
        self.watched = Liveness(kind, Probe(every=PERIOD, timeout=0.0), failures=2)
        self.now, self.wall = 1000.0, 1_700_000_000.0
        self._begin(self.now)
        self.pending: Again | None = None
        self.given_up = ""
        self.restarted: list[float] = []
        self.streak = 0

    def _begin(self, now: float) -> None:
        self.started: float | None = now
        self.pulse = Pulse(self.watched, now)
        self.beaten = self.looked = now
        self.was_regular, self.was_told, self.failures = True, False, 0

    # -- time and others -----------------------------------------------------------------------

    @rule(seconds=pauses)
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.wall += seconds

    @rule(name=st.sampled_from(OTHERS), how_far=facts)
    def move(self, name: str, how_far: Facts) -> None:
        """Something happens to another service."""
        self.facts[name] = how_far

    @rule(since_boot=st.floats(0.0, 1e6), seconds=pauses)
    def replace_supervisor(self, since_boot: float, seconds: float) -> None:
        """The supervisor dies; another one reads the record, perhaps after a reboot of the machine."""
        memory = json.loads(json.dumps(self.restarts.to_memory(self.now, self.wall)))
        self.wall += seconds
        shift = since_boot - self.now - seconds
        self.now = since_boot
        self.restarts = Restarts.from_memory(self.conf, self.rng, memory, self.now, self.wall)
        self.restarted = [each + shift for each in self.restarted]
        if self.pending is not None:
            self.pending = Again(self.pending.at + shift, self.pending.delay, 1, self.pending.streak)
        if self.started is not None:
            self.started += shift
            self._begin_watch()

    def _begin_watch(self) -> None:
        started = self.started
        self._begin(self.now)
        self.started = started

    # -- the child -----------------------------------------------------------------------------

    @precondition(lambda self: self.started is not None)
    @rule(success=st.booleans(), was_ready=st.booleans())
    def end(self, success: bool, was_ready: bool) -> None:
        """It ends by itself."""
        assert self.started is not None
        uptime, self.started = self.now - self.started, None
        verdict = self.restarts.ended(Ended(success, was_ready, uptime), self.now)
        self.pending = verdict if isinstance(verdict, Again) else None
        if self.given_up:
            assert verdict == GiveUp(self.given_up), "given up is final"
            return
        self._judge(verdict, success, is_boot_failure=not was_ready or uptime < self.conf.min_uptime)

    def _judge(self, verdict: Again | GiveUp | Stay, success: bool, *, is_boot_failure: bool) -> None:
        policy = self.conf.policy
        wanted = policy is RestartWhen.ALWAYS or (policy is RestartWhen.ON_FAILURE and not success)
        assert wanted is not isinstance(verdict, Stay), "stays when it is not wanted, else not"
        self.streak = self.streak + 1 if is_boot_failure else 0
        match verdict:
            case GiveUp(reason):
                self.given_up = reason
                recent = [each for each in self.restarted if self.now - each < self.conf.window + LOST]
                assert len(recent) >= self.conf.max_restarts, "given up too early"
                assert "max_restarts" in reason
            case Again():
                self._check_delay(verdict)

    def _check_delay(self, verdict: Again) -> None:
        conf = self.conf
        assert verdict.at >= self.now, "no start lies in the past"
        assert verdict.streak == self.streak, "boot failures in a row are counted"
        if self.streak == 0:
            assert verdict.delay == 0.0, "after a long life it is started at once"
            return
        # Within the bounds, and monotone within a streak up to the jitter.
        grown = min(conf.delay * conf.factor ** (self.streak - 1), conf.max_delay)
        low, high = grown * (1 - conf.jitter), grown * (1 + conf.jitter)
        assert low - LOST <= verdict.delay <= high + LOST, "the delay grows, and varies by the jitter"

    @precondition(lambda self: self.started is not None)
    @rule(times=st.integers(2, 6), uptime=pauses, late=pauses)
    def loop(self, times: int, uptime: float, late: float) -> None:
        """It fails again and again; a first time it has to wait."""
        self.facts = {name: Facts(exists=True, ready=True, completed=True) for name in OTHERS}
        for turn in range(times):
            if self.started is not None:
                self.wait(uptime)
                self.end(success=False, was_ready=True)
            if self.pending is not None:
                self.start_again(late if turn == 0 else 0.0)
            self.never_too_often()

    @precondition(lambda self: self.started is not None)
    @rule(is_asked=st.booleans())
    def leave_alone(self, is_asked: bool) -> None:
        """The supervisor was stopped for a while, and looks as soon as it goes on."""
        self.wait(11.0)
        if is_asked:
            self.answer(ok=False)
        else:
            self.look(is_asleep_until_then=False)

    @precondition(lambda self: self.pending is not None)
    @rule(late=pauses)
    def start_again(self, late: float) -> None:
        """It is due, and starts if the gate is open; perhaps late."""
        assert self.pending is not None
        due = max(self.now, self.pending.at) + late
        self.wall += due - self.now
        self.now = due
        if self.gate.ask(self.facts) == Open():
            self.pending = None
            self.restarted.append(self.now)
            self._begin(self.now)

    @precondition(lambda self: self.started is None)
    @rule()
    def command(self) -> None:
        """Somebody commands it to start."""
        self.restarts.forgive()
        self.given_up, self.streak, self.pending = "", 0, None
        self.restarted.clear()
        self._begin(self.now)

    # -- its pulse -----------------------------------------------------------------------------

    @precondition(lambda self: self.started is not None)
    @rule()
    def beat(self) -> None:
        """It gives a sign of life."""
        self.pulse.beat(self.now)
        self.beaten = self.looked = self.now
        self.was_regular = True

    @precondition(lambda self: self.started is not None)
    @rule(is_asleep_until_then=st.booleans())
    def look(self, is_asleep_until_then: bool) -> None:
        """The supervisor looks: now, or when the pulse says so."""
        if is_asleep_until_then and self.now < self.pulse.deadline < float("inf"):
            self.wall += self.pulse.deadline - self.now
            self.now = self.looked = self.pulse.deadline
        was_away = self._note_look()
        deadline = self.pulse.deadline
        is_lost = self.pulse.is_lost(self.now)
        silence = self.now - self.beaten
        if is_lost:
            assert self.watched.kind is LivenessKind.HEARTBEAT
            assert silence >= 2.5 * PERIOD - LOST, "nobody is condemned early"
            assert not (was_away and self.now - deadline > PERIOD), "nobody is condemned for an absence"
        elif self.watched.kind is LivenessKind.HEARTBEAT and not self.was_told:
            assert silence < 2.5 * PERIOD + LOST or not self.was_regular, "a silence is noticed"
            assert silence < 3.5 * PERIOD + LOST or was_away or self.pulse.deadline > self.now, (
                "and at last for sure"
            )
        self._note_told(is_lost)

    @precondition(lambda self: self.started is not None)
    @rule(ok=st.booleans())
    def answer(self, ok: bool) -> None:
        """It was asked, and has answered or not."""
        was_away = self._note_look()
        is_lost = self.pulse.attempt(ok, self.now)
        if self.watched.kind is LivenessKind.HEARTBEAT:
            assert not is_lost
        elif not self.was_told:
            self.failures = 0 if ok else self.failures + (not was_away)
            assert is_lost == (self.failures >= self.watched.failures), "failures in a row are counted"
        self._note_told(is_lost)

    def _note_look(self) -> bool:
        was_away = self.now - self.looked > 2.0 * PERIOD
        self.was_regular = self.was_regular and not was_away
        self.looked = self.now
        return was_away

    def _note_told(self, is_lost: bool) -> None:
        assert not (is_lost and self.was_told), "lost is told once"
        self.was_told = self.was_told or is_lost

    # -- what holds ----------------------------------------------------------------------------

    @invariant()
    def never_too_often(self) -> None:
        """In no window are there more restarts than allowed, by the time at which they happened."""
        for first in self.restarted:
            within = [each for each in self.restarted if 0 <= each - first < self.conf.window - LOST]
            assert len(within) <= self.conf.max_restarts

    @invariant()
    def the_gate_tells_the_truth(self) -> None:
        """Open means that all holds, shut that something does not; failure for good is never waited for."""
        answer = self.gate.ask(self.facts)
        known = [(each, self.facts.get(each.service_id, Facts())) for each in self.required]
        unmet = [(each.service_id, each.condition) for each, facts in known if not _holds(each, facts)]
        assert (answer == Open()) is not bool(unmet)
        if any(facts.failed for _, facts in known):
            assert isinstance(answer, Blocked)
        if isinstance(answer, Waits):
            assert (answer.for_whom, answer.condition) in unmet


def _holds(requirement: Requirement, facts: Facts) -> bool:
    holding = {
        Condition.STARTED: facts.exists or facts.ready or facts.completed,
        Condition.READY: facts.ready,
        Condition.COMPLETED: facts.completed,
    }
    return holding[requirement.condition] and not facts.failed


Supervised.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSupervised = Supervised.TestCase


@given(
    edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14),
    ids=st.sets(st.integers(0, 7)),
)
def test_stop_levels_keep_the_order(edges: list[tuple[int, int]], ids: set[int]) -> None:
    """All are stopped, each once; without circles each dependent before what it requires."""
    needs: dict[str, list[Requirement]] = {}
    for dependent, required in edges:
        # Higher numbers require lower ones, unless both are odd: among those there may be circles.
        is_free = dependent % 2 and required % 2
        pair = (dependent, required) if is_free else (max(dependent, required), min(dependent, required))
        if pair[0] != pair[1]:
            needs.setdefault(str(pair[0]), []).append(Requirement(str(pair[1])))
    names = {str(number) for number in ids}
    stop_order = StopOrder(needs)
    levels = stop_order.levels(names)
    assert sorted(name for level in levels for name in level) == sorted(names)
    assert all(levels)
    stopped: set[str] = set()
    for level in levels:
        assert not any(stop_order.holders(name, names - stopped) for name in level)
        stopped |= set(level)
    place = {name: number for number, level in enumerate(levels) for name in level}
    for dependent, each in needs.items():
        for required in (requirement.service_id for requirement in each):
            is_clear = int(dependent) % 2 == 0 or int(required) % 2 == 0
            if (
                is_clear
                and {dependent, required} <= names
                and not _between_circles(needs, dependent, required)
            ):
                assert place[dependent] < place[required]


def _between_circles(needs: dict[str, list[Requirement]], dependent: str, required: str) -> bool:
    """Whether a way leads back, or the requirement lies between two circles."""
    return _reaches_itself(needs, dependent, set()) or _reaches_itself(needs, required, set())


def _reaches_itself(needs: dict[str, list[Requirement]], name: str, seen: set[str]) -> bool:
    """Whether a circle can be reached from here."""
    for requirement in needs.get(name, []):
        if requirement.service_id in seen:
            return True
        if _reaches_itself(needs, requirement.service_id, seen | {name, requirement.service_id}):
            return True
    return False


# -- the net holds -----------------------------------------------------------------------------

Mutation = Callable[[pytest.MonkeyPatch], None]


def mutate(owner: object, name: str, value: Any) -> Mutation:
    """A planted bug: another function or constant in the place of the right one."""
    return lambda patch: patch.setattr(owner, name, value)


_ended = Restarts.ended


def _forget_streak(self: Restarts, ending: Ended, now: float) -> Any:
    self._streak = 0
    return _ended(self, ending, now)


def _tell_again(self: Pulse) -> bool:
    return True


BUGS = {
    "off by one in the window": mutate(
        Restarts, "_is_too_often", lambda self: len(self._starts) > self._conf.max_restarts
    ),
    "jitter doubled": mutate(
        Restarts, "_factor_of_chance", lambda self: 1 + 2 * self._conf.jitter * (2 * self._rng() - 1)
    ),
    "streak forgotten": mutate(Restarts, "ended", _forget_streak),
    "delay without bound": mutate(
        Restarts, "_grown", lambda self: self._conf.delay * self._conf.factor ** (self._streak - 1)
    ),
    "starts counted from when they were planned": mutate(
        Restarts, "_correct_last_start", lambda self, started: None
    ),
    "window without end": mutate(Restarts, "_forget_before", lambda self, at: None),
    "restart after success": mutate(Restarts, "_is_wanted", lambda self, ending: True),
    "early end of a ready child is none": mutate(
        Restarts, "_is_boot_failure", lambda self, ending: not ending.was_ready
    ),
    "gate ignores failure": mutate(order, "_hopeless", lambda requirement, facts: ""),
    "gate opens for a process that is not ready": mutate(
        order, "_is_met", lambda requirement, facts: facts.exists and not facts.failed
    ),
    "lost is told again": mutate(Pulse, "_tell", _tell_again),
    "condemned after two periods": mutate(liveness, "SILENCE", 2.0),
    "absence condemns": mutate(Pulse, "_look", lambda self, now: False),
    "every look is an absence": mutate(liveness, "ABSENCE", -1.0),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these turns the net red."""
    BUGS[bug](monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Supervised,
            settings=settings(
                # What is generated depends on the constants of all modules that are loaded by then.
                max_examples=1000,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
