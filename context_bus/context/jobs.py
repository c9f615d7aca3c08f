"""Commands whose outcome is not known yet, and the answers they get on the way. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from context_bus.context.commands import Answer, AnswerKind, PlanRow, ServiceAnswer
from context_bus.context.events import NOBODY, Key, ReplyTo
from context_bus.context.instructions import Instruction, SendAnswer, Trace
from context_bus.context.trace import CommandSettled


@dataclass(eq=False, slots=True)
class Job:
    """One command.

    Args:
        action: Its verb.
        transaction: Its transaction.
        reply: Where it is answered.
        rows: What is known of each service.
        pending: Services whose outcome is not known.
        plan: What a reload does.
    """

    action: str
    transaction: str
    reply: ReplyTo = NOBODY
    rows: dict[Key, ServiceAnswer] = field(default_factory=dict)
    pending: set[Key] = field(default_factory=set)
    plan: tuple[PlanRow, ...] = ()


class Jobs:
    """Opens, reports and closes jobs.

    Args:
        put: Takes the instructions that answer.
    """

    def __init__(self, put: Callable[[Instruction], None]) -> None:
        self._put = put

    def refuse(self, job: Job, reason: str) -> None:
        """Refuse a command as a whole."""
        self._close(job, AnswerKind.REJECTED, reason)

    def accept(self, job: Job, rows: Iterable[tuple[Key, ServiceAnswer]]) -> None:
        """Answer a command with a verdict on each of its services; refuse it if all are refused."""
        job.rows.update(rows)
        job.pending = {key for key, row in job.rows.items() if row.result == AnswerKind.ACCEPTED}
        if job.rows and not job.pending:
            reasons = dict.fromkeys(row.reason for row in job.rows.values())
            self._close(job, AnswerKind.REJECTED, "; ".join(reasons))
            return
        self._answer(job, AnswerKind.ACCEPTED, tuple(job.rows.values()))
        if not job.pending:
            self._close(job, AnswerKind.DONE)

    def progress(self, job: Job, row: ServiceAnswer) -> None:
        """Tell that a service has moved."""
        self._answer(job, AnswerKind.PROGRESS, (row,))

    def settle(self, job: Job, key: Key, row: ServiceAnswer) -> None:
        """Record the outcome for one service; the last one closes the job."""
        if key not in job.pending:
            return
        job.pending.discard(key)
        job.rows[key] = row
        if not job.pending:
            done = all(row.result == AnswerKind.DONE for row in job.rows.values())
            self._close(job, AnswerKind.DONE if done else AnswerKind.FAILED)

    def _close(self, job: Job, kind: AnswerKind, reason: str = "") -> None:
        rows = tuple(job.rows.values())
        self._answer(job, kind, rows, reason)
        self._put(Trace(CommandSettled(job.action, job.transaction, kind, rows, reason)))

    def _answer(self, job: Job, kind: AnswerKind, rows: tuple[ServiceAnswer, ...], reason: str = "") -> None:
        if job.reply.topic:
            answer = Answer(rows, reason, job.action, job.transaction, job.plan)
            self._put(SendAnswer(job.reply, kind, answer))
