"""How it is printed what became of a command. Knows answers; must not know how they came."""

from __future__ import annotations

from collections.abc import Sequence

from context_bus.cli.output import say, say_json, say_table, styled_state
from context_bus.client.outcome import Outcome
from context_bus.context.commands import Answer, AnswerKind, ServiceAnswer
from context_bus.errors import CommandFailed, CommandRejected


def show_progress(answer: Answer) -> None:
    """Print what an answer says of services that moved."""
    for row in answer.services:
        pid = f", pid {row.pid}" if row.pid else ""
        reason = f": {row.reason}" if row.reason else ""
        say(f"    + {row.service_id} {styled_state(row.state)}{pid}{reason}")


def print_outcome(action: str, outcome: Outcome, *, as_json: bool) -> None:
    """Print what became of a command.

    Raises:
        CommandRejected: It was refused.
        CommandFailed: A service did not reach the wanted state.
    """
    if as_json:
        say_json(
            {
                "transaction": outcome.transaction,
                "action": action,
                "outcome": outcome.kind,
                "reason": outcome.reason,
                "services": outcome.services,
            },
            indent=2,
        )
    elif outcome.services:
        rows = [(row.service_id, row.state, row.result, row.pid, row.reason) for row in outcome.services]
        say_table(*without_empty(("service", "state", "result", "pid", "reason"), rows))
    check_outcome(action, outcome)
    if not as_json:
        say(_summary(action, outcome))


def check_outcome(action: str, outcome: Outcome) -> None:
    """Raise what became of a command, unless it was done; raises as `print_outcome`."""
    if outcome.kind is AnswerKind.REJECTED:
        raise CommandRejected(f"{action} was refused: {outcome.reason or _reasons(outcome.services)}")
    if outcome.kind is AnswerKind.FAILED:
        raise CommandFailed(f"{action} failed: {_reasons(outcome.services) or outcome.reason}")


def _summary(action: str, outcome: Outcome) -> str:
    name = f" of transaction {outcome.transaction}" if outcome.transaction else ""
    refused = [row for row in outcome.services if row.result == AnswerKind.REJECTED]
    note = f"; refused: {_reasons(refused)}" if refused else ""
    return f"{action}{name}: done{note}"


def _reasons(rows: Sequence[ServiceAnswer]) -> str:
    bad = [row for row in rows if row.result in {AnswerKind.FAILED, AnswerKind.REJECTED}]
    return "; ".join(f"{row.service_id}: {row.reason or row.state or row.result}" for row in bad)


def without_empty(
    columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
    """Leave out the last column, reasons, where nobody gave one."""
    if any(row[-1] for row in rows):
        return columns, rows
    return columns[:-1], [row[:-1] for row in rows]
