"""Every exception of the package, under one root; knows nothing else.

The family gives the exit code of a command, the class says whether the caller or the world is at
fault, and the fields say to what it happened. Every class pickles, since errors cross processes.
"""

from __future__ import annotations

from typing import NamedTuple


class ContextBusError(Exception):
    """Root of all errors that context_bus raises on purpose."""

    #: Exit code of a command that ends with this error.
    exit_code = 1


class InternalError(ContextBusError):
    """A bug in context_bus itself: please report it."""

    exit_code = 70


# -- configuration -------------------------------------------------------------------------------


class Fault(NamedTuple):
    """One fault of a configuration: where it is, what is wrong, how to mend it.

    Args:
        message: What is wrong, without a full stop.
        remedy: What to do about it; may be empty when the message says it.
        file: Path as the user gave it, or the name of another source ("command line", "message").
        line: Line in the file, counted from 1; 0 when the source has no lines.
        element: Path of the element, e.g. ``TaskService[ts_100]/Task/state/on_exit/call``.
    """

    message: str
    remedy: str = ""
    file: str = ""
    line: int = 0
    element: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        text = ": ".join(part for part in (where, self.element, self.message) if part)
        return f"{text}; {self.remedy}" if self.remedy else text


class ConfigurationError(ContextBusError):
    """What the user wrote cannot be used; holds all faults found, not only the first."""

    exit_code = 2

    def __init__(self, faults: tuple[Fault, ...] | list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


# -- bus -----------------------------------------------------------------------------------------


class BusError(ContextBusError):
    """Something about the bus: an endpoint, a frame, a peer."""

    exit_code = 3


class EndpointError(BusError):
    """An endpoint cannot be used: malformed, taken by another process, or not safe to bind."""


class FrameError(BusError):
    """Bytes from the bus that are not a message."""


class NotConnected(BusError):
    """Nothing answers at an endpoint within the time given."""


class NobodyListens(BusError):
    """The bus is there, but nobody subscribes to the topic."""


class SendTimeout(BusError):
    """The bus did not take a message in time; the message was not sent."""


class RequestTimeout(BusError):
    """No reply to a request within the time given."""


class RequestFailed(BusError):
    """The handler at the other side raised; the text is its own."""


class RecordingError(BusError):
    """A recording cannot be read, or cannot go on; what is in it stays."""


# -- processes and services ----------------------------------------------------------------------


class ProcessError(ContextBusError):
    """A process could not be started, watched or ended."""

    exit_code = 4


class ServiceError(ProcessError):
    """A task service could not be loaded, configured or run; says where in the user's code."""


# -- contexts ------------------------------------------------------------------------------------


class ContextError(ContextBusError):
    """A context or its provider cannot do what it was asked."""

    exit_code = 5


class CommandRejected(ContextError):
    """The provider refused a command, with the reason for each service."""


class CommandFailed(ContextError):
    """The provider took the command, but a service did not reach the wanted state."""


class CommandTimeout(ContextError):
    """The outcome of a command was not known in time."""


# -- watched tasks -------------------------------------------------------------------------------


class WatchError(ContextBusError):
    """A watched task cannot be reserved, launched, shown or ended as asked."""

    exit_code = 7


class UnknownTask(WatchError):
    """No task has this id: it never had one, has ended, or its reservation has expired.

    Args:
        taskid: The id.
        consequence: What is not done therefore, e.g. "won't kill"; empty for a remedy instead.
    """

    def __init__(self, taskid: int, consequence: str = "") -> None:
        self.taskid, self.consequence = taskid, consequence
        super().__init__(taskid, consequence)

    def __str__(self) -> str:
        if self.consequence:
            return f"unknown taskid, {self.consequence}"
        return f"unknown taskid {self.taskid}; it has ended or never was, see the list and the history"


class NotClearToStart(WatchError):
    """A task cannot be launched under an id that is not reserved, or no longer."""

    def __init__(self, taskid: int) -> None:
        self.taskid = taskid
        super().__init__(taskid)

    def __str__(self) -> str:
        return f"taskid={self.taskid} is not clear to start"


class AlreadyReserved(WatchError):
    """As many tasks of a name as wanted are reserved or run.

    Args:
        name: The name.
        at_most: How many there may be.
    """

    def __init__(self, name: str, at_most: int = 1) -> None:
        self.name, self.at_most = name, at_most
        super().__init__(name, at_most)

    def __str__(self) -> str:
        if self.at_most == 1:
            return "Could not reserve task, already exist and unique is set"
        return f"Could not reserve task, {self.at_most} of {self.name} exist already and no more may"


class NotRunning(WatchError):
    """A task that is only reserved cannot be killed."""

    def __init__(self, taskid: int) -> None:
        self.taskid = taskid
        super().__init__(taskid)

    def __str__(self) -> str:
        return "task is in status reserved, not running, won't kill"


class NeverLaunched(WatchError):
    """A task that is waited for was reserved, and nobody launched it in time."""

    def __init__(self, taskid: int) -> None:
        self.taskid = taskid
        super().__init__(taskid)

    def __str__(self) -> str:
        return f"taskid={self.taskid} was reserved, but not launched in time; reserve and launch it again"


class StillRunning(WatchError):
    """Tasks have not ended in the time that they are waited for.

    Args:
        taskids: Which.
        timeout: Seconds they were waited for.
    """

    def __init__(self, taskids: tuple[int, ...], timeout: float) -> None:
        self.taskids, self.timeout = taskids, timeout
        super().__init__(taskids, timeout)

    def __str__(self) -> str:
        which = ", ".join(map(str, self.taskids))
        return f"not ended within {self.timeout:g} s: taskid {which}; wait longer, or kill"


class TaskOutOfReach(WatchError):
    """A task cannot be ended by this user.

    Args:
        taskid: Which.
    """

    def __init__(self, taskid: int) -> None:
        self.taskid = taskid
        super().__init__(taskid)

    def __str__(self) -> str:
        return f"taskid={self.taskid} belongs to another user, not killed; do it as that user or as root"


class FeedbackNeedsTaskid(WatchError):
    """A command that is told where to write its feedback needs an id that was reserved before."""

    def __str__(self) -> str:
        return "taskid is required if task is expected to feedback, --feedback is set"


class FeedpathMissing(WatchError):
    """There is no directory for the feedback file.

    Args:
        path: The directory as the user gave it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path)

    def __str__(self) -> str:
        return f"feedpath does not exist or is not a directory: {self.path}; make it, or give another"


class CommandNotStarted(WatchError):
    """A command that was to go on by itself could not be executed.

    Args:
        why: Which, and why.
        exit_code: As a shell has it: 127 if it is not there, 126 if it is.
    """

    def __init__(self, why: str, exit_code: int) -> None:
        self.why, self.exit_code = why, exit_code
        super().__init__(why, exit_code)

    def __str__(self) -> str:
        return self.why


class TasksRunning(WatchError):
    """A database is not emptied while tasks run.

    Args:
        where: The database.
        taskids: Which tasks.
    """

    def __init__(self, where: str, taskids: tuple[int, ...]) -> None:
        self.where, self.taskids = where, taskids
        super().__init__(where, taskids)

    def __str__(self) -> str:
        ids = ", ".join(map(str, self.taskids[:5])) + (", ..." if len(self.taskids) > 5 else "")
        who = f"task {ids} runs" if len(self.taskids) == 1 else f"tasks {ids} run"
        return f"{self.where} is not initialized while {who}; wait, kill, or say --force to forget them"


# -- store ---------------------------------------------------------------------------------------


class StoreError(ContextBusError):
    """What is to be remembered cannot be read, kept or owned."""

    exit_code = 9


class StoreTooNew(StoreError):
    """The store was written by a later version, whose tables this one does not know.

    Args:
        where: The store, without a password.
        component: Whose tables.
        found: Version of the tables.
        known: Highest version that this program knows.
    """

    def __init__(self, where: str, component: str, found: int, known: int) -> None:
        self.where, self.component, self.found, self.known = where, component, found, known
        super().__init__(where, component, found, known)

    def __str__(self) -> str:
        return (
            f"{self.where} was written by a newer context_bus (schema {self.found} of {self.component}, "
            f"this one knows {self.known}); upgrade, or start with --fresh in another --state"
        )


class DatabaseTooNew(StoreTooNew):
    """A database of watched tasks was written by a later version."""

    def __str__(self) -> str:
        return (
            f"{self.where} was written by a newer context_bus (schema {self.found} of {self.component}, "
            f"this one knows {self.known}); upgrade, or use another --db"
        )


class ForeignDatabase(StoreError):
    """A file holds something else than watched tasks, and is left alone."""


class StoreLocked(StoreError):
    """Another provider owns the state of this context.

    Args:
        file: The context file as the user gave it.
        pid: The other provider; 0 if it is not known.
        since: When it began, as people read it; may be empty.
    """

    def __init__(self, file: str, pid: int = 0, since: str = "") -> None:
        self.file, self.pid, self.since = file, pid, since
        super().__init__(file, pid, since)

    def __str__(self) -> str:
        who = f"process {self.pid}" if self.pid else "another process"
        since = f" (since {self.since})" if self.since else ""
        remedy = f"stop it with `kill {self.pid}`" if self.pid else "stop it first"
        return f"{self.file}: {who} already provides this context{since}; {remedy}"


class NothingRecorded(StoreError):
    """There are no records yet, or they hold nothing of what was asked for."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, read or written just now, or not at all."""
