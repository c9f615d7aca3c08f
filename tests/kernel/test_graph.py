"""Circles are found, levels are right, and both are the same every time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.kernel.graph import find_cycle, start_order

NAMES = [f"ts_{number}" for number in range(6)]
EDGES = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3))


def test_cycle_is_shown_as_a_chain():
    """From the name at which it closes, through all others, back to it."""
    edges = {"in": ["ts_1"], "ts_1": ["out", "ts_2"], "ts_2": ["ts_1"], "out": []}
    assert find_cycle(edges) == ("ts_1", "ts_2", "ts_1")
    assert find_cycle({"a": ["a"]}) == ("a", "a")


def test_two_ways_to_one_name_are_no_cycle():
    """A diamond, and a name that is no key."""
    assert find_cycle({"a": ["b", "c"], "b": ["d"], "c": ["d", "elsewhere"]}) == ()


def test_levels_keep_the_order_of_the_keys():
    """Within a level nothing decides but the order in which names were given."""
    edges = {"z": [], "web": ["db", "cache"], "db": ["disk"], "cache": [], "disk": ["elsewhere"]}
    assert start_order(edges) == (("z", "cache", "disk"), ("db",), ("web",))
    assert start_order({}) == ()


def test_levels_of_a_cycle_are_refused():
    """With the circle in the message."""
    with pytest.raises(ValueError, match="a circle: a -> b -> a"):
        start_order({"a": ["b"], "b": ["a"], "c": []})


def test_long_chains_need_no_stack():
    """A hundred thousand services in a row."""
    chain = {str(number): [str(number + 1)] for number in range(100_000)}
    assert find_cycle(chain) == ()
    assert len(start_order(chain)) == 100_000


@given(EDGES)
def test_either_a_cycle_or_an_order(edges):
    """A circle consists of edges; without one every name stands one level above the last it requires."""
    cycle = find_cycle(edges)
    assert all(after in edges[name] for name, after in pairwise(cycle))
    if cycle:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        return
    levels = start_order(edges)
    level = {name: number for number, names in enumerate(levels) for name in names}
    assert level.keys() == edges.keys()
    for name, required in edges.items():
        assert level[name] == max((level[each] + 1 for each in required if each in level), default=0)
