"""Readiness by a line of the output."""

from __future__ import annotations

import pytest

from context_bus.errors import ConfigurationError
from context_bus.supervise.logwatch import LogWatch


def test_a_line_that_matches_is_told_once() -> None:
    """Anywhere in the line, whatever the bytes around it."""
    watch = LogWatch(r"listening on \d+")
    assert not watch.feed(b"starting\n")
    assert not watch.has_matched
    assert watch.feed(b"\xff server listening on 80\r\n")
    assert watch.has_matched
    assert not watch.feed(b"listening on 81\n")


def test_ends_of_lines_are_not_part_of_it() -> None:
    """So an expression may ask for the end; signs outside ASCII are signs."""
    assert LogWatch("^bereit f.r alle$").feed("bereit für alle\n".encode())


def test_only_the_beginning_of_a_long_line_is_looked_at() -> None:
    """A line without an end costs no more than any other."""
    assert not LogWatch("ready").feed(b"x" * 5000 + b"ready")


def test_a_bad_pattern_is_told_with_the_remedy() -> None:
    """What is wrong, and what to do."""
    with pytest.raises(ConfigurationError, match=r'"\(" is no regular expression: .*; a backslash'):
        LogWatch("(")
