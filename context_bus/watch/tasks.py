"""Watched tasks for programs: the verbs of the commands as methods. Knows everybody here; prints nothing."""

from __future__ import annotations

import contextlib
import json
import signal as signals
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict, Unpack

from context_bus.errors import StoreError, UnknownTask
from context_bus.kernel.clock import Clock, SystemClock
from context_bus.kernel.closing import Closing
from context_bus.watch import history, reservation, running, schema
from context_bus.watch.database import Database
from context_bus.watch.values import NO_INFO, Filter, Info, Past, Task

if TYPE_CHECKING:
    from context_bus.watch.statistics import Statistics

#: Seconds that a task may take to end after it was asked to.
KILL_GRACE = 0.5


class How(TypedDict, total=False):
    """How a command is launched; see `order.Order`."""

    taskid: int | None
    name: str
    info: Info
    feedpath: str
    expects_feedback: bool
    timeout: float
    grace: float
    max_runtime: float | None
    cwd: str
    env: Mapping[str, str]
    output: str
    error: str
    max_bytes: int
    backups: int
    on_orphan: str
    bus: str
    retain: float | None


class Launched(NamedTuple):
    """A task that was launched by this program, and does not need it any more.

    Args:
        id: Its task id.
        pid: Of the command; None if it has ended already.
        tasks: Where it is.
    """

    id: int
    pid: int | None
    tasks: Tasks

    def wait(self, timeout: float | None = None) -> Past:
        """Wait until it has ended; see `Tasks.wait`."""
        return self.tasks.wait(self.id, timeout)


