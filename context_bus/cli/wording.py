"""Numbers in the sentences and plain tables of commands: counts, sizes, rates, spans of time. Pure.

Where room is scarce or curves are drawn, ``view.figures`` says them in three digits.
"""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """A count and its noun: ``1 message``, ``12,345 messages``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def in_bytes(size: float) -> str:
    """A size with the unit that suits it: ``812 B``, ``4.7 MB``; units are powers of 1024, as in a file."""
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1024
        if size < 1023.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TB"


def amount(size: float) -> str:
    """A size of what is sent; units are powers of 1000, as of a line: ``812 B``, ``4.70 MB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.2f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def per_second(number: float) -> str:
    """A rate with as many digits as mean something."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number else "0"


def delay(seconds: float | None) -> str:
    """A short time in the unit that suits it; empty if nobody knows it."""
    if seconds is None:
        return ""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def span(seconds: float) -> str:
    """A span of time as people read it: ``12.3 s``, ``2:05:09``."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"
