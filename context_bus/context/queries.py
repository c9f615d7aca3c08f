"""Answers queries about a context. Pure."""

from __future__ import annotations

from collections.abc import Callable

from context_bus.context.events import StateAsked
from context_bus.context.instructions import (
    Instruction,
    SendEvents,
    SendFigures,
    SendRecord,
    SendServices,
    SendStatistics,
)
from context_bus.context.jobs import Job, Jobs
from context_bus.context.table import Table
from context_bus.context.topquery import FiguresAsked

#: Queries that are answered.
KNOWN = "request, services, events, top or statistics"


class Queries:
    """Answers, or refuses.

    Args:
        put: Takes the instructions.
        table: The context.
        jobs: Refuses.
    """

    def __init__(self, put: Callable[[Instruction], None], table: Table, jobs: Jobs) -> None:
        self._put, self._table, self._jobs = put, table, jobs

    def answer(self, event: StateAsked) -> None:
        """Answer one query."""
        match event.action:
            case "request":
                self._record(event)
            case "services":
                self._put(SendServices(event.reply, event.service_id))
            case "events":
                self._put(SendEvents(event.reply, event.after, event.limit))
            case "top":
                self._figures(event, event.figures or FiguresAsked())
            case "statistics":
                self._put(SendStatistics(event.reply))
            case _:
                self._refuse(event, f"'{event.action}' is not answered by this provider; expected {KNOWN}")

    def _record(self, event: StateAsked) -> None:
        transaction = self._meant(event)
        record = self._table.record(transaction)
        if record is not None:
            self._put(SendRecord(event.reply, transaction, record))
        else:
            self._refuse_transaction(event)

    def _figures(self, event: StateAsked, asked: FiguresAsked) -> None:
        transaction = self._meant(event)
        if asked.refusal:
            self._refuse(event, asked.refusal)
        elif asked.is_brief and not event.transaction:
            self._put(SendFigures(event.reply, self._table.names(), asked.options, asked.publication))
        elif transaction in self._table:
            self._put(SendFigures(event.reply, (transaction,), asked.options, asked.publication))
        else:
            self._refuse_transaction(event)

    def _meant(self, event: StateAsked) -> str:
        """Who names none means the only one; so a commander need not remember a generated name."""
        names = self._table.names()
        return event.transaction or (names[0] if len(names) == 1 else "")

    def _refuse_transaction(self, event: StateAsked) -> None:
        known = ", ".join(self._table.names()) or "none yet"
        self._refuse(
            event, f"transaction {event.transaction or '(none given)'} is not known here; known: {known}"
        )

    def _refuse(self, event: StateAsked, reason: str) -> None:
        self._jobs.refuse(Job(event.action, event.transaction, event.reply), reason)
