"""Commands to a context provider, its answers and its events, as structs of the wire. Pure.

Shared by the provider, which answers, and by commanders, who wait. Must not know sockets.
A command is answered on the topic its header names in ``reply_to``, each answer with the command's
``request_id``: first ``accepted`` or ``rejected``, then ``progress`` whenever a service it concerns
moves, and once ``done`` or ``failed``. A command without ``reply_to`` is obeyed without an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

#: Topics a provider takes commands from.
CONTEXT_TOPIC = "context"
STATE_TOPIC = "state"
#: Topic on which a provider publishes events as they happen.
EVENT_TOPIC = "event"
#: Service name that stands for every service of a transaction.
ALL = "all"


class AnswerKind(StrEnum):
    """The verb of an answer: ``header.action``."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PROGRESS = "progress"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether no other answer to the same command follows."""
        return self in {AnswerKind.REJECTED, AnswerKind.DONE, AnswerKind.FAILED}


class ServiceAnswer(msgspec.Struct, frozen=True):
    """What became of one service of a command.

    Args:
        service_id: The service.
        state: Its state now, a word of ``context.states.State``; empty if it is not known.
        result: One of the words of ``AnswerKind``.
        reason: Why, when it was refused or failed; or what else is worth a word.
        pid: Process of the service, if there is one.
    """

    service_id: str
    state: str = ""
    result: str = ""
    reason: str = ""
    pid: int | None = None


class PlanRow(msgspec.Struct, frozen=True):
    """What a reload does with one service.

    Args:
        service_id: The service.
        change: ``add``, ``remove``, ``restart``, ``scale`` or ``keep``.
        reason: Why; empty for what is kept.
    """

    service_id: str
    change: str
    reason: str = ""


class Answer(msgspec.Struct, frozen=True):
    """Content of every answer to a command.

    Args:
        services: Every service the command concerns (in ``progress`` those that moved).
        reason: Why the whole command was refused; empty otherwise.
        command: The verb that is answered.
        transaction: The transaction that was commanded.
        plan: What a reload does, or would do.
    """

    services: tuple[ServiceAnswer, ...] = ()
    reason: str = ""
    command: str = ""
    transaction: str = ""
    plan: tuple[PlanRow, ...] = ()


class LoggedEvent(msgspec.Struct, frozen=True):
    """One event, as it is published, recorded and asked for.

    Args:
        sequence: Its number; of two events the later has the higher one, also across providers.
        at: When, in seconds since the epoch.
        kind: What, e.g. ``service_changed``.
        transaction: Of which transaction; empty for the provider's own.
        service_id: Of which service; empty where there is none.
        data: The rest.
    """

    sequence: int
    at: float
    kind: str
    transaction: str = ""
    service_id: str = ""
    data: Mapping[str, Any] = {}


class EventReply(msgspec.Struct, frozen=True):
    """Some events, in order: the first ones after the number that was asked for, after 0 the last ones.

    Args:
        events: The events.
        first: Number of the oldest one after that number that can be had; ``last + 1`` if there is none.
        last: Number of the last event that has happened.
        trouble: Why older ones cannot be had just now; empty if all that are kept can.
    """

    events: tuple[LoggedEvent, ...]
    first: int
    last: int
    trouble: str = ""


class EventTexts(msgspec.Struct, frozen=True):
    """The same before it is sent: its events are JSON already."""

    events: tuple[msgspec.Raw, ...]
    first: int
    last: int
    trouble: str = ""
