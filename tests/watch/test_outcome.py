"""How ends are told, without any process."""

from __future__ import annotations

import signal

import pytest

from context_bus.watch import outcome
from context_bus.watch.outcome import Reason, ending_of
from context_bus.watch.values import Ending, Outcome, Wish

KILLED = outcome.wished(Wish(15, 0.5, "killed on request"))


@pytest.mark.parametrize(
    ("status", "reason", "left", "ending"),
    [
        (0, None, 0, Ending("", "", 0, Outcome.DONE, 0)),
        (7, None, 0, Ending("", "exit code 7", 7, Outcome.FAILED, 7)),
        (-15, None, 0, Ending("SIGTERM", "ended by signal 15 (SIGTERM)", None, Outcome.FAILED, 143)),
        (0, None, 2, Ending("", "2 processes left behind, ended", 0, Outcome.DONE, 0)),
        (1, None, 1, Ending("", "exit code 1; 1 process left behind, ended", 1, Outcome.FAILED, 1)),
        (None, None, 0, Ending("", "launcher was killed; exit code unknown", None, Outcome.LOST, 255)),
        (
            -9,
            outcome.silent(3.21, 3.0),
            0,
            Ending("SIGKILL", "timeout: no feedback for 3.2 s (timeout 3 s)", None, Outcome.TIMEOUT, 124),
        ),
        (0, outcome.overdue(60), 0, Ending("", "ran longer than 60 s", 0, Outcome.TIMEOUT, 124)),
        (
            -15,
            KILLED,
            0,
            Ending("SIGTERM", "killed on request: signal 15 (SIGTERM)", None, Outcome.KILLED, 143),
        ),
        (0, KILLED, 0, Ending("", "killed on request: signal 15 (SIGTERM)", 0, Outcome.KILLED, 0)),
        (
            None,
            outcome.not_found("nosuch"),
            0,
            Ending("", "command not found: nosuch", 127, Outcome.NOTFOUND, 127),
        ),
        (
            None,
            outcome.not_executable("./x", "Permission denied"),
            0,
            Ending("", "not executable: ./x: Permission denied", 126, Outcome.NOTFOUND, 126),
        ),
        (
            -9,
            outcome.LAUNCHER_KILLED,
            0,
            Ending("SIGKILL", "launcher was killed; the command was ended", None, Outcome.LOST, 137),
        ),
    ],
)
def test_ends_in_words(status: int | None, reason: Reason | None, left: int, ending: Ending) -> None:
    """Signal, words, code, outcome, and what the caller gets."""
    assert ending_of(status, reason, left) == ending


def test_signals_without_a_name_have_one() -> None:
    """Those of real time count from the first."""
    assert outcome.signal_words(signal.SIGRTMIN + 3) == f"signal {signal.SIGRTMIN + 3} (SIGRTMIN+3)"
