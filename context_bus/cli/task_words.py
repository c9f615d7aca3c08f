"""Words in tables of tasks: durations, one line of any text, bars of progress. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from context_bus.view.figures import span

#: Characters of a bar.
BAR = 6
#: Eighths of a character, from nothing to the whole of it.
_PARTS = " ▏▎▍▌▋▊▉█"


def took(seconds: float | None) -> str:
    """A duration as people read it: ``12ms``, ``3.2s``, ``1m05s``; empty if nobody knows it."""
    if seconds is None:
        return ""
    if seconds < 0.9995:
        return f"{max(0.0, seconds) * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 9.95 else span(seconds)


def bar(share: float, width: int = BAR) -> str:
    """A bar for a share of the whole, from 0 to 1."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_PARTS[rest] if rest else "")).ljust(width, "·")


def brief(text: str) -> str:
    """A text without line breaks and control characters, which would rule the terminal."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def without_empty(
    columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> tuple[list[str], list[list[object]]]:
    """Leave out the columns in which nobody has anything."""
    kept = [place for place in range(len(columns)) if any(row[place] not in (None, "") for row in rows)]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]
