"""A row of numbers drawn in one line of text. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

#: Steps of a line, the lowest first.
BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], low: float = 0.0) -> str:
    """Draw numbers; the greatest is the highest bar, what is not known is a gap.

    Args:
        values: The numbers.
        low: What stands at the bottom, if no number is lower.
    """
    known = [value for value in values if value is not None]
    low = min([low, *known])
    span = max(known, default=low) - low
    steps = len(BARS) - 1
    return "".join(
        " " if value is None else BARS[round((value - low) / span * steps) if span else 0] for value in values
    )


def thinned(values: Sequence[float | None], width: int) -> list[float | None]:
    """At most so many numbers: of those that fall together, the greatest."""
    if len(values) <= width:
        return list(values)
    bounds = [round(place * len(values) / width) for place in range(width + 1)]
    parts = [values[start:end] for start, end in itertools.pairwise(bounds)]
    return [max((value for value in part if value is not None), default=None) for part in parts]
