"""When a child that gives signs of life now and then counts as silent, stalled and lost."""

from __future__ import annotations

import math

from context_bus.supervise.silence import Degree, Silence


def test_silence_grows_by_degrees() -> None:
    """Each is told once, at its time and not before; after the last there is nothing to look for."""
    silence = Silence(8.0, 100.0)
    times = (100.0, 101.9, 102.0, 103.9, 104.0, 107.9, 108.0, 108.1, 200.0)
    seen = [(now, silence.look(now)) for now in times]
    assert [each for each in seen if each[1]] == [
        (102.0, Degree.SILENT),
        (104.0, Degree.STALLED),
        (108.0, Degree.LOST),
    ]
    assert silence.next_look == math.inf


def test_next_look_is_when_the_next_degree_begins() -> None:
    """So that whoever looks need not look more often."""
    silence = Silence(8.0, 100.0)
    for due in (102.0, 104.0, 108.0):
        assert silence.next_look == due
        assert silence.look(due) is not None


def test_every_sign_of_life_begins_anew() -> None:
    """And tells whether there was a silence to end."""
    silence = Silence(8.0, 100.0)
    assert not silence.heard(101.0)
    assert silence.look(103.0) is Degree.SILENT
    assert silence.heard(103.5)
    assert silence.next_look == 105.5
    assert not silence.heard(104.0)


def test_sign_of_life_after_the_end_is_too_late() -> None:
    """Who is lost is being ended already."""
    silence = Silence(8.0, 100.0)
    assert silence.look(108.0) is Degree.LOST
    assert not silence.heard(108.5)
    assert silence.next_look == math.inf


def test_look_that_is_a_little_late_sees_what_is_due() -> None:
    """Timers are late on a busy machine; several degrees may be due at once."""
    silence = Silence(8.0, 100.0)
    assert silence.look(109.9) is Degree.LOST


def test_onlooker_that_was_away_condemns_nobody() -> None:
    """Half of the timeout is granted anew, once for each absence, not for ever."""
    silence = Silence(8.0, 100.0)
    assert silence.look(500.0) is Degree.STALLED
    assert silence.next_look == 504.0
    assert silence.look(503.9) is None
    assert silence.look(504.0) is Degree.LOST


def test_degrees_have_words() -> None:
    """With the numbers of this child."""
    silence = Silence(8.0, 100.0)
    assert silence.say(Degree.SILENT) == "silent: no feedback for 2 of 8 s"
    assert silence.say(Degree.STALLED) == "stalled: no feedback for 4 of 8 s"
    assert silence.say(Degree.LOST) == "no feedback for 8 s"
