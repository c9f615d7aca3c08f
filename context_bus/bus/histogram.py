"""Durations in buckets, each a tenth wider than the one before: small, mergeable, exact enough. Pure.

A percentile read from it lies within 5 % of the true one, whatever the durations, which no list of a fixed
number of samples can say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

#: How much wider each bucket is than the one before.
WIDER = 1.1
#: Seconds at which the first bucket ends: shorter durations than that are all the same to a bus.
SHORTEST = 1e-6
_LOG = math.log(WIDER)
#: The last bucket begins after some three hours; longer durations are counted there.
_LAST = 250


def bucket_of(seconds: float) -> int:
    """The bucket of a duration."""
    if seconds <= SHORTEST:
        return 0
    return min(_LAST, int(math.log(seconds / SHORTEST) / _LOG) + 1)


def middle_of(bucket: int) -> float:
    """The duration that stands for a bucket, in seconds."""
    return SHORTEST * WIDER ** (bucket - 0.5) if bucket else SHORTEST


def merged(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """One histogram of all durations of several."""
    total: dict[int, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def percentile_of(histogram: Mapping[int, int], share: float) -> float | None:
    """The duration, in seconds, that ``share`` (0 to 1) of those counted do not exceed; None if none was."""
    left = share * sum(histogram.values())
    found: int | None = None
    for bucket in sorted(histogram):
        found = bucket
        left -= histogram[bucket]
        if left <= 0:
            break
    return None if found is None else middle_of(found)
