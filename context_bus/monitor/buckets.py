"""Samples summed up by intervals of time: least, mean, 95th percentile, greatest. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

import msgspec

from context_bus.kernel.percentile import percentile
from context_bus.monitor.sample import CENTI

#: The percentile that is told.
TOLD = 95.0

#: A sample as it is read: number of its interval, cpu, rss, threads, descriptors, processes.
Row = Sequence[int | None]


class Figures(msgspec.Struct, frozen=True):
    """One quantity over one interval, of all samples that have it."""

    min: float
    avg: float
    p95: float
    max: float


class Bucket(msgspec.Struct, frozen=True):
    """One interval of one series; a quantity that no sample has is None.

    Args:
        at: Its beginning, in seconds since the epoch.
        samples: Samples in it.
        gone: How many of them found no process.
        cpu: Percent of one processor.
        rss: Resident memory in MiB.
        threads: Threads.
        descriptors: Open descriptors.
        processes: Descendants.
    """

    at: float
    samples: int
    gone: int
    cpu: Figures | None = None
    rss: Figures | None = None
    threads: Figures | None = None
    descriptors: Figures | None = None
    processes: Figures | None = None


def buckets_of(rows: Iterable[Row], width: int) -> Iterator[Bucket]:
    """Sum samples up.

    Args:
        rows: In the order of their intervals.
        width: Milliseconds of an interval; its number times this is its beginning since the epoch.
    """
    for number, group in itertools.groupby(rows, itemgetter(0)):
        assert number is not None
        _, cpu, rss, threads, descriptors, processes = zip(*group, strict=True)
        yield Bucket(
            at=number * width / 1000,
            samples=len(rss),
            gone=rss.count(None),
            cpu=figures_of(cpu, CENTI),
            rss=figures_of(rss, 1024),
            threads=figures_of(threads),
            descriptors=figures_of(descriptors),
            processes=figures_of(processes),
        )


def figures_of(values: Iterable[int | None], unit: int = 1) -> Figures | None:
    """Sum values up; None if there are none.

    Args:
        values: The values; None where there is none.
        unit: What they are divided by.
    """
    known = sorted([value for value in values if value is not None])
    if not known:
        return None
    high = percentile(known, TOLD)
    return Figures(known[0] / unit, sum(known) / len(known) / unit, high / unit, known[-1] / unit)
