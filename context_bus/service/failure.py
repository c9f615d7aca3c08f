"""An exception of a user's code in one line, with the place in that code. Knows nothing of services."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass

from context_bus.errors import ContextBusError

#: Characters of a reason; the rest is in the traceback.
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a service failed.

    Args:
        reason: One line.
        where: ``file:line`` in the user's code; empty if it is not there.
        traceback: All of it; empty for an error of the framework's own, which needs none.
    """

    reason: str
    where: str = ""
    traceback: str = ""


def failure_of(error: BaseException, directory: str) -> Failure:
    """Describe an exception.

    Args:
        error: What was raised.
        directory: Where the user's code is.
    """
    cause = error.__cause__ if isinstance(error, ContextBusError) and error.__cause__ else error
    reason = str(error) if isinstance(error, ContextBusError) else describe(error)
    where = place_of(cause, directory)
    if isinstance(error, ContextBusError) and not where:
        # Ours, and not from the user's code: a wrong location, say. The line tells all there is to tell.
        return Failure(one_line(reason))
    _begin_in(directory, error)
    return Failure(one_line(reason), where, "".join(traceback.format_exception(error)))


def _begin_in(directory: str, error: BaseException) -> None:
    """Let the traceback begin in the user's code, if it ever gets there."""
    frame, root = error.__traceback__, _root(directory)
    while frame is not None and not frame.tb_frame.f_code.co_filename.startswith(root):
        frame = frame.tb_next
    error.__traceback__ = frame or error.__traceback__


def _root(directory: str) -> str:
    return os.path.join(os.path.abspath(directory), "") if directory else os.sep


def describe(error: BaseException) -> str:
    """Name an exception and what it says."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def one_line(text: str) -> str:
    """Put a text on one line, cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def place_of(error: BaseException, directory: str) -> str:
    """Find the last line of the user's own code that an exception came through.

    Returns:
        ``file:line``, empty when it came through none.
    """
    root = _root(directory)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 0}"
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if os.path.abspath(frame.f_code.co_filename).startswith(root)
    ]
    return places[-1] if places else ""
