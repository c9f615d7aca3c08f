"""When a child counts as hung, by its heartbeats or by attempts to ask it."""

from __future__ import annotations

import math

from context_bus.config.supervision import Liveness, LivenessKind, Probe
from context_bus.supervise.liveness import Pulse

HEARTBEAT = Liveness(LivenessKind.HEARTBEAT, Probe(every=2.0))
TCP = Liveness(LivenessKind.TCP, Probe(every=2.0, timeout=1.0), failures=3)


def test_heartbeat_is_lost_after_two_and_a_half_periods() -> None:
    """Not before, and it is told once."""
    pulse = Pulse(HEARTBEAT, 100.0)
    assert pulse.deadline == 105.0
    assert not pulse.is_lost(104.9)
    assert pulse.is_lost(105.0)
    assert not pulse.is_lost(105.1)
    assert pulse.deadline == math.inf


def test_who_sleeps_until_the_deadline_is_told_in_time() -> None:
    """A single look, as late as timers are, is no absence."""
    pulse = Pulse(HEARTBEAT, 100.0)
    assert pulse.is_lost(pulse.deadline + 0.1)


def test_every_beat_puts_the_deadline_off() -> None:
    """As long as it beats it lives."""
    pulse = Pulse(HEARTBEAT, 100.0)
    for now in (102.0, 104.0, 108.9):
        pulse.beat(now)
        assert not pulse.is_lost(now)
    assert pulse.deadline == 113.9


def test_a_beat_after_the_end_is_too_late() -> None:
    """Who was told lost is being ended; it does not come back, nor is it told again."""
    pulse = Pulse(HEARTBEAT, 100.0)
    assert pulse.is_lost(105.0)
    pulse.beat(105.5)
    assert pulse.deadline == math.inf
    assert not pulse.is_lost(120.0)


def test_after_an_absence_one_more_period_is_granted() -> None:
    """A supervisor that was stopped condemns nobody for its own silence, but does not wait for ever."""
    pulse = Pulse(HEARTBEAT, 100.0)
    pulse.beat(102.0)
    assert not pulse.is_lost(200.0)
    assert pulse.deadline == 202.0
    assert not pulse.is_lost(201.0)
    assert pulse.is_lost(202.0)


def test_a_beat_after_an_absence_is_as_good_as_ever() -> None:
    """The beats that lay unread meanwhile are read, and all is well."""
    pulse = Pulse(HEARTBEAT, 100.0)
    assert not pulse.is_lost(200.0)
    pulse.beat(200.1)
    assert pulse.deadline == 205.1


def test_a_busy_onlooker_is_no_absence() -> None:
    """Looks that come regularly see a silence that is real, however late the last of them is."""
    pulse = Pulse(HEARTBEAT, 100.0)
    assert not pulse.is_lost(103.0)
    assert pulse.is_lost(106.5)


def test_failures_in_a_row_are_counted() -> None:
    """A good answer in between begins anew; the third in a row is one too many, told once."""
    pulse = Pulse(TCP, 100.0)
    answers = [False, False, True, False, False, False, False]
    assert [pulse.attempt(ok, 102.0 + 2.0 * turn) for turn, ok in enumerate(answers)] == [
        False,
        False,
        False,
        False,
        False,
        True,
        False,
    ]
    assert pulse.failures == 3


def test_an_attempt_across_an_absence_does_not_count() -> None:
    """It failed since whoever asked was stopped."""
    pulse = Pulse(Liveness(LivenessKind.TCP, Probe(every=2.0, timeout=1.0), failures=1), 100.0)
    assert not pulse.attempt(False, 200.0)
    assert pulse.attempt(False, 202.0)


def test_what_is_asked_has_no_deadline() -> None:
    """And what beats is not asked."""
    pulse = Pulse(TCP, 100.0)
    assert pulse.deadline == math.inf
    assert not pulse.is_lost(9_999.0)
    assert not any(Pulse(HEARTBEAT, 100.0).attempt(False, 100.0 + turn) for turn in range(5))
