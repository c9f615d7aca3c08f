"""Commands to a context provider and its answers, as structs of the wire. Pure.

Shared by the provider, which answers, and by commanders, who wait. Must not know sockets.
A command is answered on the topic its header names in ``reply_to``, each answer with the command's
``request_id``: first ``accepted`` or ``rejected``, then ``progress`` whenever a service it concerns
moves, and once ``done`` or ``failed``. A command without ``reply_to`` is obeyed without an answer.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

#: Topics a provider takes commands from.
CONTEXT_TOPIC = "context"
STATE_TOPIC = "state"
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
