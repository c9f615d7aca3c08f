"""When a child is started again: after which ends, how late, how often."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from context_bus.config.supervision import Restart, RestartWhen
from context_bus.supervise.policy import Again, Ended, GiveUp, Restarts, Stay, Verdict

CONF = Restart(policy=RestartWhen.ON_FAILURE, jitter=0.0)
CRASH = Ended(success=False, was_ready=False, uptime=0.0, how="exit code 3")
LATE_CRASH = Ended(success=False, was_ready=True, uptime=60.0, how="signal SIGSEGV")
WELL = Ended(success=True, was_ready=True, uptime=60.0)


def restarts(conf: Restart = CONF, chance: float = 0.5) -> Restarts:
    return Restarts(conf, lambda: chance)


def crashes(subject: Restarts, times: int, now: float = 100.0) -> list[Verdict]:
    """Let it crash at once after each start."""
    verdicts: list[Verdict] = []
    for _ in range(times):
        verdicts.append(subject.ended(CRASH, now))
        if isinstance(verdicts[-1], Again):
            now = verdicts[-1].at
    return verdicts


@pytest.mark.parametrize(
    ("policy", "after_success", "after_failure"),
    [
        (RestartWhen.NEVER, Stay, Stay),
        (RestartWhen.ON_FAILURE, Stay, Again),
        (RestartWhen.ALWAYS, Again, Again),
    ],
)
def test_policy_says_after_which_ends(policy: RestartWhen, after_success: type, after_failure: type) -> None:
    """Each policy, each kind of end."""
    subject = restarts(replace(CONF, policy=policy))
    assert isinstance(subject.ended(WELL, 100.0), after_success)
    assert isinstance(subject.ended(LATE_CRASH, 200.0), after_failure)


def test_boot_failures_are_delayed_ever_longer() -> None:
    """The delay grows by the factor, from the first delay on."""
    verdicts = crashes(restarts(), 5)
    delays = [each.delay for each in verdicts if isinstance(each, Again)]
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])
    assert [each.streak for each in verdicts if isinstance(each, Again)] == [1, 2, 3, 4, 5]


def test_delay_has_an_upper_bound() -> None:
    """Also after so many failures that the power is no number any more."""
    subject = restarts(replace(CONF, max_restarts=10_000, max_delay=3.0))
    last = crashes(subject, 1_500)[-1]
    assert isinstance(last, Again)
    assert last.delay == 3.0


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.09), (0.5, 0.1), (1.0, 0.11)])
def test_delay_varies_to_either_side(chance: float, delay: float) -> None:
    """By the part that the jitter says, no more."""
    (verdict,) = crashes(restarts(replace(CONF, jitter=0.1), chance), 1)
    assert isinstance(verdict, Again)
    assert verdict.delay == pytest.approx(delay)


@pytest.mark.parametrize(
    ("was_ready", "uptime", "is_boot_failure"),
    [(True, 1.0, False), (True, 0.999, True), (False, 60.0, True)],
)
def test_boot_failure_is_an_early_end(was_ready: bool, uptime: float, is_boot_failure: bool) -> None:
    """Within the shortest uptime, or before it was ready; any other end is followed by a start at once."""
    verdict = restarts().ended(Ended(False, was_ready, uptime), 100.0)
    assert isinstance(verdict, Again)
    assert verdict.is_boot_failure is is_boot_failure
    assert (verdict.at, verdict.delay) == ((100.1, 0.1) if is_boot_failure else (100.0, 0.0))


def test_quick_success_is_a_boot_failure_too() -> None:
    """What ends well at once and is always wanted is not started as fast as it ends."""
    subject = restarts(replace(CONF, policy=RestartWhen.ALWAYS))
    verdict = subject.ended(Ended(True, True, 0.01), 100.0)
    assert isinstance(verdict, Again)
    assert verdict.delay == 0.1


def test_a_long_life_ends_the_streak() -> None:
    """The next boot failure begins with the first delay again."""
    subject = restarts()
    crashes(subject, 3)
    assert subject.streak == 3
    subject.ended(LATE_CRASH, 200.0)
    assert subject.streak == 0
    (verdict,) = crashes(subject, 1, 300.0)
    assert isinstance(verdict, Again)
    assert verdict.delay == 0.1


def test_settled_ends_the_streak() -> None:
    """A child that has lived long enough needs not end for its failures to be forgotten."""
    subject = restarts()
    crashes(subject, 3)
    subject.settled()
    assert subject.streak == 0


def test_too_many_restarts_are_fatal() -> None:
    """The sixth within the window is refused, in words that name numbers and remedy."""
    *granted, last = crashes(restarts(), 6)
    assert all(isinstance(each, Again) for each in granted)
    assert isinstance(last, GiveUp)
    assert last.reason == (
        "fatal: restarted 5 times within 10 s, last: exit code 3 after 0 s; "
        "a restart command tries again; see max_restarts"
    )


def test_restarts_out_of_the_window_do_not_count() -> None:
    """One per window can go on for ever."""
    subject = restarts(replace(CONF, max_restarts=1))
    for turn in range(20):
        assert isinstance(subject.ended(LATE_CRASH, 100.0 + 10.0 * turn), Again)
    assert isinstance(subject.ended(msgspec.structs.replace(LATE_CRASH, uptime=9.9), 299.9), GiveUp)


def test_a_start_counts_from_when_it_happened() -> None:
    """What had to wait for others started later than promised, and the next end is nearer than it seems."""
    subject = restarts(replace(CONF, max_restarts=1))
    assert isinstance(subject.ended(LATE_CRASH, 100.0), Again)
    # It started at 109, not at 100, so a start at 111 would be the second within ten seconds.
    assert isinstance(subject.ended(Ended(False, True, 2.0), 111.0), GiveUp)


def test_no_restart_allowed_is_fatal_at_once() -> None:
    """A bound of zero, with words of its own."""
    verdict = restarts(replace(CONF, max_restarts=0)).ended(LATE_CRASH, 100.0)
    assert verdict == GiveUp(
        "fatal: signal SIGSEGV, and max_restarts is 0; a restart command tries again; see max_restarts"
    )


def test_giving_up_lasts_until_forgiven() -> None:
    """No time heals it, a command does, and then all counts begin anew."""
    subject = restarts()
    given_up = crashes(subject, 6)[-1]
    assert subject.ended(WELL, 9_999.0) == given_up == GiveUp(subject.fatal)
    subject.forgive()
    assert subject.fatal == ""
    (verdict,) = crashes(subject, 1)
    assert verdict == Again(100.1, 0.1, number=1, streak=1)


def test_counts_survive_the_provider() -> None:
    """The next provider, on a machine whose clock began anew, goes on where the last one stopped."""
    subject = restarts()
    crashes(subject, 4, now=100.0)
    memory = json.loads(json.dumps(subject.to_memory(now=101.5, wall=1_000_000.0)))
    other = Restarts.from_memory(CONF, lambda: 0.5, memory, now=7.0, wall=1_000_000.5)
    fifth = other.ended(CRASH, 7.0)
    assert fifth == Again(7.0 + 1.6, 1.6, number=5, streak=5)
    assert isinstance(other.ended(CRASH, 8.6), GiveUp)
    again = Restarts.from_memory(CONF, lambda: 0.5, other.to_memory(8.6, 1_000_002.1), 0.0, 1_000_003.0)
    assert again.fatal == other.fatal != ""


def test_a_wall_clock_put_back_does_not_count_for_ever() -> None:
    """Starts that seem to lie in the future are not taken for more than a longest delay away."""
    subject = restarts(replace(CONF, max_delay=1.0))
    crashes(subject, 5, now=100.0)
    memory = subject.to_memory(now=103.1, wall=1_000_000.0)
    other = Restarts.from_memory(replace(CONF, max_delay=1.0), lambda: 0.5, memory, 50.0, wall=500_000.0)
    assert isinstance(other.ended(LATE_CRASH, 62.0), Again)