class Tasks(Closing):
    """The tasks of one database. Each look first settles what killed launchers have left.

    For one thread, and for a process that does not fork meanwhile: see `Embedded`.

    Args:
        db: The database; `initialize` makes it.
        clock: Where the time comes from.
    """

    def __init__(self, db: str | Path, *, clock: Clock | None = None) -> None:
        self.path = Path(db)
        self._clock = clock or SystemClock()
        self._opened: Database | None = None

    def close(self) -> None:
        """Release the file; the next use opens it again."""
        if self._opened is not None:
            self._opened.close()

    def initialize(self, *, force: bool = False) -> None:
        """Make the database, or empty it: all it holds is lost.

        Args:
            force: Also while tasks run, which then come into the history when they end; also if the file
                holds something else, which is then moved aside to a name with ``.old``.

        Raises:
            TasksRunning: Tasks run.
            StoreError: It cannot be written, or holds something else.
        """
        if not force and self.path.exists():
            with contextlib.suppress(StoreError):  # what the file is otherwise is told by who makes it
                self._settled()
        schema.create(self.path, force=force)

    def reserve(
        self, name: str = "", *, unique: bool = False, at_most: int | None = None, info: Info = NO_INFO
    ) -> int:
        """Give an id to a task that is launched within five seconds; see `reservation.reserve`."""
        database = self._settled()
        now = self._clock.wall()
        return reservation.reserve(database, now, name, unique=unique, at_most=at_most, info=info)

    def launch(self, argv: Sequence[str], **how: Unpack[How]) -> Launched:
        """Launch a command that goes on by itself, also when this program has ended; returns when it runs.

        It has a session of its own and no input. What it writes goes to ``<db>.logs/<id>.out`` and ``.err``,
        unless files are named.

        Args:
            argv: Program and arguments.
            how: See `order.Order`.

        Raises:
            CommandNotStarted: It cannot be executed.
            NotClearToStart: The id is not reserved, or no longer.
            WatchError: It may not start.
            StoreError: The database cannot be written.
        """
        from context_bus.watch.order import Order
        from context_bus.watch.starting import start

        (taskid,) = start(self.path, Order(tuple(argv), **how))
        task = running.get(self._settled(), taskid)
        return Launched(taskid, None if task is None else task.pid, self)

    def list(self, *, name: str | None = None, reserved: bool = True) -> Sequence[Task]:
        """All tasks as they stand now, by id.

        Args:
            name: Only those with this name.
            reserved: Whether those that are only reserved are wanted, too.

        Raises:
            StoreError: The database cannot be read.
        """
        return running.tasks(self._settled(), name=name, reserved=reserved, now=self._clock.wall())

    def get(self, taskid: int) -> Task:
        """One task as it stands now.

        Raises:
            UnknownTask: There is none, or it has ended.
            StoreError: The database cannot be read.
        """
        task = running.get(self._settled(), taskid)
        if task is None:
            raise UnknownTask(taskid)
        return running.as_of(task, self._clock.wall())

    def feedback(self, taskid: int) -> Mapping[str, str]:
        """What a task reports, from its file; what it reported last, if it has ended.

        Raises:
            UnknownTask: Nobody has or had this id.
            StoreError: The database cannot be read.
        """
        database = self._settled()
        task = running.get(database, taskid)
        if task is not None:
            return _reported(task.feedfile) or _pairs(running.last_feedback(database, taskid))
        for past in history.past(database, Filter(taskid=taskid, limit=1)):
            return _pairs(past.feedback)
        raise UnknownTask(taskid)

    def kill(self, taskid: int, *, signal: int = signals.SIGTERM, grace: float = KILL_GRACE) -> None:
        """End a task and all that it started; returns when that is gone and in the history.

        Args:
            taskid: Which.
            signal: To all its processes.
            grace: Seconds until they are killed.

        Raises:
            UnknownTask: There is none, or it has ended.
            NotRunning: It is only reserved.
            TaskOutOfReach: It belongs to another user.
            StoreError: The database cannot be read or written.
        """
        from context_bus.watch import killing

        killing.kill(self._settled(), taskid, signals.Signals(signal), grace)

    def killall(self, name: str, *, signal: int = signals.SIGTERM, grace: float = KILL_GRACE) -> int:
        """End all tasks of a name at the same time, and withdraw its reservations; returns how many.

        Raises:
            TaskOutOfReach: One belongs to another user; the others have ended.
            StoreError: The database cannot be read or written.
        """
        from context_bus.watch import killing

        return killing.killall(self._settled(), name, signals.Signals(signal), grace)

    def history(
        self,
        *,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        failed: bool = False,
        limit: int | None = None,
        taskid: int | None = None,
    ) -> Iterator[Past]:
        """What has ended, the last first; however much it is, it takes no memory. See `Filter`.

        Raises:
            StoreError: The database cannot be read.
        """
        return history.past(self._settled(), Filter(name, since, until, failed, limit, taskid))

    def clear(
        self,
        *,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        failed: bool = False,
        limit: int | None = None,
        taskid: int | None = None,
    ) -> int:
        """Delete from the history, all of it by default, and with a limit the oldest; returns how many rows.

        Raises:
            StoreError: The database cannot be written.
        """
        return history.clear(self._settled(), Filter(name, since, until, failed, limit, taskid))

    def update(self) -> None:
        """Bring durations and statuses in the database up to date, and delete expired reservations.

        For those who read it by other means; whoever asks here sees tasks as they are.

        Raises:
            StoreError: The database cannot be written.
        """
        running.update(self._settled(), self._clock.wall())

    def wait(self, taskid: int, timeout: float | None = None) -> Past:
        """Wait until a task has ended.

        Args:
            taskid: Which.
            timeout: Seconds; None for ever.

        Raises:
            UnknownTask: Nobody has or had this id.
            NeverLaunched: It was reserved only, and is no longer.
            StillRunning: It has not ended in time.
            StoreError: The database cannot be read.
        """
        return next(self.wait_each((taskid,), timeout))

    def wait_each(self, taskids: Iterable[int], timeout: float | None = None) -> Iterator[Past]:
        """Wait until tasks have ended; each comes as it does. See `wait`."""
        from context_bus.watch import waiting

        return waiting.wait(self._settled(), taskids, timeout)

    def stats(self, name: str | None = None, since: float | None = None) -> Statistics:
        """How tasks have gone so far.

        Args:
            name: Only those of this name.
            since: Only those that ended then or later, in seconds since the epoch.

        Raises:
            StoreError: The database cannot be read.
        """
        from context_bus.watch.statistics import statistics

        return statistics(self._settled(), name, since)

    def _settled(self) -> Database:
        """The database, without tasks that nobody keeps any more."""
        from context_bus.watch import orphans

        if self._opened is None:
            self._opened = Database(self.path)
        orphans.settle(self._opened, self._clock.wall())
        return self._opened


def _reported(path: str | None) -> Mapping[str, str]:
    from context_bus.watch.feedbackfile import FeedbackReader

    return FeedbackReader(Path(path)).read() if path else {}


def _pairs(text: str) -> Mapping[str, str]:
    """What is kept of a feedback; nothing where the original tool has left what is no object."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
