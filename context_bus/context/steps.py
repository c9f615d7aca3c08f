"""The single steps of a service's life: launch, tell, change, settle; each with what it instructs. Pure.

Knows members, jobs and instructions; must not know why a step is taken.
"""

from __future__ import annotations

from collections.abc import Callable

from context_bus.config.model import Action
from context_bus.context.commands import AnswerKind, ServiceAnswer
from context_bus.context.events import Key, Timer
from context_bus.context.instructions import (
    Broadcast,
    Instruction,
    PublishProcess,
    PublishReport,
    SetTimer,
    SpawnChild,
    TellService,
    Trace,
)
from context_bus.context.jobs import Job, Jobs
from context_bus.context.member import Goal, Limits, Member, Waiter
from context_bus.context.trace import ServiceChanged
from context_bus.kernel.message import Cause
from context_bus.service.reports import Report


class Steps:
    """Takes single steps with members.

    Args:
        put: Takes the instructions.
        jobs: The commands in progress.
        limits: Deadlines.
    """

    def __init__(self, put: Callable[[Instruction], None], jobs: Jobs, limits: Limits) -> None:
        self.put, self.limits = put, limits
        self._jobs = jobs
        #: The time of the event that is being handled.
        self.now = 0.0
        #: Services that the event has changed, by key.
        self.touched: dict[Key, Member] = {}

    def row(self, member: Member, kind: AnswerKind, reason: str = "") -> ServiceAnswer:
        """What an answer says of a service."""
        return ServiceAnswer(member.key.service_id, str(member.state), str(kind), reason, member.pid)

    def change(self, member: Member, trigger: str, reason: str = "") -> None:
        """Follow a row of the state table and let everybody concerned know."""
        old, new = member.state, member.life.fire(trigger)
        member.since = self.now
        self.touch(member)
        transaction, service_id = member.key
        name = member.conf.service_name
        self.put(Trace(ServiceChanged(transaction, service_id, name, old, new, member.pid, reason)))
        self.put(Broadcast(transaction))
        for job in {id(waiter.job): waiter.job for waiter in member.waiting}.values():
            self._jobs.progress(job, self.row(member, AnswerKind.PROGRESS, reason))

    def want(self, member: Member, is_wanted: bool) -> None:
        """Note whether a service is to run."""
        if member.is_wanted is not is_wanted:
            member.is_wanted = is_wanted
            self.touch(member)

    def touch(self, member: Member) -> None:
        """Note that the event has changed a service."""
        self.touched[member.key] = member

    def expect(self, member: Member, job: Job | None, goal: Goal) -> None:
        """Let a command wait for the member to be up or down."""
        if job is not None:
            member.waiting.append(Waiter(job, goal))

    def settle(self, member: Member, goal: Goal, kind: AnswerKind, reason: str = "") -> None:
        """Tell the commands that wait for this goal how it went."""
        met = [waiter for waiter in member.waiting if waiter.goal is goal]
        member.waiting = [waiter for waiter in member.waiting if waiter.goal is not goal]
        for waiter in met:
            self._jobs.settle(waiter.job, member.key, self.row(member, kind, reason))

    def set_timer(self, member: Member, timer: Timer, at: float) -> None:
        """Set a deadline; it replaces an earlier one of its kind."""
        member.deadlines[timer] = at
        self.put(SetTimer(member.key, member.incarnation, timer, at))

    def report_for(self, member: Member, report: Report, reason: str) -> None:
        """Report on behalf of a member that did not do so itself."""
        status: dict[str, object] = {
            "device_action": member.conf.device_action,
            "result": "failure" if report is Report.FAILED else "success",
        }
        if reason:
            status["reason"] = reason
        if report is Report.STARTED and member.pid:
            status["pid"] = member.pid
        self.put(PublishReport(member.key, member.conf, report, status))

    def launch(self, member: Member, now: float, run: bool, cause: Cause | None, announce: bool) -> None:
        """Ask for a new process."""
        member.next_process(run, cause, now)
        self.change(member, "launch")
        if announce:
            self.put(PublishProcess(member.key, member.conf, Action.START, cause))
        self.put(SpawnChild(member.key, member.incarnation, member.conf, run))
        self.set_timer(member, Timer.READY, now + self.limits.spawn)

    def tell_run(self, member: Member, now: float, cause: Cause | None, announce: bool) -> None:
        """Tell a process that waits to run its task."""
        member.run, member.cause = True, cause or member.cause
        self.change(member, "tell_run")
        if announce:
            self.put(PublishProcess(member.key, member.conf, Action.START, cause))
        self.put(TellService(member.key, member.incarnation, Action.START, member.conf))
        self.expect_ready(member, now)

    def tell_stop(self, member: Member, now: float, cause: Cause | None, announce: bool) -> None:
        """Tell the process to stop, and give it its grace."""
        self.change(member, "tell_stop", member.doom)
        if announce:
            self.put(PublishProcess(member.key, member.conf, Action.STOP, cause))
        self.put(TellService(member.key, member.incarnation, Action.STOP, member.conf))
        self.set_timer(member, Timer.STOP, now + self.grace_of(member))

    def expect_ready(self, member: Member, now: float) -> None:
        """Give a process its time to be ready."""
        self.set_timer(member, Timer.READY, now + self.ready_within(member))

    def ready_within(self, member: Member) -> float:
        """Seconds a service has to be ready, by its definition or by the limits."""
        deadline = member.conf.supervision.readiness.deadline
        return self.limits.ready if deadline is None else deadline

    def grace_of(self, member: Member) -> float:
        """Seconds a service has to end when told to, by its definition or by the limits."""
        grace = member.conf.supervision.stop.grace
        return self.limits.grace if grace is None else grace
