"""What can happen to a context: the engine's only input. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from context_bus.config.model import ContextConf, TaskServiceConf
from context_bus.context.topquery import FiguresAsked
from context_bus.supervise.policy import Memory


class Key(NamedTuple):
    """A service of a transaction; the same id in another transaction is another service."""

    transaction: str
    service_id: str


class Timer(StrEnum):
    """What a deadline waits for."""

    READY = "ready"  # the first report of a new process, and its readiness
    WARM = "warm"  # the end of a time after which a service counts as ready
    STOP = "stop"  # the end of a process that was told to stop
    END = "end"  # the end of a process that said its last word
    DRAIN = "drain"  # the last report of a process that has ended
    BACKOFF = "backoff"  # the next start of a service that failed
    SCHEDULE = "schedule"  # the next run by the clock


class ReplyTo(msgspec.Struct, frozen=True):
    """Where the answers to a command go; without a topic nobody asked for any."""

    topic: str = ""
    request_id: str = ""


#: Nobody asked for an answer.
NOBODY = ReplyTo()


class Order(msgspec.Struct, frozen=True):
    """One service of a command.

    Args:
        service_id: The service.
        conf: Its definition, if the command carries one.
        refusal: Why it cannot be taken as it is; empty if it can.
    """

    service_id: str
    conf: TaskServiceConf | None = None
    refusal: str = ""


class CommandReceived(msgspec.Struct, frozen=True):
    """A command on topic ``context``, or one of the provider's own.

    Args:
        action: ``start``, ``stop``, ``restart`` or ``exit``; anything else is refused.
        transaction: The transaction it is for.
        context_id: The context it is for, as the sender believes.
        orders: The services it names; empty for every one.
        service_name: ``all`` makes it act on every service whatever it names.
        reply: Where to answer.
        instances: How many of each it names, for ``scale``.
        dry_run: Show what would be done, for ``reload``.
    """

    action: str
    transaction: str
    context_id: str
    orders: tuple[Order, ...] = ()
    service_name: str = "context"
    reply: ReplyTo = NOBODY
    instances: int = 0
    dry_run: bool = False


class ProcessSeen(msgspec.Struct, frozen=True):
    """A client's message on topic ``process``: a command for one service, or for those of one name."""

    action: str
    transaction: str
    service_id: str = ""
    service_name: str = ""
    reply: ReplyTo = NOBODY


class StateAsked(msgspec.Struct, frozen=True):
    """A query on topic ``state``.

    Args:
        action: ``request``, ``services``, ``events`` or ``top``.
        transaction: The transaction it is about, for ``request`` and ``top``.
        reply: Where to answer.
        after: Only events with a higher number, for ``events``.
        limit: At most so many of them.
        service_id: Only this service, or all instances of it, for ``services``; empty for all.
        figures: What it asks for, for ``top``.
    """

    action: str
    transaction: str
    reply: ReplyTo = NOBODY
    after: int = 0
    limit: int = 0
    service_id: str = ""
    figures: FiguresAsked | None = None


class RestartAsked(msgspec.Struct, frozen=True):
    """Restart what stems from these service directories, in every transaction (their code has changed)."""

    instances: frozenset[str]


class ReloadAsked(msgspec.Struct, frozen=True):
    """The context file was edited and is to be applied (SIGHUP)."""


class FileRead(msgspec.Struct, frozen=True):
    """The context file was read again.

    Args:
        reply: Where to answer.
        dry_run: Only show what would be done.
        conf: What it says now; None if it cannot be used.
        faults: Then what is wrong with it.
    """

    reply: ReplyTo
    dry_run: bool
    conf: ContextConf | None
    faults: str = ""


class Found(msgspec.Struct, frozen=True):
    """One service that an earlier provider kept.

    Args:
        key: Which.
        is_wanted: Whether it is to run.
        state: Its last state.
        conf: Its definition then; None if that cannot be read any more.
        restarts: What its policy had counted.
        reason: Why it was in its state.
        incarnation: Number of its process, if that is there, or was until it ended unobserved.
        pid: That process; 0 if there is none.
    """

    key: Key
    is_wanted: bool
    state: str
    conf: TaskServiceConf | None = None
    restarts: Memory | None = None
    reason: str = ""
    incarnation: int = 0
    pid: int = 0


