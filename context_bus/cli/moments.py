"""Times as people say them: ``1h`` ago, ``10:30``, ``yesterday``, a date. Pure; the present comes in."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import TypeVar

import click

from context_bus.config.quantities import parse_duration

F = TypeVar("F", bound=Callable[..., object])

#: What is expected, for messages.
EXPECTED = "expected a time ago such as 90s, 1h30m or 7d, a time such as 10:30, or 2026-03-28 10:30"

#: Intervals that people think in, in seconds.
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400)

_EPOCH = re.compile(r"@(?P<seconds>[0-9]{1,12}(?:\.[0-9]{1,9})?)")
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?")
_DAYS = {"today": 0, "yesterday": 1}


def parse_moment(text: str, now: float) -> float:
    """Read a time.

    Args:
        text: A duration before now (``1h``, with or without ``ago`` or a minus), ``now``, ``today``,
            ``yesterday``, ``HH:MM[:SS]`` (the last one that was), a date with or without a time (of the
            local zone, unless it names one), or ``@`` with seconds since the epoch.
        now: Seconds since the epoch.

    Returns:
        Seconds since the epoch.

    Raises:
        ValueError: It is none, with what was expected.
    """
    text = " ".join(text.split())
    word = text.lower().removesuffix(" ago").removeprefix("-")
    present = datetime.fromtimestamp(now)
    if word == "now":
        return now
    if word in _DAYS:
        return _midnight(present.date() - timedelta(days=_DAYS[word]))
    if found := _EPOCH.fullmatch(text):
        return float(found["seconds"])
    if _CLOCK.fullmatch(text):
        return _last_clock(text, present)
    try:
        return now - parse_duration(word)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"'{text}' is no time: {EXPECTED}") from None


def _midnight(day: date) -> float:
    return datetime.combine(day, clock()).timestamp()


def _last_clock(text: str, present: datetime) -> float:
    """The last time that clocks showed this."""
    hours, minutes, seconds = ([int(part) for part in text.split(":")] + [0])[:3]
    try:
        moment = datetime.combine(present.date(), clock(hours, minutes, seconds))
    except ValueError:
        raise ValueError(f"'{text}' is no time of a day: {EXPECTED}") from None
    return (moment if moment <= present else moment - timedelta(days=1)).timestamp()


class Moment(click.ParamType[float]):
    """A time, read when the command line is."""

    name = "time"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; a number is one that was read before."""
        if not isinstance(value, str):
            return value
        try:
            return parse_moment(value, time.time())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Duration(click.ParamType[float]):
    """A duration with units: ``30s``, ``1m``, ``1h``."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        if not isinstance(value, str):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def range_options(since: str = "1h") -> Callable[[F], F]:
    """Add ``--since`` and ``--until``.

    Args:
        since: From when, unless something else is said.
    """

    def decorate(function: F) -> F:
        for option in (
            click.option(
                "--until", type=Moment(), default="now", show_default=True, help="Until then, as --since."
            ),
            click.option(
                "--since",
                type=Moment(),
                default=since,
                show_default=True,
                help="From then on: 90s, 1h30m or 7d ago, 10:30, yesterday, '2026-03-28 10:30', @EPOCH.",
            ),
        ):
            function = option(function)
        return function

    return decorate


def check_range(since: float, until: float) -> None:
    """Refuse a time that ends before it begins.

    Raises:
        click.UsageError: It does.
    """
    if not since < until or not math.isfinite(until - since):
        raise click.UsageError("--since must be before --until")


def fitting_step(seconds: float, count: int) -> float:
    """The shortest of such intervals of which at most so many make up a time; whole days beyond."""
    return next(
        (step for step in STEPS if seconds / step <= count), 86400 * math.ceil(seconds / 86400 / count)
    )
