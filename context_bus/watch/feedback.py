"""For programs that are watched: tell how far you are, and that you are alive.

    from context_bus.watch import feedback

    feedback.progress(3, 12, "copying")

Knows the syntax of feedback and one environment variable; must not know who reads it. Without that variable,
which a launcher sets, all of this does nothing, so a program can keep its calls. No call fails for what
happens to the file: a full disk must not break a program that only wanted to say how it is. The first loss is
told on standard error.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

#: Names the feedback file, by its absolute path.
VARIABLE = "CONTEXT_BUS_FEEDBACK"
#: Seconds between two heartbeats that are written; those between are not: a loop may beat as it likes.
BEAT_PAUSE = 0.05

_beaten = ("", 0.0)
_is_torn = False
_has_complained = False


def heartbeat() -> None:
    """Say that the program is alive; costs next to nothing when called again and again."""
    global _beaten
    path, now = os.environ.get(VARIABLE, ""), time.monotonic()
    if path != _beaten[0] or now - _beaten[1] >= BEAT_PAUSE:
        _beaten = (path, now)
        _write("[heartbeat]\n")


def set(**pairs: object) -> None:  # noqa: A001  # feedback.set(...) is what it does
    """Set values by keyword; others stay as they are.

    Args:
        **pairs: Written as text, on one line each; None or an empty text clears the keyword.

    Raises:
        ValueError: A keyword has other signs than ASCII letters, digits, ``-`` and ``_``, or a digit first.
    """
    _write(_lines(pairs))


def progress(done: float, total: float = 100, info: str | None = None) -> None:
    """Say how far the program is.

    Args:
        done: So much of the total.
        total: If other than 100, ``done`` and ``total`` are set besides ``progress``, the percentage.
        info: For people; None leaves what was said before.

    Raises:
        ValueError: The total is not above 0, or one of the two is no number.
    """
    if not total > 0 or done != done:
        raise ValueError(f"no progress of {done!r} in a total of {total!r}; the total must be above 0")
    percent = round(100 * min(1.0, max(0.0, done / total)), 1)
    pairs: dict[str, object] = {"progress": f"{percent:g}"}
    if total != 100:
        pairs |= {"done": done, "total": total}
    if info is not None:
        pairs["info"] = info
    _write(_lines(pairs))


def clear(*keywords: str) -> None:
    """Clear keywords, or all if none is named.

    Raises:
        ValueError: A keyword is none, see `set`.
    """
    _write(_lines(dict.fromkeys(keywords)) or "[]\n")


def report(pairs: Mapping[str, object]) -> None:
    """Clear all and set these, as the last word of a program: the history keeps it.

    Raises:
        ValueError: A keyword is none, see `set`.
    """
    _write("[]\n" + _lines(pairs))


def _lines(pairs: Mapping[str, object]) -> str:
    return "".join(f"[{_keyword(keyword)}]{_value(value)}\n" for keyword, value in pairs.items())


def _keyword(text: str) -> str:
    # The rule of kernel/feedback, whose import would cost more than all of this.
    if not (text.isascii() and text.replace("-", "_").isidentifier()):
        raise ValueError(
            f"{text!r} is no keyword of feedback: ASCII letters, digits, - and _ only, no digit first"
        )
    return text


def _value(value: object) -> str:
    """Text on one line: the end of a line is a blank."""
    text = "" if value is None else str(value)
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


def _write(text: str) -> None:
    """Append in one write, so that lines of threads and processes do not mix."""
    global _is_torn
    path = os.environ.get(VARIABLE)
    if not path:
        return
    # Half a line that is there for lack of room must not become the beginning of this one.
    data = ("\n" * _is_torn + text).encode(errors="replace")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            written = os.write(descriptor, data)
        finally:
            os.close(descriptor)
    except OSError as error:
        _complain(path, str(error.strerror))
        return
    _is_torn = written < len(data)
    if _is_torn:
        _complain(path, "No space left on device")


def _complain(path: str, reason: str) -> None:
    global _has_complained
    if _has_complained:
        return
    _has_complained = True
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"feedback is lost, the program goes on; cannot write {path}: {reason}\n")
    except (OSError, ValueError):  # nobody reads it, or it is closed
        return