class Resumed(msgspec.Struct, frozen=True):
    """An earlier provider of this context was killed; this is what it kept.

    Args:
        transactions: Its transactions: name, context id, context name.
        services: Their services.
    """

    transactions: tuple[tuple[str, str, str], ...]
    services: tuple[Found, ...]


class LeaveAsked(msgspec.Struct, frozen=True):
    """The provider is to end: stop every service first."""

    reason: str


class Reported(msgspec.Struct, frozen=True):
    """A service's report on topic ``control``.

    Args:
        transaction: Transaction of the service.
        service_id: The service.
        action: The verb, e.g. ``started``.
        result: ``success`` or not.
        pid: Process id it gives; 0 if none.
        sender: Publisher it came from; empty for a hand-made message.
        reason: Why, for a failure.
        where: File and line of a failure.
        status: The whole status.
    """

    transaction: str
    service_id: str
    action: str
    result: str = "success"
    pid: int = 0
    sender: str = ""
    reason: str = ""
    where: str = ""
    status: Mapping[str, object] = msgspec.field(default_factory=dict)


class ChildSpawned(msgspec.Struct, frozen=True):
    """The process of an incarnation exists; with its start time, which says with the pid who it is."""

    key: Key
    incarnation: int
    pid: int
    ticks: int = 0


class SpawnFailed(msgspec.Struct, frozen=True):
    """The process of an incarnation could not be made."""

    key: Key
    incarnation: int
    reason: str


class Ending(StrEnum):
    """How a child says it ended; a child that was killed says nothing."""

    SILENT = ""
    STOPPED = "stopped"
    FAILED = "failed"


class ChildExited(msgspec.Struct, frozen=True):
    """The process of an incarnation is gone.

    Args:
        key: The service.
        incarnation: Which of its processes.
        ending: Its own last word.
        commanded: Whether its end was asked for, as the child sees it.
        reason: Why, in one line.
        where: File and line in the user's code.
        exit_code: Exit code; None if a signal ended it.
        signal: Signal that ended it; 0 if none did.
        reported: Whether its last word went out on the bus too.
    """

    key: Key
    incarnation: int
    ending: Ending = Ending.SILENT
    commanded: bool = False
    reason: str = ""
    where: str = ""
    exit_code: int | None = None
    signal: int = 0
    reported: bool = True


class ProbeAnswered(msgspec.Struct, frozen=True):
    """A readiness probe of an incarnation was answered, or in vain: then ``reason`` says why not."""

    key: Key
    incarnation: int
    reason: str = ""


class LifeLost(msgspec.Struct, frozen=True):
    """An incarnation runs, but does not answer any more."""

    key: Key
    incarnation: int
    reason: str


class FeedbackRead(msgspec.Struct, frozen=True):
    """An incarnation, which is a program, has other feedback in its file than before."""

    key: Key
    incarnation: int
    values: Mapping[str, str]


class ChildFrozen(msgspec.Struct, frozen=True):
    """The process of an incarnation was stopped by a signal (SIGSTOP), or goes on."""

    key: Key
    incarnation: int
    is_frozen: bool


class ClockSet(msgspec.Struct, frozen=True):
    """Somebody has set the clock of the machine: what is due by the clock is due at another time."""


class DeadlineReached(msgspec.Struct, frozen=True):
    """A timer has run out; an outdated one is of no account."""

    key: Key
    incarnation: int
    timer: Timer


Event = (
    CommandReceived
    | ProcessSeen
    | StateAsked
    | RestartAsked
    | ReloadAsked
    | FileRead
    | Resumed
    | LeaveAsked
    | Reported
    | ChildSpawned
    | SpawnFailed
    | ChildExited
    | ChildFrozen
    | ProbeAnswered
    | LifeLost
    | FeedbackRead
    | ClockSet
    | DeadlineReached
)
