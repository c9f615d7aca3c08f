"""What is to be done about it: the engine's only output. Pure values; the provider carries them out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from context_bus.config.model import TaskServiceConf
from context_bus.context.commands import Answer, AnswerKind
from context_bus.context.events import Key, ReplyTo, Timer
from context_bus.context.topquery import Publication
from context_bus.context.trace import ProviderEvent
from context_bus.kernel.message import Cause
from context_bus.process.usage import Options
from context_bus.supervise.policy import Memory


class SpawnChild(msgspec.Struct, frozen=True):
    """Make a process for a service.

    Args:
        key: The service.
        incarnation: Number of this process among those of the service; comes back in every event.
        conf: What to run.
        run_now: Run the task at once; else report ``created`` and wait.
    """

    key: Key
    incarnation: int
    conf: TaskServiceConf
    run_now: bool


class TellService(msgspec.Struct, frozen=True):
    """Tell a service's process to ``start`` its task or to ``stop``."""

    key: Key
    incarnation: int
    action: str
    conf: TaskServiceConf


class EndChild(msgspec.Struct, frozen=True):
    """Kill a process and all it spawned; it was told to stop, in vain."""

    key: Key
    incarnation: int


class ProbeReadiness(msgspec.Struct, frozen=True):
    """Ask a service whether it is ready, until it is; comes back with ``ProbeAnswered``."""

    key: Key
    incarnation: int
    conf: TaskServiceConf


class WatchLife(msgspec.Struct, frozen=True):
    """Watch whether a service that runs is alive; comes back with ``LifeLost``, once.

    Of a program also what it says in its feedback; comes back with ``FeedbackRead``.
    """

    key: Key
    incarnation: int
    conf: TaskServiceConf


class Remember(msgspec.Struct, frozen=True):
    """Record what is wanted of a service and where it stands, before anything else is done.

    Args:
        key: The service.
        conf: Its definition.
        is_wanted: Whether it is to run, also when another provider takes over.
        state: Its state.
        restarts: Counts of the restart policy.
        reason: Why it is in its state.
    """

    key: Key
    conf: TaskServiceConf
    is_wanted: bool
    state: str
    restarts: Memory
    reason: str = ""


class PublishProcess(msgspec.Struct, frozen=True):
    """Let everybody see what is asked of a service, on topic ``process``."""

    key: Key
    conf: TaskServiceConf
    action: str
    cause: Cause | None = None


class PublishReport(msgspec.Struct, frozen=True):
    """Report on behalf of a service that cannot do so any more, on topic ``control``."""

    key: Key
    conf: TaskServiceConf
    action: str
    status: Mapping[str, object]


class SendAnswer(msgspec.Struct, frozen=True):
    """Answer a commander."""

    reply: ReplyTo
    kind: AnswerKind
    answer: Answer


class SendRecord(msgspec.Struct, frozen=True):
    """Answer a query with the record of its transaction."""

    reply: ReplyTo
    transaction: str
    record: Mapping[str, object]


class SendServices(msgspec.Struct, frozen=True):
    """Answer a query with every service of every transaction, briefly; or with one and its instances."""

    reply: ReplyTo
    service_id: str = ""


class SendEvents(msgspec.Struct, frozen=True):
    """Answer a query with what happened after the event with a number, or last (0), at most so many."""

    reply: ReplyTo
    after: int
    limit: int


class SendFigures(msgspec.Struct, frozen=True):
    """Answer a query with what the services of these transactions use.

    Args:
        reply: Where to answer; without a topic everybody is told, on topic ``state``.
        transactions: Whose services.
        options: What to look at.
        publication: Publish it from now on, or no more; None leaves that as it is.
    """

    reply: ReplyTo
    transactions: tuple[str, ...]
    options: Options
    publication: Publication | None = None


class SendStatistics(msgspec.Struct, frozen=True):
    """Answer a query with what has passed the forwarder."""

    reply: ReplyTo


class ReadFile(msgspec.Struct, frozen=True):
    """Read the context file again; comes back with ``FileRead``."""

    reply: ReplyTo
    dry_run: bool


class Forget(msgspec.Struct, frozen=True):
    """A service does not belong to its transaction any more."""

    key: Key


class Broadcast(msgspec.Struct, frozen=True):
    """The table has changed; let everybody know, soon."""

    transaction: str


class SetTimer(msgspec.Struct, frozen=True):
    """Come back with ``DeadlineReached`` at a time of the clock that gave ``now``."""

    key: Key
    incarnation: int
    timer: Timer
    at: float


class Trace(msgspec.Struct, frozen=True):
    """Show it to whoever watches the provider."""

    event: ProviderEvent


class Finish(msgspec.Struct, frozen=True):
    """Every service has ended and the provider was told to leave."""

    reason: str


Instruction = (
    SpawnChild
    | TellService
    | EndChild
    | ProbeReadiness
    | WatchLife
    | Remember
    | PublishProcess
    | PublishReport
    | SendAnswer
    | SendRecord
    | SendServices
    | SendEvents
    | SendFigures
    | SendStatistics
    | ReadFile
    | Forget
    | Broadcast
    | SetTimer
    | Trace
    | Finish
)
