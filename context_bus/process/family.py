"""Who descends from whom, kept from look to look. Knows the process table; must not know services.

A process changes its parent only when that ends, so of the whole machine only the new ones are read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Set

from context_bus.process import tree

#: Seconds after which the whole table is read again: a pid may have come again meanwhile.
STALE = 5.0


class Family:
    """The parents of all processes."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}
        self._children: dict[int, list[int]] = {}
        self._looked = 0.0

    def look(self, at: float) -> None:
        """Take in who has come and gone.

        Args:
            at: Now, in seconds of any clock that does not go back.
        """
        if at - self._looked > STALE:
            self._parents.clear()
        self._looked = at
        present = set(map(int, filter(str.isdigit, os.listdir("/proc"))))
        if present == self._parents.keys():
            return
        self._drop(self._parents.keys() - present)
        for pid in present - self._parents.keys():
            with contextlib.suppress(PermissionError):
                row = tree.read_row(pid)
                if row is not None:
                    self._parents[pid] = row.parent
        self._children = {}
        for pid, parent in self._parents.items():
            self._children.setdefault(parent, []).append(pid)

    def _drop(self, gone: Set[int]) -> None:
        """Forget who has ended, and the parents of those whose parent has: they have others now."""
        if gone:
            self._parents = {
                pid: parent for pid, parent in self._parents.items() if pid not in gone and parent not in gone
            }

    def children(self, pid: int) -> list[int]:
        """The children of a process at the last look, by process id."""
        return self._children.get(pid, [])

    def descendants(self, pid: int) -> Iterator[tuple[int, int]]:
        """What descended from a process at the last look, each with its parent; parents come first."""
        waiting, seen = [pid], {pid}  # of what is half outdated, even a circle may come
        while waiting:
            parent = waiting.pop()
            for child in self._children.get(parent, ()):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
                    yield child, parent

    def forget(self, pid: int) -> None:
        """Read a process again at the next look: it is not what it was."""
        self._parents.pop(pid, None)
