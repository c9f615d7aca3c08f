"""The context provider's mind: events in, instructions out. Pure.

Knows the file, the transactions and their services; must not know sockets, processes or clocks: time
comes in as ``now`` and whatever is to be done comes out as an instruction. A shell carries them out
and comes back with events. Nothing here waits, and no command is refused for being busy.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from context_bus.config.model import ContextConf
from context_bus.context.changes import Changes
from context_bus.context.commanding import Commanding, Means
from context_bus.context.commands import AnswerKind
from context_bus.context.events import (
    NOBODY,
    ChildExited,
    ChildFrozen,
    ChildSpawned,
    ClockSet,
    CommandReceived,
    DeadlineReached,
    Event,
    FeedbackRead,
    FileRead,
    Key,
    LeaveAsked,
    LifeLost,
    ProbeAnswered,
    ProcessSeen,
    ReloadAsked,
    Reported,
    RestartAsked,
    Resumed,
    SpawnFailed,
    StateAsked,
)
from context_bus.context.firing import Firing
from context_bus.context.gating import Gates
from context_bus.context.happenings import Happenings
from context_bus.context.instructions import (
    Finish,
    Instruction,
    Remember,
    Trace,
)
from context_bus.context.jobs import Job, Jobs
from context_bus.context.member import Limits, Member
from context_bus.context.queries import Queries
from context_bus.context.resuming import Resuming
from context_bus.context.states import ALIVE, DOWN, PENDING
from context_bus.context.steps import Steps
from context_bus.context.stops import Stops
from context_bus.context.table import Table
from context_bus.context.trace import CommandHeard, ProviderLeaving, ServiceReported
from context_bus.context.wishes import Wishes
from context_bus.service.reports import Report

#: What can happen to one process of a service.
ChildEvent = (
    ChildSpawned
    | SpawnFailed
    | ChildExited
    | ChildFrozen
    | ProbeAnswered
    | LifeLost
    | FeedbackRead
    | DeadlineReached
)


class Engine:
    """Decides for one context.

    Args:
        conf: The context file; its services are known to every transaction.
        limits: Deadlines and bounds.
        rng: Gives the numbers in [0, 1) by which delays vary.
        wall: Turns ``now`` into seconds since the epoch.
    """

    def __init__(
        self,
        conf: ContextConf,
        limits: Limits | None = None,
        *,
        rng: Callable[[], float] = random.random,
        wall: Callable[[float], float] = lambda now: now,
    ) -> None:
        self._out: list[Instruction] = []
        self._finished = False
        #: One of those that are waited for when all end.
        self._last_up: Member | None = None
        self._wall = wall
        self.table = Table(conf, rng, wall)
        limits = limits or Limits()
        self._jobs = Jobs(self._out.append)
        self._firing = Firing(self._out.append, self.table.find_or_define, limits)
        self._steps = Steps(self._out.append, self._jobs, limits)
        self._gates = Gates(self._steps, self.table, wall)
        self._wishes = Wishes(self._steps, self._gates)
        self._stops = Stops(self._wishes)
        self._queries = Queries(self._out.append, self.table, self._jobs)
        self._changes = Changes(self.table, self._steps, self._wishes, self._stops, self._jobs)
        self._commanding = Commanding(
            Means(self._out.append, self.table, self._jobs, self._wishes, self._stops, self._changes)
        )
        self._happenings = Happenings(self._steps, self._gates, self._fire)
        self._resuming = Resuming(self.table, self._wishes, self._steps, self._happenings.warming, wall)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take in what happened.

        Args:
            event: What happened.
            now: When, on the clock that also times the deadlines.

        Returns:
            What to do, in order.
        """
        self._steps.now = now
        match event:
            case CommandReceived(action="exit"):
                self._exit(event, now)
            case CommandReceived():
                self._commanding.command(event, now)
            case ProcessSeen():
                self._commanding.process(event, now)
            case StateAsked():
                self._queries.answer(event)
            case RestartAsked():
                self._commanding.restart_instances(event, now)
            case LeaveAsked():
                self._leave(event.reason, now)
            case Reported():
                self._report(event, now)
            case ReloadAsked():
                self._changes.reload(NOBODY, False)
            case FileRead():
                self._changes.file_read(event, now)
            case Resumed():
                self._resuming.resume(event, now)
            case ClockSet():
                self._gates.clock_set(now)
            case _:
                self._child(event, now)
        self._let_go(now)
        self._changes.forget_removed(self._out.append)
        self._finish_if_empty()
        return self._take_out()

    def _let_go(self, now: float) -> None:
        """See who waited for what has changed; that changes more, until all is said."""
        looked: dict[Key, Member] = {}
        while self._steps.touched:
            looked |= self._steps.touched
            self._steps.touched = {}
            self._stops.release(now)
            self._gates.release(now, self._happenings.blocked)
        self._steps.touched = looked

    def _take_out(self) -> list[Instruction]:
        """What to do: first what is to be remembered, so that nothing is done that would be forgotten."""
        now, wall = self._steps.now, self._wall(self._steps.now)
        remembered = [
            Remember(
                member.key,
                member.conf,
                member.is_wanted,
                str(member.state),
                member.restarts.to_memory(now, wall),
                member.reason,
            )
            for member in self._steps.touched.values()
        ]
        instructions = [*remembered, *self._out]
        self._steps.touched.clear()
        self._out.clear()
        return instructions

    @property
    def is_leaving(self) -> bool:
        """Whether the end has begun."""
        return bool(self._commanding.leaving)

    # -- the end -------------------------------------------------------------------------------

    def _exit(self, command: CommandReceived, now: float) -> None:
        job = Job(command.action, command.transaction, command.reply)
        self._out.append(Trace(CommandHeard(command.action, command.transaction)))
        alive = [member for member in self.table.members() if member.state in ALIVE | PENDING]
        accepted = [(member.key, self._steps.row(member, AnswerKind.ACCEPTED)) for member in alive]
        self._jobs.accept(job, accepted)
        self._leave("exit", now, job)

    def _leave(self, reason: str, now: float, job: Job | None = None) -> None:
        if not self._commanding.leaving:
            self._commanding.leaving = reason
            self._firing.is_off = True
            self._out.append(Trace(ProviderLeaving(reason)))
        up = [member for member in self.table.members() if member.state not in DOWN - PENDING]
        self._stops.stop(up, now, job)

    def _finish_if_empty(self) -> None:
        if not self._commanding.leaving or self._finished:
            return
        if self._last_up is not None and self._last_up.state not in DOWN:
            return
        self._last_up = next((each for each in self.table.members() if each.state not in DOWN), None)
        if self._last_up is None:
            self._finished = True
            self._out.append(Finish(self._commanding.leaving))

    # -- what happens to services --------------------------------------------------------------

    def _report(self, report: Reported, now: float) -> None:
        member = self.table.find(Key(report.transaction, report.service_id))
        if member is None or member.state in DOWN:
            return
        if report.sender and not member.recognises(report):
            return
        if report.action not in {Report.CREATED, Report.STARTED, Report.STOPPED}:
            self._out.append(Trace(_shown(member, report)))
        if report.sender:
            self._happenings.reported(member, report, now)
        elif report.action == Report.UPDATED:
            # Made by hand, as older clients do: it may let transitions fire, but says nothing of the process.
            self._happenings.updated(member, report, now)

    def _child(self, event: ChildEvent, now: float) -> None:
        member = self.table.find(event.key)
        if member is None or member.incarnation != event.incarnation:
            return
        if isinstance(event, DeadlineReached):
            self._happenings.late(member, event.timer, now)
        elif member.state not in DOWN:
            self._process_event(member, event, now)

    def _process_event(self, member: Member, event: ChildEvent, now: float) -> None:
        match event:
            case ChildSpawned():
                self._happenings.spawned(member, event.pid, now)
            case SpawnFailed():
                self._happenings.unspawned(member, event.reason, now)
            case ChildExited():
                self._happenings.exited(member, event, now)
            case ChildFrozen():
                self._happenings.frozen(member, event.is_frozen)
            case ProbeAnswered():
                self._happenings.warming.answered(member, event.reason, now)
            case LifeLost():
                self._happenings.condemn(member, event.reason, now)
            case FeedbackRead():
                self._happenings.gave_feedback(member, event.values, now)

    def _fire(self, member: Member, action: str, result: str, commanded: bool, now: float) -> None:
        self._firing.fire(self._wishes, member, (action, result, commanded), now)


def _shown(member: Member, report: Reported) -> ServiceReported:
    transaction, service_id = member.key
    name = member.conf.service_name
    return ServiceReported(transaction, service_id, name, report.action, report.result, report.status)
