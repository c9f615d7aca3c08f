"""Brings back what an earlier provider of the same context had running when it was killed. Pure."""

from __future__ import annotations

from collections.abc import Callable

from context_bus.context.events import Found, Resumed
from context_bus.context.instances import base_of, number_of
from context_bus.context.member import Member
from context_bus.context.states import State
from context_bus.context.table import Table
from context_bus.context.wishes import Wishes


class Resuming:
    """Resumes.

    Args:
        table: The context.
        wishes: Starts.
        wall: Turns the engine's time into seconds since the epoch.
    """

    def __init__(self, table: Table, wishes: Wishes, wall: Callable[[float], float]) -> None:
        self._table, self._wishes, self._wall = table, wishes, wall

    def resume(self, event: Resumed, now: float) -> None:
        """Bring back what an earlier provider kept: once, and as it was wanted."""
        for name, context_id, context_name in event.transactions:
            self._table.open(name, context_id, context_name)
        found = [(each, self._found(each)) for each in event.services]
        for each, member in found:
            if member is not None and each.restarts is not None:
                wall = self._wall(now)
                member.restarts = self._table.new_restarts(member.conf, each.restarts, now, wall)
        for each, member in found:
            if member is not None and each.is_wanted:
                # What only waited is told to wait again; all else ran, or was about to.
                run = None if each.state in {State.CREATED, State.WAITING} else True
                self._wishes.start(member, now, run=run)

    def _found(self, found: Found) -> Member | None:
        base = base_of(found.key.service_id)
        conf = self._table.conf.service(base) or found.conf
        if conf is None or found.key.transaction not in self._table:
            return None
        if found.key.service_id != base:
            count = max(number_of(found.key.service_id), self._table.count(found.key.transaction, base))
            self._table.scale(found.key.transaction, base, count)
        return self._table.define(found.key, conf)
