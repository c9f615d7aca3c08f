"""``task list --follow``: a table in place on a terminal, a line for each change elsewhere.

Wakes when the database or a feedback file is written, when a status changes by time alone and, where clocks
are shown, each second; never in between. Knows how tasks are looked at; must not know options.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from context_bus.cli.keys import Keys
from context_bus.cli.task_keepers import ends_of_keepers
from context_bus.process.writes import Writes
from context_bus.watch import history
from context_bus.watch.sight import Looker, Sight
from context_bus.watch.values import Filter, Past, Task

if TYPE_CHECKING:
    from context_bus.watch.database import Database

#: Seconds between two looks at least, however much happens.
PAUSE = 0.25
#: Seconds between two looks at most, where clocks are shown or nothing tells of changes.
CLOCK = 1.0
#: Seconds for which an end is looked for in the history: more than anybody takes to write it down.
LATELY = 60.0


class Face(Protocol):
    """Where it is shown."""

    @property
    def has_clocks(self) -> bool:
        """Whether what is shown grows old by itself."""

    def show(self, sights: Sequence[Sight], ended: Sequence[Past]) -> None:
        """Show how tasks are, and which have ended since the last time."""


def follow(database: Database, list_tasks: Callable[[], list[Task]], name: str | None, face: Face) -> None:
    """Show tasks until ``q`` is pressed, or Ctrl-C is.

    Args:
        database: Where they are.
        list_tasks: Reads those that are wanted.
        name: Ends of tasks with this name are shown; None for all.
        face: Where they are shown.
    """
    looker = Looker()
    ends = _Ends(database, name)
    # Opened before its files are watched, which that makes; watched before the first look, to miss nothing.
    list_tasks()
    with Writes() as writes, Keys() as keys:
        writes.watch(_files(database))
        while True:
            tasks = list_tasks()
            writes.watch([*_files(database), *(task.feedfile for task in tasks if task.feedfile)])
            sights = looker.look(tasks, time.time())
            face.show(sights, ends.new(time.time()))
            longest = min((sight.changes_in for sight in sights), default=math.inf)
            if (sights and face.has_clocks) or writes.is_blind:
                longest = min(longest, CLOCK)
            with ends_of_keepers(tasks) as handles:
                if not _wait(writes, keys, handles, longest):
                    return


def _files(database: Database) -> tuple[str, str]:
    """Those that change when anything is written into the database."""
    return str(database.path), f"{database.path}-wal"


class _Ends:
    """Tells what has ended since the last time, also what has begun since then."""

    def __init__(self, database: Database, name: str | None) -> None:
        self._database, self._name = database, name
        self._last = max((past.id for past in self._lately(time.time())), default=0)

    def new(self, now: float) -> list[Past]:
        """What has ended, the first one first."""
        found = sorted(past for past in self._lately(now) if past.id > self._last)
        self._last = found[-1].id if found else self._last
        return found

    def _lately(self, now: float) -> Iterator[Past]:
        return history.past(self._database, Filter(name=self._name, since=now - LATELY))


def _wait(writes: Writes, keys: Keys, keepers: Sequence[int], longest: float) -> bool:
    """Wait until it is time to look again; False if there is no need to."""
    began = time.monotonic()
    until, listening = began + longest, True
    while (left := until - time.monotonic()) > 0:
        poll = select.poll()
        # What has happened needs no second telling: however much more comes, it is looked at once.
        for handle in (keys.fileno(), writes.fileno(), *keepers) if listening else (keys.fileno(),):
            if handle >= 0:
                poll.register(handle, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(None if left == math.inf else math.ceil(left * 1000))}
        if keys.fileno() in ready and keys.pressed(0.0) in {"q", "Q"}:
            return False
        if not ready.isdisjoint(keepers) or (writes.fileno() in ready and writes.take()):
            until, listening = min(until, began + PAUSE), False
    return True
