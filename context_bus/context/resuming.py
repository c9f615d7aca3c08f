"""Brings back what an earlier provider of the same context had running when it was killed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from context_bus.context.events import Found, Resumed
from context_bus.context.instances import base_of, number_of
from context_bus.context.member import Member
from context_bus.context.states import ALIVE, RUNNING, State
from context_bus.context.steps import Steps
from context_bus.context.table import Table
from context_bus.context.warming import Warming
from context_bus.context.wishes import Wishes


class Resuming:
    """Resumes.

    Args:
        table: The context.
        wishes: Starts.
        steps: Takes the steps.
        warming: Goes on asking who was being asked.
        wall: Turns the engine's time into seconds since the epoch.
    """

    def __init__(
        self, table: Table, wishes: Wishes, steps: Steps, warming: Warming, wall: Callable[[float], float]
    ) -> None:
        self._table, self._wishes, self._wall = table, wishes, wall
        self._steps, self._warming = steps, warming

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
            if member is not None and each.pid:
                self._adopt(member, each, now)
            elif member is not None and each.is_wanted:
                # What only waited is told to wait again; all else ran, or was about to.
                run = None if each.state in {State.CREATED, State.WAITING} else True
                self._wishes.start(member, now, run=run)

    def _found(self, found: Found) -> Member | None:
        base = base_of(found.key.service_id)
        in_file = self._table.conf.service(base)
        # A process that is there was made by the definition of its time.
        conf = found.conf or in_file if found.pid else in_file or found.conf
        if conf is None or found.key.transaction not in self._table:
            return None
        if found.key.service_id != base:
            count = max(number_of(found.key.service_id), self._table.count(found.key.transaction, base))
            self._table.scale(found.key.transaction, base, count)
        return self._table.define(found.key, conf)

    def _adopt(self, member: Member, found: Found, now: float) -> None:
        """Go on with a process that outlived its provider."""
        state = State(found.state)
        if state not in ALIVE - {State.STOPPING, State.ENDING}:
            # It was recorded as ended, or never as begun; what is there is not what anybody knows. If it was
            # about to end, whoever would have killed it after its grace is gone: it is told again, and timed.
            state = State.STARTING
        member.life.become(state)
        member.incarnation, member.pid, member.existed, member.since = found.incarnation, found.pid, now, now
        member.run = member.ran = state in RUNNING | {State.WARMING, State.ENDING}
        member.was_ready = state in RUNNING
        self._steps.want(member, found.is_wanted)
        self._steps.touch(member)
        if not found.is_wanted:
            self._wishes.stop(member, now)
        elif state is State.WARMING:
            self._warming.again(member, now)
        elif state not in RUNNING | {State.CREATED}:
            # What it said meanwhile nobody heard, so how far it got is not known: it begins anew.
            self._wishes.restart(member, now)
        else:
            self._go_on(member, now)

    def _go_on(self, member: Member, now: float) -> None:
        self._warming.watch(member)
        base = base_of(member.key.service_id)
        conf = self._table.conf.service(base)
        if conf is not None and replace(conf, id=member.key.service_id) != member.conf:
            self._wishes.restart(member, now, conf=replace(conf, id=member.key.service_id))
