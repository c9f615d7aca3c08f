"""The value that a part of all values do not exceed. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T", int, float)


def percentile(ordered: Sequence[T], share: float) -> T:
    """One of the values, that of the nearest rank; nothing is made up between two.

    Args:
        ordered: The values, sorted; at least one.
        share: Percent of them.
    """
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]
