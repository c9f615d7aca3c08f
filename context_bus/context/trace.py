"""What a provider shows of its work: values for a live view, a log or a test. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from context_bus.config.model import Action, Trigger
from context_bus.context.commands import AnswerKind, ServiceAnswer
from context_bus.context.events import Key
from context_bus.context.states import State


class ProviderEvent(msgspec.Struct, frozen=True):
    """Root of everything a provider shows."""


class ProviderReady(ProviderEvent, frozen=True):
    """The forwarder is up and commands are heard.

    Args:
        context_id: Id of the context.
        context_name: Its name for people.
        publish_to: Endpoint where clients publish.
        listen_on: Endpoint where clients listen.
        services: How many services the file defines.
        forwarder_pid: Process of the forwarder.
    """

    context_id: str
    context_name: str
    publish_to: str
    listen_on: str
    services: int
    forwarder_pid: int


class ServiceChanged(ProviderEvent, frozen=True):
    """A service moved from one state to another.

    Args:
        transaction: Its transaction.
        service_id: Its id.
        service_name: Its name.
        old: State before.
        new: State now.
        pid: Its process, if it has one.
        reason: Why, where that is worth a word.
    """

    transaction: str
    service_id: str
    service_name: str
    old: State
    new: State
    pid: int | None = None
    reason: str = ""

    @property
    def key(self) -> Key:
        """Which service of which transaction."""
        return Key(self.transaction, self.service_id)


class ServiceFrozen(ProviderEvent, frozen=True):
    """The process of a service was stopped by a signal (SIGSTOP), or goes on."""

    transaction: str
    service_id: str
    pid: int
    is_frozen: bool


class ServiceReported(ProviderEvent, frozen=True):
    """A service reported something of its own, mostly ``updated``."""

    transaction: str
    service_id: str
    service_name: str
    action: str
    result: str
    status: Mapping[str, object] = msgspec.field(default_factory=dict)


class TransitionFired(ProviderEvent, frozen=True):
    """A transition of one service acted, or wanted to act, on another.

    Args:
        transaction: Their transaction.
        source: Service whose transition it is.
        trigger: What happened to it.
        action: What is done.
        target: Service it is done to.
        depth: Length of the chain of transitions that led here, 1 for the first.
        note: Why it had no effect; empty if it had.
    """

    transaction: str
    source: str
    trigger: Trigger
    action: Action
    target: str
    depth: int = 1
    note: str = ""


class CommandHeard(ProviderEvent, frozen=True):
    """A command arrived; ``services`` is empty if it is for all of them."""

    action: str
    transaction: str
    services: tuple[str, ...] = ()
    topic: str = "context"


class CommandSettled(ProviderEvent, frozen=True):
    """A command was refused, or its outcome is known."""

    action: str
    transaction: str
    kind: AnswerKind
    services: tuple[ServiceAnswer, ...] = ()
    reason: str = ""


class ForwarderState(StrEnum):
    """What became of the forwarder."""

    STARTED = "started"
    DIED = "died"
    RESPAWNED = "respawned"
    FROZEN = "frozen"
    THAWED = "thawed"


class ForwarderChanged(ProviderEvent, frozen=True):
    """Something happened to the forwarder."""

    state: ForwarderState
    pid: int = 0
    reason: str = ""


class FrameIgnored(ProviderEvent, frozen=True):
    """A frame could not be used; ``count`` of them so far."""

    topic: str
    reason: str
    count: int


class MessagesLost(ProviderEvent, frozen=True):
    """Messages of others did not reach the provider; ``count`` of them so far."""

    count: int


class CodeChanged(ProviderEvent, frozen=True):
    """Files of services were edited; those services are restarted."""

    instances: tuple[str, ...]
    files: tuple[str, ...] = ()


class ContextResumed(ProviderEvent, frozen=True):
    """An earlier provider was killed; what it had running is brought back.

    Args:
        transactions: Its transactions.
        services: How many services are wanted.
        adopted: How many processes outlived it, and go on as they are.
    """

    transactions: tuple[str, ...]
    services: int
    adopted: int = 0


class LeftoversEnded(ProviderEvent, frozen=True):
    """An earlier provider was killed together with its guardian; what they left was ended."""

    count: int


class StoreTroubled(ProviderEvent, frozen=True):
    """What changes cannot be recorded for the moment; it is kept in memory."""

    reason: str


class StoreRecovered(ProviderEvent, frozen=True):
    """Everything is recorded again, but for so many events that had to be given up."""

    dropped: int


class OutputTroubled(ProviderEvent, frozen=True):
    """What a service writes cannot be kept for the moment, or (without a reason) can be again."""

    name: str
    reason: str = ""
    lost: int = 0


class FileReloaded(ProviderEvent, frozen=True):
    """The context file was read again, and is applied; or is not, for its fault."""

    file: str
    fault: str = ""


class ProviderLeaving(ProviderEvent, frozen=True):
    """The provider was told to end; services are being stopped."""

    reason: str


class ProviderEnded(ProviderEvent, frozen=True):
    """Nothing is left."""

    reason: str
