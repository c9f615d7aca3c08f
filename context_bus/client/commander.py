"""Commanding a provider: say it, follow what becomes of it, know the outcome.

Knows the wire through ``Conversation`` and nothing of a provider's inside; prints nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UNSET

from context_bus.client.conversation import Conversation, decode
from context_bus.client.outcome import Outcome
from context_bus.context.commands import STATE_TOPIC, Answer, AnswerKind, ServiceAnswer
from context_bus.context.request import Request, bodies, topic_of
from context_bus.errors import CommandRejected, CommandTimeout

#: Told of each answer as it comes.
Observer = Callable[[AnswerKind, Answer], None]


def command(
    conversation: Conversation, request: Request, frames: Sequence[object], timeout: float, observe: Observer
) -> Outcome:
    """Send a command and follow it to its end.

    Args:
        conversation: An open one.
        request: The command.
        frames: Its bodies.
        timeout: Seconds to wait at most.
        observe: Told of each answer.

    Raises:
        CommandTimeout: The outcome was not known in time; says which services were still under way.
    """
    deadline = time.monotonic() + timeout
    for body in frames:
        conversation.send(topic_of(request), body)
    finals: list[tuple[AnswerKind, Answer]] = []
    rows: dict[str, ServiceAnswer] = {}
    for topic, header, content in conversation.answers(deadline):
        if topic != conversation.inbox or header.action not in set(AnswerKind):
            continue
        kind, answer = AnswerKind(header.action), msgspec.json.decode(content, type=Answer)
        rows |= {row.service_id: row for row in answer.services}
        observe(kind, answer)
        if kind.is_final:
            finals.append((kind, answer))
        if len(finals) == len(frames):
            return _outcome(finals, rows, request)
    raise _late(request, rows, timeout)


def query(
    conversation: Conversation, request: Request, timeout: float
) -> tuple[str, Mapping[str, Any] | list[Any]]:
    """Ask the provider for a record.

    Returns:
        The transaction it is of, and the record.

    Raises:
        CommandRejected: The provider does not know the transaction, or the query.
        CommandTimeout: No answer; old providers do not answer what they do not know.
    """
    deadline = time.monotonic() + timeout
    wanted = "reply_context" if request.action == "request" else f"reply_{request.action}"
    for body in bodies(request):
        conversation.send(STATE_TOPIC, body)
    for topic, header, content in conversation.answers(deadline):
        if topic == conversation.inbox and header.action == AnswerKind.REJECTED:
            raise CommandRejected(msgspec.json.decode(content, type=Answer).reason)
        # Providers of old answer on the topic of the query only, and do not say who they are; what others do
        # say there may answer another's query.
        is_of_old = header.sender is UNSET and header.service_transaction == request.transaction
        if header.action == wanted and (topic == conversation.inbox or is_of_old):
            return header.service_transaction, decode(content)
    name = f" about transaction {request.transaction}" if request.transaction else ""
    raise CommandTimeout(f"no answer to {request.action}{name} within {timeout:g} s")


def only_transaction(conversation: Conversation, request: Request, timeout: float) -> str:
    """The transaction of a provider that runs exactly one.

    Raises:
        CommandRejected: It runs none, or several; says which.
    """
    asked = Request("request", "state", request_id=request.request_id, reply_to=request.reply_to)
    try:
        return query(conversation, asked, timeout)[0]
    except CommandRejected as error:
        known = str(error).rpartition("known: ")[2]
        raise CommandRejected(
            f"which transaction? add --transaction=ID; this provider knows: {known}"
        ) from None


def address(request: Request, conversation: Conversation) -> Request:
    """The same request, with the address for its answers."""
    return replace(request, request_id=conversation.request_id, reply_to=conversation.inbox)


def _outcome(
    finals: Sequence[tuple[AnswerKind, Answer]], rows: Mapping[str, ServiceAnswer], request: Request
) -> Outcome:
    kinds = {kind for kind, _ in finals}
    worst = (AnswerKind.FAILED, AnswerKind.REJECTED, AnswerKind.DONE)
    kind = next(each for each in worst if each in kinds)
    reason = "; ".join(dict.fromkeys(answer.reason for _, answer in finals if answer.reason))
    transaction = next(
        (answer.transaction for _, answer in finals if answer.transaction), request.transaction
    )
    return Outcome(kind, tuple(rows.values()), reason, transaction)


def _late(request: Request, rows: Mapping[str, ServiceAnswer], timeout: float) -> CommandTimeout:
    if not rows:
        return CommandTimeout(f"the provider did not answer {request.action} within {timeout:g} s")
    words = (AnswerKind.DONE, AnswerKind.FAILED, AnswerKind.REJECTED)
    under_way = [
        f"{row.service_id} is {row.state or '?'}" for row in rows.values() if row.result not in words
    ]
    what = ", ".join(under_way) or "no service is known to be under way"
    return CommandTimeout(
        f"{request.action} did not come to an end within {timeout:g} s: {what}; see its log"
    )
