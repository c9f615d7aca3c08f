"""What reports, deadlines and the end of a process mean to a service. Pure.

Knows the steps; must not know commands nor transitions, only that somebody fires them.
"""

from __future__ import annotations

from collections.abc import Callable

from context_bus.config.model import Action
from context_bus.context.commands import AnswerKind
from context_bus.context.ending import Verdict, judge
from context_bus.context.events import ChildExited, Ending, Reported, Timer
from context_bus.context.instructions import Broadcast, EndChild, TellService
from context_bus.context.member import Goal, Member, Relaunch
from context_bus.context.states import DOWN, RUNNING, State
from context_bus.context.steps import Steps
from context_bus.service.reports import Report

#: Told of everything that may let transitions fire: member, verb, result, whether it was asked for, now.
Fire = Callable[[Member, str, str, bool, float], None]


class Happenings:
    """Moves members along as things happen.

    Args:
        steps: Takes the steps.
        fire: Told of what may let transitions fire.
    """

    def __init__(self, steps: Steps, fire: Fire) -> None:
        self._steps, self._fire = steps, fire

    def spawned(self, member: Member, pid: int, now: float) -> None:
        """The process exists; its time to report begins."""
        member.pid = pid
        if member.state is State.STARTING:
            self._steps.set_timer(member, Timer.READY, now + self._steps.limits.ready)
        self._steps.put(Broadcast(member.key.transaction))

    def unspawned(self, member: Member, reason: str, now: float) -> None:
        """The process could not be made."""
        if not member.commanded:
            member.doom = reason
        member.gone = ChildExited(member.key, member.incarnation)
        self._conclude(member, now)

    def reported(self, member: Member, report: Reported, now: float) -> None:
        """The present process reported."""
        match report.action:
            case Report.CREATED:
                self._created(member, now)
            case Report.STARTED if report.result == "success":
                self._started(member, now)
            case Report.UPDATED:
                self.updated(member, report, now)
            case Report.STARTED | Report.FAILED | Report.STOPPED | Report.EXITED:
                self._said_last_word(member, report, now)
            case _:
                pass  # a word of the service's own; it is nobody's business but its listeners'

    def updated(self, member: Member, report: Reported, now: float) -> None:
        """A running task has a result, says itself or somebody on its behalf."""
        if member.state in RUNNING and report.result == "success":
            if member.state is State.STARTED:
                self._steps.change(member, "report_updated")
            self._fire(member, report.action, report.result, False, now)

    def exited(self, member: Member, event: ChildExited, now: float) -> None:
        """The process is gone; its last report may still be on its way."""
        member.gone = event
        if event.ending is not Ending.SILENT and event.reported and member.final is None:
            self._steps.set_timer(member, Timer.DRAIN, now + self._steps.limits.drain)
        else:
            self._conclude(member, now)

    def late(self, member: Member, timer: Timer, now: float) -> None:
        """A deadline has passed."""
        if now < member.deadlines.get(timer, float("inf")):
            return
        del member.deadlines[timer]
        state = member.state
        if timer is Timer.DRAIN and member.gone is not None and state not in DOWN:
            self._conclude(member, now)
        elif timer is Timer.READY and state is State.STARTING and member.gone is None:
            limits = self._steps.limits
            late = f"not ready within {limits.ready:g} s; see its log or raise the limit"
            member.doom = late if member.pid else f"no process within {limits.spawn:g} s"
            self._steps.tell_stop(member, now, None, True)
            self._steps.put(EndChild(member.key, member.incarnation))
        elif (timer is Timer.STOP and state is State.STOPPING) or (
            timer is Timer.END and state is State.ENDING
        ):
            member.reason = f"killed: did not end within {self._steps.limits.grace:g} s"
            self._steps.put(EndChild(member.key, member.incarnation))

    def _created(self, member: Member, now: float) -> None:
        if member.state is State.STOPPING:
            # It was told to stop before it could listen.
            self._steps.put(TellService(member.key, member.incarnation, Action.STOP))
        elif member.state is State.STARTING:
            self._steps.change(member, "report_created")
            if member.run:
                self._steps.tell_run(member, now, member.cause, True)
            else:
                self._steps.settle(member, Goal.UP, AnswerKind.DONE)

    def _started(self, member: Member, now: float) -> None:
        if member.state is State.STOPPING:
            self._steps.put(TellService(member.key, member.incarnation, Action.STOP))
        elif member.state in {State.STARTING, State.CREATED}:
            member.ran = True
            self._steps.change(member, "report_started")
            self._steps.settle(member, Goal.UP, AnswerKind.DONE)
            self._fire(member, Report.STARTED, "success", False, now)

    def _said_last_word(self, member: Member, report: Reported, now: float) -> None:
        if member.state in DOWN or member.final is not None:
            return
        member.final = report
        if member.gone is not None:
            self._conclude(member, now)
        elif member.state is not State.STOPPING:
            self._steps.change(member, "report_end", report.reason)
            self._steps.set_timer(member, Timer.END, now + self._steps.limits.grace)

    def _conclude(self, member: Member, now: float) -> None:
        verdict = judge(member)
        # A task that ended by itself was up, whether or not word of that came through.
        was_up = verdict.state is State.EXITED
        member.bury(now)
        self._steps.change(member, verdict.trigger, verdict.reason)
        member.reason = verdict.reason
        if member.final is None:
            self._steps.report_for(member, verdict.report, verdict.reason)
        self._steps.settle(member, Goal.DOWN, AnswerKind.DONE, verdict.reason)
        relaunch = member.relaunch
        if relaunch is None:
            kind = AnswerKind.DONE if was_up else AnswerKind.FAILED
            self._steps.settle(member, Goal.UP, kind, verdict.reason or f"it {verdict.state}")
        self._after(member, verdict, relaunch, now)

    def _after(self, member: Member, verdict: Verdict, relaunch: Relaunch | None, now: float) -> None:
        """Let transitions fire on the end, then start what was asked for meanwhile."""
        if not member.is_cut:
            result = "failure" if verdict.state is State.FAILED else "success"
            self._fire(member, verdict.report, result, verdict.state is State.STOPPED, now)
        if relaunch is not None and member.state in DOWN:
            member.conf = relaunch.conf or member.conf
            run = not member.conf.is_deferred if relaunch.run is None else relaunch.run
            self._steps.launch(member, now, run, relaunch.cause, True)
