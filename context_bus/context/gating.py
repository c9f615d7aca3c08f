"""When a service that is wanted may start: what it requires, its time by the clock, its type. Pure.

Whoever launches a service asks here. One that may not start yet waits, and is looked at again whenever
something has changed; it never fails silently, for what it waits for is its reason.
"""

from __future__ import annotations

from collections.abc import Callable

from context_bus.config.model import ServiceType
from context_bus.config.supervision import Condition, Requirement
from context_bus.context.commands import AnswerKind
from context_bus.context.events import Key, Timer
from context_bus.context.member import Goal, Member, Relaunch
from context_bus.context.states import ALIVE, BROKEN, RUNNING, State
from context_bus.context.steps import Steps
from context_bus.context.table import Table
from context_bus.kernel.message import Cause
from context_bus.kernel.schedule import next_after
from context_bus.service.reports import Report

#: Times that came while a service ran beyond which nobody counts.
MANY_SKIPPED = 100
#: Told of a service that failed without ever having had a process.
Failed = Callable[[Member, float], None]


class Gates:
    """Launches services, now or when they may.

    Args:
        steps: Takes the steps.
        table: Where required services are found.
        wall: Turns the engine's time into seconds since the epoch.
    """

    def __init__(self, steps: Steps, table: Table, wall: Callable[[float], float]) -> None:
        self._steps, self._table, self._wall = steps, table, wall
        #: Those that were told to wait and may do so still; few, where there are many.
        self._waiting: dict[Key, Member] = {}

    def launch(self, member: Member, now: float, run: bool, cause: Cause | None, announce: bool) -> None:
        """Start a process for a service, or let it wait."""
        conf = member.conf
        if conf.supervision.schedule and not member.is_due:
            self._wait_for_time(member, now, cause)
        elif conf.service_type is ServiceType.COMMAND and not run:
            # A program runs as soon as it exists, so it is made when it is to run.
            self._hold(member, None, "waits for a transition or a command to run it")
            self._steps.report_for(member, Report.CREATED, "")
            self._steps.settle(member, Goal.UP, AnswerKind.DONE)
        elif lacking := self._lacking(member):
            self._hold(member, Relaunch(run, None, cause), lacking)
        else:
            self._steps.launch(member, now, run, cause, announce)

    def release(self, now: float, failed: Failed) -> None:
        """Start whoever waited for what has happened meanwhile; fail whoever waits in vain."""
        for key, member in list(self._waiting.items()):
            if member.state is not State.WAITING:
                del self._waiting[key]
                continue
            waits_for_others = member.relaunch is not None and Timer.SCHEDULE not in member.deadlines
            if not waits_for_others:
                continue
            if reason := self._in_vain(member):
                self._steps.change(member, "block", reason)
                member.reason, member.relaunch = reason, None
                failed(member, now)
            elif not self._lacking(member):
                relaunch = member.relaunch or Relaunch(True)
                self._steps.launch(member, now, relaunch.run is not False, relaunch.cause, True)

    def rest(self, member: Member, now: float) -> None:
        """Let a service that has run wait for its next time, and say which came while it ran."""
        self._wait_for_time(member, now, None, self._skipped(member, now))

    def come_due(self, member: Member, now: float) -> None:
        """A time by the clock has come; if the clock was set back meanwhile, it has not."""
        if member.state is State.WAITING:
            if self._wall(now) + 0.001 < member.due_at:
                self._set_alarm(member, now)
                return
            member.is_due = True
            relaunch = member.relaunch or Relaunch(True)
            self.launch(member, now, True, relaunch.cause, True)

    def clock_set(self, now: float) -> None:
        """Look again at what is due by the clock."""
        for member in self._table.members():
            if Timer.SCHEDULE in member.deadlines:
                member.due_at = next_after(member.conf.supervision.schedule, self._wall(now))
                self._set_alarm(member, now)

    def needed(self, member: Member) -> list[Member]:
        """Services that this one requires and that nobody has started: they are to be started with it."""
        found: list[Member] = []
        for requirement in member.conf.supervision.requires:
            for other in self._required(member, requirement):
                is_done = requirement.condition is Condition.COMPLETED and other.state is State.EXITED
                if not other.is_wanted and other.state not in ALIVE - {State.CREATED} and not is_done:
                    found.append(other)
        return found

    # -- how -----------------------------------------------------------------------------------

    def _hold(self, member: Member, relaunch: Relaunch | None, reason: str) -> None:
        member.relaunch = relaunch
        self._waiting[member.key] = member
        if member.state is not State.WAITING:
            member.reason = reason
            self._steps.change(member, "hold", reason)
        member.reason = reason

    def _wait_for_time(self, member: Member, now: float, cause: Cause | None, note: str = "") -> None:
        schedule = member.conf.supervision.schedule
        member.due_at = next_after(schedule, self._wall(now))
        self._hold(member, Relaunch(True, None, cause), f"runs by its schedule {schedule}{note}")
        self._set_alarm(member, now)
        self._steps.settle(member, Goal.UP, AnswerKind.DONE, member.reason)

    def _skipped(self, member: Member, now: float) -> str:
        """What is said of times that came while a service still ran, which then runs no second time."""
        schedule, wall, count = member.conf.supervision.schedule, self._wall(now), 0
        # One that outlived its provider was born nobody knows when. And its alarm may have gone off a moment
        # before its time, which is then not another one.
        due = next_after(schedule, max(member.due_at, self._wall(member.born or member.existed)))
        while due <= wall and count < MANY_SKIPPED:
            count, due = count + 1, next_after(schedule, due)
        if not count:
            return ""
        number = f"{count} or more times" if due <= wall else "1 time" if count == 1 else f"{count} times"
        return f"; skipped {number}, when it still ran"

    def _set_alarm(self, member: Member, now: float) -> None:
        self._steps.set_timer(member, Timer.SCHEDULE, now + member.due_at - self._wall(now))

    def _required(self, member: Member, requirement: Requirement) -> list[Member]:
        key = Key(member.key.transaction, requirement.service_id)
        return self._table.find_or_define(key)

    def _lacking(self, member: Member) -> str:
        """What a service still waits for; empty if for nothing."""
        for requirement in member.conf.supervision.requires:
            others = self._required(member, requirement)
            if not others or not all(_meets(other, requirement.condition) for other in others):
                return f"waits for {requirement.service_id} to be {requirement.condition}"
        return ""

    def _in_vain(self, member: Member) -> str:
        """Why what a service waits for will not come; empty if it may."""
        for requirement in member.conf.supervision.requires:
            others = self._required(member, requirement)
            if not others:
                return f"requires {requirement.service_id}, which is not known here"
            for other in others:
                if not other.is_wanted and (end := _end_in_vain(other, requirement.condition)):
                    return f"requires {other.key.service_id}, {end}"
        return ""


def _end_in_vain(member: Member, condition: Condition) -> str:
    """Why a service that nobody starts again will not meet a condition; empty if it does."""
    if member.state in BROKEN:
        return f"which has failed: {member.reason}" if member.reason else "which has failed"
    if member.state is State.EXITED and condition is not Condition.COMPLETED:
        return "which has ended"
    return ""


def _meets(member: Member, condition: Condition) -> bool:
    if condition is Condition.COMPLETED:
        return member.state is State.EXITED
    if condition is Condition.READY:
        return member.state in RUNNING
    return member.existed > 0.0 and member.state in ALIVE
