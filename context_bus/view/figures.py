"""Figures as people read them: durations, sizes, rates, curves on one line. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

#: Heights of a curve on one line, the lowest first; nothing is not the same as little.
BLOCKS = "▁▂▃▄▅▆▇█"
#: CPU percentage that a curve shows at its full height at least: what does next to nothing is to look so.
LEAST_LOAD = 20.0
#: Growth that a curve of memory shows at its full height at least.
LEAST_GROWTH = 1.2
#: What a figure is that nobody knows.
UNKNOWN = "-"
_DECIMAL = "kMGTP"
_BINARY = "KMGTP"


def span(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = max(0, int(seconds))
    for size, unit, small, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // small:02}{name}"
    return f"{whole}s"


def size(mebibytes: float) -> str:
    """An amount of memory, given in MiB, with three digits."""
    return _scaled(mebibytes * 1024 * 1024, 1024, _BINARY, "B")


def count(number: float) -> str:
    """A number or a rate, with three digits."""
    if 0 < number < 10 and number != int(number):
        return f"{number:.1f}"
    return _scaled(number, 1000, _DECIMAL, "")


def byte_count(number: float) -> str:
    """An amount of bytes, with three digits."""
    return _scaled(number, 1024, _BINARY, "B")


def percent(number: float) -> str:
    """A percentage: one digit behind the point while it is small."""
    return f"{number:.1f}" if number < 99.95 else f"{number:.0f}"


def delay(seconds: float | None) -> str:
    """A short duration in the unit that suits it."""
    if seconds is None:
        return UNKNOWN
    for factor, unit in ((1e6, "us"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{_three(seconds * factor)}{unit}"
    return f"{_three(seconds)}s"


def curve(values: Sequence[float | None], width: int, top: float, bottom: float = 0.0) -> str:
    """The last values as a curve of so many characters, right-aligned.

    Args:
        values: Oldest first; what is not known is a gap.
        width: Characters, one a value.
        top: Value of the full height.
        bottom: Value of the least height.
    """
    shown = values[-width:] if width > 0 else ()
    line = (" " if value is None else _block(value - bottom, top - bottom) for value in shown)
    return "".join(line).rjust(width)


def thinned(values: Sequence[float | None], width: int) -> list[float | None]:
    """At most so many values: of those that fall together, the greatest."""
    if len(values) <= width:
        return list(values)
    bounds = [round(place * len(values) / width) for place in range(width + 1)]
    parts = [values[start:end] for start, end in itertools.pairwise(bounds)]
    return [max((value for value in part if value is not None), default=None) for part in parts]


def load_curve(values: Sequence[float], width: int) -> str:
    """A curve of CPU percentages: from nothing, and full at the highest, but that at no small one."""
    return curve(values, width, max((LEAST_LOAD, *values)))


def memory_curve(values: Sequence[float], width: int) -> str:
    """A curve of memory: what matters is whether it grows, so it begins at the lowest one."""
    used = [value for value in values if value > 0]
    if not used:
        return curve(values, width, 0.0)
    return curve(values, width, max(max(used), min(used) * LEAST_GROWTH), min(used))


def _block(value: float, height: float) -> str:
    steps = len(BLOCKS) - 1
    return BLOCKS[min(steps, max(0, round(value / height * steps)))] if height > 0 else BLOCKS[0]


def _scaled(number: float, base: int, units: str, unit: str) -> str:
    if number < base:
        return f"{number:.0f}{unit}"
    index = -1
    while number >= base and index < len(units) - 1:
        number /= base
        index += 1
    # What rounds up to the base is one of the next unit: 1.00G, not 1024M.
    if round(number) >= base and index < len(units) - 1:
        number, index = number / base, index + 1
    return f"{_three(number)}{units[index]}"


def _three(number: float) -> str:
    """A number below some thousands with three digits."""
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}"
