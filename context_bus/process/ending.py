"""End children, and whatever they started, in a given time. Knows signals; must not know services.

A child is asked, then told (SIGTERM), then killed with its whole tree; each child keeps to its own
deadline, so that one that does not listen delays nobody. Nothing here polls: the end of a process is
an event.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from context_bus.process import tree
from context_bus.process.child import Child, Custodian
from context_bus.process.mark import MARK

_log = logging.getLogger(__name__)

#: Seconds that a killed process may take to vanish: as long as the kernel is busy with it.
KILL_PATIENCE = 5.0
#: How often the table is read for processes that were born while others died.
_SWEEPS = 10
#: Seconds in all for which a sweep waits until it can be read whose the processes are that are just being
#: executed. The kernel needs far less, unless a disk is slow.
_UNDECIDED = 0.5
#: Seconds in which a process that was forked may still execute something. What has not by then is taken for
#: a daemon that never will: it has no mark, and whose it is cannot be known.
_IN_FLIGHT = 0.25
#: What the command line of a guardian holds, and that of its forks until they execute something.
_FORK = "context_bus.process.guardian"
#: Seconds between two looks at them.
_GLANCE = 0.0005


@dataclass(frozen=True, slots=True)
class Ending:
    """How to end one child.

    Args:
        child: Whom.
        ask: Asks the child to stop, in whatever way it understands; None if there is none.
        patience: Seconds from asking to SIGTERM.
        grace: Seconds from the beginning to SIGKILL.
    """

    child: Child
    ask: Callable[[], None] | None = None
    patience: float = 1.0
    grace: float = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Args:
        child: Who.
        was_killed: It did not end within its grace.
        seconds: From the beginning to its end.
        swept: Processes it left behind, which were killed.
    """

    child: Child
    was_killed: bool
    seconds: float
    swept: int = 0


@dataclass(slots=True)
class _Trees:
    """Who descended from whom before the first was asked; read once for all that end together."""

    rows: dict[int, list[tree.Row]] = field(default_factory=dict)

    def remember(self, children: Iterable[Child]) -> None:
        parents = [child for child in children if tree.has_children(child.pid)]
        table = tree.read_table() if parents else {}
        for child in parents:
            if found := list(tree.descendants([child.pid], table)):
                self.rows[child.pid] = found

    def kill(self, child: Child) -> int:
        rows = self.rows.pop(child.pid, ())
        return sum(tree.send_signal(row.identity, signal.SIGKILL) for row in rows)


async def end(ending: Ending) -> Ended:
    """End one child and all that it started."""
    return (await end_all([ending]))[0]


async def end_all(endings: Sequence[Ending]) -> list[Ended]:
    """End many children at once, each within its own grace, and all that they started.

    Returns:
        How each ended, in the order given.
    """
    trees = _Trees()
    trees.remember(ending.child for ending in endings)
    ended = await asyncio.gather(*(_end(ending, trees) for ending in endings))
    left = sweep([ending.child for ending in endings])
    return [
        Ended(one.child, one.was_killed, one.seconds, one.swept + left.get(one.child.pid, 0)) for one in ended
    ]


async def _end(ending: Ending, trees: _Trees) -> Ended:
    child, began = ending.child, time.monotonic()
    exited = child.exited()
    if ending.ask is not None and not exited.done():
        _ask(ending)
        await asyncio.wait([exited], timeout=min(ending.patience, ending.grace))
    if not exited.done():
        tree.send_signal(child.identity, signal.SIGTERM)
        await asyncio.wait([exited], timeout=max(0.0, began + ending.grace - time.monotonic()))
    was_killed = not exited.done()
    if was_killed:
        # Without grace the kill is what was asked for, and nobody has to look into it.
        level = logging.WARNING if ending.grace > 0 else logging.INFO
        _log.log(level, "killed: name=%s pid=%d grace=%.1f", child.name, child.pid, ending.grace)
        tree.send_signal(child.identity, signal.SIGKILL)
    swept = trees.kill(child)
    if was_killed:
        await asyncio.wait([exited], timeout=KILL_PATIENCE)
    swept += _kill_group(child)
    return Ended(child, was_killed, time.monotonic() - began, swept)


