"""Values are read as people write them, refused with what was expected, and written back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.config.quantities import (
    MAX_CPU,
    MAX_SECONDS,
    MAX_SIZE,
    parse_codes,
    parse_cpus,
    parse_factor,
    parse_limit,
    parse_part,
    parse_period,
    parse_seconds,
    parse_signal,
    parse_size,
    parse_switch,
    parse_umask,
    parse_whole,
    say_cpus,
    say_limit,
    say_number,
    say_size,
)

LEVEL = partial(parse_whole, low=-20, high=19)


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_seconds, "0", 0.0),
        (parse_seconds, ".5", 0.5),
        (parse_seconds, "1e-3", 0.001),
        (parse_period, "30", 30.0),
        (parse_factor, "1", 1.0),
        (parse_part, "1", 1.0),
        (parse_switch, "0", False),
        (parse_switch, "No", False),
        (parse_switch, "true", True),
        (parse_size, "10MB", 10 * 2**20),
        (parse_size, "1.5 kB", 1536),
        (parse_size, "2GiB", 2 * 2**30),
        (parse_size, "7", 7),
        (parse_size, "7b", 7),
        (parse_limit, "Unlimited", -1),
        (parse_limit, "4k", 4096),
        (parse_umask, "022", 0o22),
        (parse_umask, "0o77", 0o77),
        (parse_cpus, "2-3, 0,3", (0, 2, 3)),
        (parse_codes, "3, 0,3", (3, 0)),
        (parse_signal, "int", "SIGINT"),
        (parse_signal, "SIGHUP", "SIGHUP"),
        (LEVEL, "-5", -5),
    ],
)
def test_values_are_read(parse: Callable[[str], object], text: str, expected: object):
    """As in the reference; text "0" is no."""
    assert parse(text) == expected
    assert type(parse(text)) is type(expected)


@pytest.mark.parametrize(
    ("parse", "texts", "message"),
    [
        (parse_seconds, ["-1", "nan", "inf", "1e999", "3 s", "1_0", "²", "+1", ""], "seconds"),
        (parse_period, ["0", "0.0", "0e5"], "expected more than 0 seconds"),
        (parse_factor, ["0.9", "nan", "x", "1e400"], "expected 1 or more"),
        (parse_part, ["1.1", "-0.1", "x"], "expected 0 to 1"),
        (parse_switch, ["2", "on", ""], "expected one of 1, true, yes, 0, false, no"),
        (parse_size, ["-1", "10TB", "MB", "1.MB", "9" * 30], "such as 10MB"),
        (parse_size, ["9223372036854775808", "9" * 19 + "GB"], "more than any file can hold"),
        (parse_umask, ["8", "0x1", "1777", "-1"], "three octal digits"),
        (parse_cpus, ["3-1", "a", "", "0,", "99999", "0-", "-1"], "such as 0,2-3"),
        (parse_codes, ["256", "-1", "", "0,,1"], "whole number from 0 to 255"),
        (parse_signal, ["TREM"], 'did you mean "SIGTERM"'),
        (parse_signal, ["qqq", "15", ""], "expected a name such as SIGTERM"),
        (parse_signal, ["STOP", "SIGTSTP"], "suspends a process"),
        (LEVEL, ["20", "-21", "1.0", "--1", "9" * 5000], "whole number from -20 to 19"),
    ],
)
def test_other_values_are_refused(parse: Callable[[str], object], texts: list[str], message: str):
    """In one line that says what was expected."""
    for text in texts:
        with pytest.raises(ValueError, match=message):
            parse(text)


@given(st.floats(0.0, MAX_SECONDS))
def test_seconds_survive(seconds):
    """To the last bit."""
    assert parse_seconds(say_number(seconds)) == seconds


@given(st.integers(0, MAX_SIZE), st.sets(st.integers(0, MAX_CPU), min_size=1, max_size=9))
def test_sizes_and_processors_survive(size, cpus):
    """Whatever the unit and the ranges."""
    assert parse_size(say_size(size)) == size
    assert parse_limit(say_limit(size)) == size
    assert parse_limit(say_limit(-1)) == -1
    assert parse_cpus(say_cpus(cpus)) == tuple(sorted(cpus))


def test_values_are_said_shortly():
    """As a person would write them."""
    assert [say_size(size) for size in (0, 1000, 2048, 10 * 2**20, 2**30)] == [
        "0",
        "1000",
        "2kB",
        "10MB",
        "1GB",
    ]
    assert [say_number(number) for number in (30.0, 0.1, 0.0)] == ["30", "0.1", "0"]
    assert say_cpus((0, 2, 3, 4, 6)) == "0,2-4,6"


@given(st.text(max_size=8))
def test_any_text_is_read_or_refused(text):
    """Nothing but a ValueError comes of it."""
    for parse in (
        parse_seconds, parse_period, parse_factor, parse_part, parse_switch, parse_size, parse_limit,
        parse_umask, parse_cpus, parse_codes, parse_signal, LEVEL,
    ):  # fmt: skip
        with suppress(ValueError):
            parse(text)
