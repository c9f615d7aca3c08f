"""Commands about services of a provider that runs, and what becomes of them. Knows the wire."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from context_bus.client.dialogue import Dialogue
from context_bus.client.outcome import Outcome
from context_bus.context.commands import CONTEXT_TOPIC, Answer, AnswerKind, ServiceAnswer
from context_bus.errors import CommandTimeout
from context_bus.kernel.message import Header

#: Told of each answer as it comes.
Observer = Callable[[AnswerKind, Answer], None]


def send(
    conversation: Dialogue,
    action: str,
    transaction: str,
    context_id: str,
    configuration: Mapping[str, object],
    timeout: float,
    observe: Observer = lambda kind, answer: None,
) -> Outcome:
    """Send a command and follow it to its end.

    Args:
        conversation: With the provider.
        action: The verb.
        transaction: Whom it is about.
        context_id: The provider's.
        configuration: Content of the command.
        timeout: Seconds to wait at most.
        observe: Told of each answer as it comes.

    Returns:
        What became of each service, and of a reload the plan.

    Raises:
        CommandTimeout: The outcome was not known in time.
    """
    header = Header(action, context_id, "context", transaction)
    conversation.ask(CONTEXT_TOPIC, {"configuration": dict(configuration)}, header)
    rows: dict[str, ServiceAnswer] = {}
    for topic, told, content in conversation.answers(time.monotonic() + timeout):
        if topic != conversation.inbox or told.action not in set(AnswerKind):
            continue
        kind, answer = AnswerKind(told.action), msgspec.json.decode(content, type=Answer)
        rows |= {row.service_id: row for row in answer.services}
        observe(kind, answer)
        if kind.is_final:
            return Outcome(
                kind, tuple(rows.values()), answer.reason, answer.transaction or transaction, answer.plan
            )
    if not rows:
        raise CommandTimeout(f"the provider did not answer {action} within {timeout:g} s")
    under_way = [f"{row.service_id} is {row.state or '?'}" for row in rows.values() if row.result != "done"]
    what = ", ".join(under_way) or "no service is known to be under way"
    raise CommandTimeout(f"{action} did not come to an end within {timeout:g} s: {what}")
