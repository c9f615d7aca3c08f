"""Ends what an owner and its guardian left behind when both were killed at once. Knows the process table."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping

from context_bus.process import tree
from context_bus.process.tree import Identity

#: Seconds that killed processes may take to vanish.
PATIENCE = 5.0
#: How often the table is read for processes that were born while others died.
_LOOKS = 5


def end_leftovers(identities: Iterable[Identity], variable: str = "") -> int:
    """Kill processes that somebody else started, and all that they started; blocks until they are gone.

    A pid that belongs to another process by now is left alone: only the very processes count.

    Args:
        identities: Whom; most of them will have ended long ago.
        variable: ``NAME=value`` in the environment of all that they executed, daemons included.

    Returns:
        How many were killed.
    """
    known = {identity.pid: identity for identity in identities}
    if not known:
        return 0
    mark = variable.encode() or None
    killed: set[Identity] = set()
    for _ in range(_LOOKS):
        victims = [row.identity for row in _victims(known, mark, tree.read_table())]
        fresh = [each for each in victims if tree.send_signal(each, signal.SIGKILL) and each not in killed]
        if not fresh:
            break
        killed.update(fresh)
        tree.wait_gone(fresh, PATIENCE)
    return len(killed)


def find_leftovers(identities: Iterable[Identity], variable: str = "") -> list[Identity]:
    """Find what `end_leftovers` would kill at first; same arguments."""
    known = {identity.pid: identity for identity in identities}
    return [row.identity for row in _victims(known, variable.encode() or None, tree.read_table())]


def _victims(
    known: Mapping[int, Identity], mark: bytes | None, table: Mapping[int, tree.Row]
) -> Iterator[tree.Row]:
    living = [row for row in table.values() if not tree.is_gone(row)]
    roots = [row.pid for row in living if known.get(row.pid) == row.identity]
    found = {row.pid for row in tree.descendants(roots, table)} | set(roots)
    for row in living:
        leader = known.get(row.session)
        is_of_session = leader is not None and row.ticks >= leader.ticks and row.session not in table
        if row.pid in found or is_of_session or mark in tree.environment_of(row.pid).split(b"\0"):
            yield row
