"""Cron expressions come due when crontab(5) says, also where the clock is changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from context_bus.kernel.schedule import check, next_after

ZONE = ZoneInfo("Europe/Vienna")


@pytest.fixture(autouse=True)
def vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A time zone whose clock is changed at 2:00 in spring and at 3:00 in autumn."""
    with monkeypatch.context() as inner:
        inner.setenv("TZ", "Europe/Vienna")
        time.tzset()
        yield
    time.tzset()


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE, fold=fold).timestamp()


def times(expression: str, start: float, count: int) -> list[str]:
    found = []
    for _ in range(count):
        start = next_after(expression, start)
        found.append(datetime.fromtimestamp(start, ZONE).isoformat(" "))
    return found


@pytest.mark.parametrize(
    "expression",
    ["*/5 * * * *", "0 0 29 2 *", "0 9 * * mon-fri", "*/10 * * * * *", "0 0 L * *", "0 0 * 2 MON#5"],
)
def test_sound_expressions_have_no_fault(expression):
    """Leap days, names, seconds, last days."""
    assert check(expression) == ""


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("0 0 30 2 *", "never comes due: no such day in these months"),
        ("0 0 31 2,4,6,9,11 *", "never comes due: no such day in these months"),
        ("* * *", "3 fields, expected minute, hour, day of month, month and day of week"),
        ("@daily", "1 field, expected minute, hour, day of month, month and day of week"),
        ("61 * * * *", "the field minute is malformed"),
        ("* * 32 * *", "the field day-of-month is malformed"),
        ("* * 0 2 *", "the field day-of-month is malformed"),
        ("* * * * blue", "the field day-of-week is malformed"),
        ("*/0 * * * *", "the field minute is malformed"),
        ("1," * 200 + "1 * * * *", "longer than 200 characters"),
        ("", "0 fields, expected minute, hour, day of month, month and day of week"),
    ],
)
def test_faults_are_named(expression, fault):
    """Which field, or that it never comes due."""
    assert check(expression) == fault


@given(st.text("0123456789*/,-L#W ²MONJAN", max_size=20))
@example("* * * * ²L")
@example("99999999999999999999999 * * * *")
def test_any_text_is_judged(text):
    """And whatever is found sound comes due."""
    if not check(text):
        assert next_after(text, 0.0) > 0.0


def test_times_follow_one_another():
    """The moment itself does not count."""
    assert times("*/20 * * * *", at("2026-11-24 20:20"), 3) == [
        "2026-11-24 20:40:00+01:00",
        "2026-11-24 21:00:00+01:00",
        "2026-11-24 21:20:00+01:00",
    ]
    assert next_after("* * * * *", at("2026-11-24 20:20") - 0.001) == at("2026-11-24 20:20")


def test_skipped_time_comes_due_after_the_gap():
    """On the 28th of March 2027 there is no 2:30."""
    assert times("30 2 * * *", at("2027-03-27 12:00"), 2) == [
        "2027-03-28 03:00:00+02:00",
        "2027-03-29 02:30:00+02:00",
    ]


def test_repeated_time_comes_due_once():
    """On the 31st of October 2027 there are two 2:30; the second is asked about as well."""
    assert times("30 2 * * *", at("2027-10-30 12:00"), 2) == [
        "2027-10-31 02:30:00+02:00",
        "2027-11-01 02:30:00+01:00",
    ]
    assert next_after("30 2 * * *", at("2027-10-31 02:15", fold=1)) == at("2027-11-01 02:30")


def test_every_half_hour_comes_due_also_in_the_repeated_hour():
    """What means every so many minutes goes by the time that passes."""
    assert times("*/30 * * * *", at("2027-10-31 02:00"), 4) == [
        "2027-10-31 02:30:00+02:00",
        "2027-10-31 02:00:00+01:00",
        "2027-10-31 02:30:00+01:00",
        "2027-10-31 03:00:00+01:00",
    ]


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "nonsense"])
def test_what_never_comes_due_is_refused(expression):
    """Whoever did not check hears it."""
    with pytest.raises(ValueError, match=expression.replace("*", r"\*")):
        next_after(expression, 0.0)


@given(st.floats(1_000_000_000, 2_500_000_000), st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 3 * * 0"]))
def test_next_is_always_later(wall, expression):
    """Or whoever waits for it would spin."""
    assert next_after(expression, wall) > wall
