"""Numbers in words for people: counts, sizes, spans of time. Pure."""

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


def span(seconds: float) -> str:
    """A span of time as people read it: ``12.3 s``, ``2:05:09``."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"
