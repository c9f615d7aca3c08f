"""Commands about services of a provider that runs: who is meant, what becomes of it. Knows the wire."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from context_bus.cli.outcome import print_outcome, show_progress
from context_bus.client import asking
from context_bus.client.ordering import Observer, send
from context_bus.client.whereabouts import endpoints_of
from context_bus.context.commands import Answer, AnswerKind


def observer(*, as_json: bool) -> Observer:
    """Prints progress for people."""

    def observe(kind: AnswerKind, answer: Answer) -> None:
        if kind is AnswerKind.PROGRESS and not as_json:
            show_progress(answer)

    return observe


def order(
    action: str,
    names: Sequence[str],
    *,
    transaction: str,
    timeout: float,
    as_json: bool,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
) -> None:
    """Start, stop or restart services by name, and print what becomes of them.

    Raises:
        CommandRejected: The provider refuses, or knows no such service.
        CommandFailed: A service did not reach the wanted state.
        CommandTimeout: The outcome was not known in time.
        NobodyListens: There is no provider.
    """
    with asking.open_conversation(endpoints_of(context_file, publish, listen, state)) as conversation:
        found = asking.services(conversation)
        context_id = str(found.provider.get("context_id", ""))
        if action == "start" and not found.transactions and not names:
            from context_bus.kernel.ids import new_transaction

            name, chosen = transaction or new_transaction(), []
        elif action == "start" and transaction and transaction not in {e.name for e in found.transactions}:
            name, chosen = transaction, list(names)
        else:
            one = asking.choose_transaction(found, transaction)
            name, chosen = one.name, _chosen(action, one, names)
        configuration: dict[str, object] = (
            {"TaskService": [{"id": each} for each in chosen]} if chosen else {}
        )
        outcome = send(
            conversation, action, name, context_id, configuration, timeout, observer(as_json=as_json)
        )
    print_outcome(action, outcome, as_json=as_json)


def _chosen(action: str, transaction: asking.Transaction, names: Sequence[str]) -> list[str]:
    """Ids to name; a service that only the file knows can be started by its very id."""
    known = [task.service_id for task in transaction.tasks]
    if action == "start" and names:
        plain = [name for name in names if not any(asking.is_meant(each, name) for each in known)]
        rest = [name for name in names if name not in plain]
        tasks = asking.choose_tasks(transaction.tasks, rest) if rest else ()
        return [*(task.service_id for task in tasks), *plain]
    return [task.service_id for task in asking.choose_tasks(transaction.tasks, names)] if names else []
