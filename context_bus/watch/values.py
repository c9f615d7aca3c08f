"""What is known of watched tasks, as values. Pure: knows the columns; must not know where rows are kept."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from context_bus.process.tree import Identity

#: Three texts that belong to a task and mean something to its owner only.
Info: TypeAlias = tuple[str, str, str]
NO_INFO: Info = ("", "", "")


class TaskStatus(StrEnum):
    """How a task that has not ended stands."""

    #: Has an id, and a few seconds to be launched.
    RESERVED = "RESERVED"
    #: Runs; has given feedback lately, if it is expected to.
    RUNNING = "RUNNING"
    #: Runs; no feedback for a quarter of its timeout.
    SILENT = "SILENT"
    #: Runs; no feedback for half of its timeout.
    STALLED = "STALLED"


class Outcome(StrEnum):
    """How a task ended."""

    #: Exit code 0.
    DONE = "done"
    #: Another exit code, or a signal that nobody of us sent.
    FAILED = "failed"
    #: Ended because somebody asked for it.
    KILLED = "killed"
    #: Gave no feedback in time, or ran longer than it might.
    TIMEOUT = "timeout"
    #: The command could not be executed.
    NOTFOUND = "notfound"
    #: Nobody saw its end.
    LOST = "lost"


class Wish(NamedTuple):
    """A wish that a task be ended.

    Args:
        signal: Number of the signal to all its processes.
        grace: Seconds until they are killed.
        why: For the history, in words.
    """

    signal: int
    grace: float
    why: str


class Task(NamedTuple):
    """A row of `tasks`, fields named and ordered as the columns. Times are seconds since the epoch.

    Args:
        id: Task id, never given twice.
        name: Its name; None if an older program gave none.
        info1: Three texts of its owner.
        info2: See above.
        info3: See above.
        pid: Of the command; None before it runs.
        status: How it stands.
        feedback: 1 if it is expected to write feedback, else 0; None while reserved.
        reservetime: When it was reserved.
        starttime: When it was launched.
        duration: Seconds since then, as last looked at.
        lastupdate: When it was last seen to be well.
        timeout: Seconds without feedback that it may live.
        argv: The command.
        cwd: Its directory.
        ticks: Start of the pid in clock ticks since boot.
        boot: Id of the boot they count from.
        keepers: Who sees to its end: the watcher, then the front.
        feedfile: Absolute path of its feedback file; None if it has none.
        output: File of its standard output, if it has one.
        error: File of its standard error, if it has one.
        onorphan: What becomes of it without its keepers: "end" or "adopt".
        request: A wish that it be ended.
    """

    id: int
    name: str | None
    info1: str | None = None
    info2: str | None = None
    info3: str | None = None
    pid: int | None = None
    status: TaskStatus = TaskStatus.RESERVED
    feedback: int | None = None
    reservetime: int | None = None
    starttime: int | None = None
    duration: int | None = None
    lastupdate: int | None = None
    timeout: float | None = None
    argv: tuple[str, ...] = ()
    cwd: str | None = None
    ticks: int | None = None
    boot: str | None = None
    keepers: tuple[Identity, ...] = ()
    feedfile: str | None = None
    output: str | None = None
    error: str | None = None
    onorphan: str | None = None
    request: Wish | None = None


class Past(NamedTuple):
    """A row of `history`, fields named and ordered as the columns. Times are seconds since the epoch.

    Args:
        id: Number of the row, in the order in which tasks ended.
        taskid: Id of the task.
        taskname: Its name.
        info1: Three texts of its owner.
        info2: See above.
        info3: See above.
        termsignal: Name of the signal that ended it ("SIGKILL"); empty if none did.
        termerror: What went wrong, in words; empty if nothing did.
        starttime: When it was launched.
        endtime: When it ended.
        duration: Seconds between the two.
        feedback: What it reported last, as JSON.
        exitcode: Its exit code; None if a signal ended it or nobody knows.
        outcome: How it ended; of a row by an older program, what can be told from its signal.
        elapsed: How long it ran, in exact seconds.
        argv: The command.
        output: File of its standard output, if it has one.
        error: File of its standard error, if it has one.
    """

    id: int
    taskid: int
    taskname: str | None
    info1: str | None
    info2: str | None
    info3: str | None
    termsignal: str | None
    termerror: str | None
    starttime: int | None
    endtime: int | None
    duration: int | None
    feedback: str
    exitcode: int | None
    outcome: Outcome
    elapsed: float | None
    argv: tuple[str, ...]
    output: str | None
    error: str | None


class Ending(NamedTuple):
    """How a task ended, in the words of the history.

    Args:
        termsignal: Name of the signal that ended it; empty if none did.
        termerror: What went wrong; empty if nothing did.
        exitcode: Its exit code; None if a signal ended it or nobody knows.
        outcome: How it ended.
        launcher_code: The exit code of whoever launched it.
    """

    termsignal: str
    termerror: str
    exitcode: int | None
    outcome: Outcome
    launcher_code: int


class Filter(NamedTuple):
    """Which rows of the history.

    Args:
        name: Of tasks with this name.
        since: That ended then or later, in seconds since the epoch.
        until: That ended then or before, in seconds since the epoch.
        failed: Of tasks that were not done with exit code 0.
        limit: So many at most.
        taskid: Of this task.
    """

    name: str | None = None
    since: float | None = None
    until: float | None = None
    failed: bool = False
    limit: int | None = None
    taskid: int | None = None
