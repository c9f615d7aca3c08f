"""Layers of a directed graph, and the order within each: few crossings, no circle left. Pure.

The classical steps of Sugiyama: turn back the edges that close a circle, rank by the longest way, give every
edge a stepping stone in each layer it passes, order each layer by where its neighbours stand.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

#: Times that all layers are ordered by their neighbours, to and fro.
SWEEPS = 24

#: A directed edge by the names of its ends.
Pair = tuple[str, str]


@dataclass(slots=True)
class Layers:
    """Names in layers, and the neighbours of each in the layers beside.

    Args:
        rows: The layers; stepping stones are names of their own.
        before: For every name its neighbours one layer before.
        after: For every name its neighbours one layer after.
        ways: For every edge, as given, all names on its way, from the earlier layer to the later one.
    """

    rows: list[list[str]]
    before: dict[str, list[str]]
    after: dict[str, list[str]]
    ways: list[tuple[str, ...]]


def layered(names: Sequence[str], edges: Sequence[Pair]) -> Layers:
    """Put names into layers.

    Args:
        names: In the order in which they should stand where nothing else counts.
        edges: Between different names. Two names that an edge joins have a layer between them, for its label.

    Returns:
        The layers; an edge of which the way runs from its target to its source closes a circle.
    """
    forward = _without_circles(names, edges)
    rank = _ranks(names, forward)
    rows: list[list[str]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for name in names:
        rows[rank[name]].append(name)
    layers = Layers(rows, {name: [] for name in names}, {name: [] for name in names}, [])
    for number, (first, last) in enumerate(forward):
        stones = [f"\0{number}.{place}" for place in range(rank[first] + 1, rank[last])]
        for place, stone in enumerate(stones, rank[first] + 1):
            rows[place].append(stone)
            layers.before[stone], layers.after[stone] = [], []
        way = (first, *stones, last)
        for one, other in itertools.pairwise(way):
            layers.after[one].append(other)
            layers.before[other].append(one)
        layers.ways.append(way)
    _order(layers)
    return layers


def _without_circles(names: Sequence[str], edges: Sequence[Pair]) -> list[Pair]:
    """The same edges, those that close a circle turned back."""
    onward: dict[str, list[str]] = {name: [] for name in names}
    entered = {target for _, target in edges}
    for source, target in edges:
        onward[source].append(target)
    place: dict[str, int] = {}  # the order in which the search leaves names, the last one first
    for start in sorted(names, key=lambda name: name in entered):
        if start in place:
            continue
        path: dict[str, Iterator[str]] = {start: iter(onward[start])}
        while path:
            name = next(reversed(path))
            after = next(path[name], None)
            if after is None:
                place[name] = -len(place)
                del path[name]
            elif after not in path and after not in place:
                path[after] = iter(onward[after])
    return [(one, other) if place[one] < place[other] else (other, one) for one, other in edges]


def _ranks(names: Sequence[str], edges: Sequence[Pair]) -> dict[str, int]:
    """For every name its layer; joined names are two apart at least."""
    after: dict[str, list[str]] = {name: [] for name in names}
    missing = dict.fromkeys(names, 0)
    for one, other in edges:
        after[one].append(other)
        missing[other] += 1
    rank = dict.fromkeys(names, 0)
    ready = [name for name in names if not missing[name]]
    for name in ready:
        for other in after[name]:
            rank[other] = max(rank[other], rank[name] + 2)
            missing[other] -= 1
            if not missing[other]:
                ready.append(other)
    sources = set(names) - {other for _, other in edges}
    for name in sources:  # what nothing leads to stands next to what it leads to
        rank[name] = min((rank[other] for other in after[name]), default=2) - 2
    return rank


def _order(layers: Layers) -> None:
    """Order every layer by the middle of its neighbours, and keep the order with the fewest crossings."""
    best, fewest = [list(row) for row in layers.rows], crossings(layers)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        rows = layers.rows if sweep % 2 == 0 else list(reversed(layers.rows))
        beside = layers.before if sweep % 2 == 0 else layers.after
        for fixed, row in itertools.pairwise(rows):
            place = {name: number for number, name in enumerate(fixed)}
            row.sort(key=_middles(row, beside, place).__getitem__)
        now = crossings(layers)
        if now < fewest:
            best, fewest = [list(row) for row in layers.rows], now
    layers.rows[:] = best


def _middles(
    row: Sequence[str], beside: Mapping[str, Sequence[str]], place: Mapping[str, int]
) -> dict[str, float]:
    """Where each name of a layer wants to stand; what has no neighbours stays where it is."""
    return {
        name: sum(place[each] for each in beside[name]) / len(beside[name]) if beside[name] else float(number)
        for number, name in enumerate(row)
    }


def crossings(layers: Layers) -> int:
    """How many pairs of edges cross."""
    count = 0
    for row, following in zip(layers.rows, layers.rows[1:], strict=False):
        place = {name: number for number, name in enumerate(following)}
        passed: list[int] = []
        for name in row:
            ends = sorted(place[each] for each in layers.after[name])
            count += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return count
