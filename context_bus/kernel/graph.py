"""Who requires whom: circles and levels of a directed graph of names.

Pure; knows nothing else. An edge leads from a name to what it requires.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


def find_cycle(edges: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Find one circle, the same one for the same edges.

    Args:
        edges: For every name what it requires; a name that only is required requires nothing.

    Returns:
        The circle with its first name again at the end, ``("a", "b", "a")``; empty if there is none.
    """
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        # By hand instead of by recursion: a chain may be longer than the stack.
        path: dict[str, Iterator[str]] = {start: iter(edges[start])}
        while path:
            name = next(reversed(path))
            after = next(path[name], None)
            if after is None:
                done.add(name)
                del path[name]
            elif after in path:
                names = list(path)
                return (*names[names.index(after) :], after)
            elif after not in done:
                path[after] = iter(edges.get(after, ()))
    return ()


def start_order(edges: Mapping[str, Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Sort names into levels: what stands in one requires only what stands in levels before.

    Args:
        edges: For every name what it requires; what is no key itself counts as there already.

    Returns:
        The levels; within one, names in the order of the keys.

    Raises:
        ValueError: There is a circle, which the message shows.
    """
    missing = {name: {each for each in required if each in edges} for name, required in edges.items()}
    needed_by: dict[str, list[str]] = {name: [] for name in edges}
    for name, required in missing.items():
        for each in required:
            needed_by[each].append(name)
    place = {name: number for number, name in enumerate(edges)}
    levels: list[tuple[str, ...]] = []
    ready = [name for name, required in missing.items() if not required]
    while ready:
        levels.append(tuple(ready))
        freed: list[str] = []
        for name in ready:
            for waiting in needed_by[name]:
                missing[waiting].discard(name)
                if not missing[waiting]:
                    freed.append(waiting)
        ready = sorted(freed, key=place.__getitem__)
    if sum(map(len, levels)) < len(edges):
        raise ValueError(f"a circle: {' -> '.join(find_cycle(edges))}")
    return tuple(levels)
