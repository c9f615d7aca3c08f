"""Tells who asks what has happened: from memory, and from the store what is older. Must not decide anything.

Nobody waits for the store but who asks for what only the store has; without it the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from context_bus.context.commands import EventTexts, LoggedEvent
from context_bus.context.errands import Errands
from context_bus.context.eventlog import EventLog, bounded
from context_bus.context.events import ReplyTo
from context_bus.context.instructions import SendEvents
from context_bus.errors import StoreError
from context_bus.store.archive import Archive
from context_bus.store.remembered import EVENTS_OF_RUN, EventRow

if TYPE_CHECKING:
    from context_bus.store.records import Reader


class Older(msgspec.Struct, frozen=True):
    """What the store has: events, and the number of the oldest one that was asked for; 0 for none."""

    events: tuple[msgspec.Raw, ...] = ()
    first: int = 0


class Past:
    """Answers for one provider.

    Args:
        log: What is in memory.
        archive: Where older events are; None for nowhere.
        say: Says an answer to who asked.
    """

    def __init__(
        self, log: EventLog, archive: Archive | None, say: Callable[[ReplyTo, EventTexts], None]
    ) -> None:
        self._log, self._archive, self._say = log, archive, say
        self._errands = Errands()
        #: What is being looked up; who waits for long asks again.
        self._asked: set[ReplyTo] = set()

    def answer(self, order: SendEvents) -> None:
        """Answer at once if memory is enough, else as soon as the store has been asked."""
        if self._archive is None or self._is_remembered(order.after):
            self._say(order.reply, self._log.after(order.after, order.limit))
        elif order.reply not in self._asked:
            self._asked.add(order.reply)
            self._errands.start(self._look_up(order, self._archive))

    async def finish(self) -> None:
        """Answer who waits."""
        await self._errands.finish()

    def _is_remembered(self, after: int) -> bool:
        """Whether no event that is asked for can be older than what is in memory."""
        log = self._log
        if after >= log.first - 1:
            return True
        # Before the first run there was none.
        return log.is_whole and log.first == EVENTS_OF_RUN + 1

    async def _look_up(self, order: SendEvents, archive: Archive) -> None:
        # Before anything is waited for: what comes meanwhile is told to who listens.
        own, before = self._log.after(order.after, order.limit), self._log.first
        read = partial(_read, order.after, before, bounded(order.limit))
        try:
            older = await archive.look(read, whole=not self._log.is_whole)
        except StoreError as error:
            self._say(order.reply, msgspec.structs.replace(own, trouble=str(error)))
        else:
            self._say(order.reply, _joined(older or Older(), own, order))
        finally:
            self._asked.discard(order.reply)


def _read(after: int, before: int, limit: int, reader: Reader) -> Older:
    """Read events below a number; in a thread."""
    if after:
        rows = tuple(row for row in reader.events(after, limit) if row.sequence < before)
        first = rows[0].sequence if rows else 0
    else:
        rows, first = reader.last_events(before, limit), reader.first_event()
    return Older(tuple(map(_text, rows)), first if first < before else 0)


def _text(row: EventRow) -> msgspec.Raw:
    data = msgspec.json.decode(row.data)
    return msgspec.Raw(
        msgspec.json.encode(
            LoggedEvent(row.sequence, row.at, row.kind, row.transaction, row.service_id, data)
        )
    )


def _joined(older: Older, own: EventTexts, order: SendEvents) -> EventTexts:
    most = bounded(order.limit)
    events = older.events + own.events
    return EventTexts(events[:most] if order.after else events[-most:], older.first or own.first, own.last)
