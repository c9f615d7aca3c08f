"""How an end is told: to the history in words, to the caller as an exit code. Pure; knows no processes."""

from __future__ import annotations

import signal
from typing import NamedTuple

from context_bus.watch.values import Ending, Outcome, Wish

#: Exit code of a launcher that ended a command for want of feedback, or because it ran too long.
TIMED_OUT = 124
#: Exit code of a launcher whose command is there and cannot be executed, or not where it is to run.
NOT_EXECUTABLE = 126
#: Exit code of a launcher whose command is not there.
NOT_FOUND = 127
#: Exit code of a launcher that cannot know how its command ended.
UNKNOWN = 255


class Reason(NamedTuple):
    """Why a command ended, or never ran, other than by itself.

    Args:
        outcome: What it counts as.
        text: In words.
        code: Exit code of the launcher; None for that of the command.
    """

    outcome: Outcome
    text: str
    code: int | None = None


#: A part of the launcher was killed, and what was left ended the command.
LAUNCHER_KILLED = Reason(Outcome.LOST, "launcher was killed; the command was ended")
#: A part of the launcher was killed before there was a command.
NEVER_RAN = Reason(Outcome.LOST, "launcher was killed before the command was started")
#: A part of the launcher was killed, and nobody saw how the command ended.
NOBODY_SAW = Reason(Outcome.LOST, "launcher was killed; exit code unknown")


def ending_of(status: int | None, reason: Reason | None = None, left: int = 0) -> Ending:
    """Tell how a task ended.

    Args:
        status: Exit code of its command, or the negative number of the signal that ended it; None if it never
            ran, or nobody knows.
        reason: Why it ended, if not by itself.
        left: Processes that it left behind and that were ended after it.
    """
    if status is None and reason is None:
        reason = NOBODY_SAW
    outcome = Outcome.DONE if status == 0 else Outcome.FAILED
    code = UNKNOWN if status is None else status if status >= 0 else 128 - status
    text = _own_words(status)
    if reason is not None:
        outcome, text = reason.outcome, reason.text
        code = code if reason.code is None else reason.code
    if left:
        what = "1 process" if left == 1 else f"{left} processes"
        text = "; ".join(part for part in (text, f"{what} left behind, ended") if part)
    exitcode = status if status is not None and status >= 0 else None
    if status is None and reason is not None and reason.outcome is Outcome.NOTFOUND:
        exitcode = reason.code
    termsignal = name_of(-status) if status is not None and status < 0 else ""
    return Ending(termsignal, text, exitcode, outcome, code)


def _own_words(status: int | None) -> str:
    if not status:
        return ""
    return f"exit code {status}" if status > 0 else f"ended by {signal_words(-status)}"


def signal_words(number: int) -> str:
    """A signal for people, e.g. ``signal 15 (SIGTERM)``."""
    return f"signal {number} ({name_of(number)})"


def name_of(number: int) -> str:
    """Name of a signal; those without one of their own count from the first of them."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


# -- reasons -------------------------------------------------------------------------------------


def silent(age: float, timeout: float) -> Reason:
    """Feedback did not come in time (seconds)."""
    return Reason(
        Outcome.TIMEOUT, f"timeout: no feedback for {age:.1f} s (timeout {timeout:g} s)", TIMED_OUT
    )


def overdue(limit: float) -> Reason:
    """It ran longer than it might (seconds)."""
    return Reason(Outcome.TIMEOUT, f"ran longer than {limit:g} s", TIMED_OUT)


def wished(wish: Wish) -> Reason:
    """Somebody asked for its end."""
    return Reason(Outcome.KILLED, f"{wish.why or 'killed on request'}: {signal_words(wish.signal)}")


def launcher_told(number: int) -> Reason:
    """Somebody asked the launcher to end."""
    return Reason(Outcome.KILLED, f"launcher was told to end: {signal_words(number)}")


#: Somebody at the terminal could not wait.
INTERRUPTED_TWICE = Reason(Outcome.KILLED, f"killed by a second Ctrl-C: {signal_words(signal.SIGKILL)}")


def not_found(program: str) -> Reason:
    """There is no such command."""
    return not_prepared(f"command not found: {program}", NOT_FOUND)


def not_executable(program: str, why: str) -> Reason:
    """It is there, but cannot be executed."""
    return not_prepared(f"not executable: {program}: {why}")


def not_prepared(why: str, code: int = NOT_EXECUTABLE) -> Reason:
    """What it needs is not there, such as the directory to run in, or a file to write to."""
    return Reason(Outcome.NOTFOUND, why.encode(errors="replace").decode(), code)