def _ask(ending: Ending) -> None:
    """Ask; a way of asking that fails is no reason not to end."""
    assert ending.ask is not None
    try:
        ending.ask()
    except Exception:  # noqa: BLE001  # a hook of the caller
        _log.exception("could not ask to stop: name=%s", ending.child.name)


def _kill_group(child: Child) -> int:
    """Kill what is left in the group of an ended child: one call, no walk."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return 0
    return 1


def end_now(children: Sequence[Child], timeout: float = KILL_PATIENCE) -> None:
    """Kill children with their trees without asking, and wait for their end; for where no loop runs."""
    trees = _Trees()
    trees.remember(children)
    for child in children:
        tree.send_signal(child.identity, signal.SIGKILL)
        trees.kill(child)
    deadline = time.monotonic() + timeout
    for child in children:
        child.wait(max(0.0, deadline - time.monotonic()))
    sweep(children)


def sweep(children: Iterable[Child]) -> dict[int, int]:
    """Kill what ended children have left behind, and wait for its end: their sessions, daemons by their mark.

    Call it once for all children that ended together: it reads the process table, unless all of them are
    known to have left nothing.

    Returns:
        How many were killed, by pid of the child they came from.
    """
    ended = {child.pid: child for child in children if child.exitcode is not None and not child.is_clean}
    swept: dict[int, int] = {}
    if not ended:
        return swept
    marks = {f"{MARK}={child.mark}".encode(): pid for pid, child in ended.items()}
    killed: set[tree.Identity] = set()
    custodians = {child.custodian for child in ended.values()}
    deadline = time.monotonic() + _UNDECIDED
    for _ in range(_SWEEPS):
        undecided: list[tree.Row] = []
        found = _leftovers(ended, marks, custodians, undecided)
        victims = [(pid, row.identity) for pid, row in found if row.identity not in killed]
        for pid, identity in victims:
            if tree.send_signal(identity, signal.SIGKILL):
                swept[pid] = swept.get(pid, 0) + 1
                killed.add(identity)
        if not victims and not undecided:
            break
        _await_execution(undecided, custodians, deadline)
    tree.wait_gone(killed, KILL_PATIENCE)  # what was sent SIGKILL is still there for a moment
    return swept


def _await_execution(rows: Sequence[tree.Row], custodians: Collection[Custodian], deadline: float) -> None:
    """Wait until processes have the environment they are being executed with."""
    while (
        any(_is_undecided(row, tree.environment_of(row.pid), custodians) for row in rows)
        and time.monotonic() < deadline
    ):
        time.sleep(_GLANCE)  # nothing tells of it


def _is_undecided(row: tree.Row, environment: bytes, custodians: Collection[Custodian]) -> bool:
    if not environment:
        return not tree.lacks_environment(row.pid)
    return _is_in_flight(row, environment, custodians)


def _is_in_flight(row: tree.Row, environment: bytes, custodians: Collection[Custodian]) -> bool:
    """Whether an orphan was just forked by a Python child, and has not executed yet what will have the mark.

    Until then it looks like the guardian, from which the child was forked itself.
    """
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - row.identity.started_at
    return (
        age < _IN_FLIGHT
        and f"{MARK}=".encode() not in environment
        and any(row.parent in (one.pid, os.getpid()) and not one.knows(row.pid) for one in custodians)
        and _FORK in tree.command_line(row.pid)
    )


def _leftovers(
    ended: dict[int, Child],
    marks: dict[bytes, int],
    custodians: Collection[Custodian],
    undecided: list[tree.Row],
) -> Iterable[tuple[int, tree.Row]]:
    """Find what ended children have left behind, and add to `undecided` whose owner cannot be read yet."""
    table = tree.read_table()
    for row in table.values():
        if tree.is_gone(row):
            continue
        for pid in (row.session, row.group):
            if pid in ended and row.ticks >= ended[pid].identity.ticks:
                yield pid, row
                break
        else:
            # A daemon has left the session, but what it was executed with names whose it is. Only
            # an orphan can be one, and it is the leader of its session or in one without a leader.
            if row.session == row.pid or row.session not in table:
                environment = tree.environment_of(row.pid)
                owner = next((marks[word] for word in environment.split(b"\0") if word in marks), None)
                if owner is not None:
                    yield owner, row
                elif _is_undecided(row, environment, custodians):
                    undecided.append(row)
