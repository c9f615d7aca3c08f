"""What reports, deadlines and the end of a process mean to a service. Pure.

Knows the steps; must not know commands nor transitions, only that somebody fires them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from context_bus.config.model import Action
from context_bus.context.commands import AnswerKind
from context_bus.context.ending import Verdict, accident, judge
from context_bus.context.events import ChildExited, Ending, Reported, Timer
from context_bus.context.gating import Gates
from context_bus.context.instructions import Broadcast, EndChild, PublishReport, TellService, Trace
from context_bus.context.keeping import Keeping, is_program
from context_bus.context.member import Goal, Member, Relaunch
from context_bus.context.states import DOWN, RUNNING, State
from context_bus.context.steps import Steps
from context_bus.context.trace import ServiceFrozen, ServiceReported
from context_bus.context.warming import Warming
from context_bus.service.reports import SUCCESS, Report, update_content

#: Told of everything that may let transitions fire: member, verb, result, whether it was asked for, now.
Fire = Callable[[Member, str, str, bool, float], None]


class Happenings:
    """Moves members along as things happen.

    Args:
        steps: Takes the steps.
        gates: Launches.
        fire: Told of what may let transitions fire.
    """

    def __init__(self, steps: Steps, gates: Gates, fire: Fire) -> None:
        self._steps, self._gates, self._fire = steps, gates, fire
        self._keeping = Keeping(steps, gates)
        self.warming = Warming(steps, fire)

    def spawned(self, member: Member, pid: int, now: float) -> None:
        """The process exists; its time to be ready begins."""
        member.pid, member.existed = pid, now
        self._steps.touch(member)
        if member.state is State.STARTING:
            self._steps.expect_ready(member, now)
            if is_program(member):
                member.ran = True
                self.warming.began(member, now)
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

    def gave_feedback(self, member: Member, values: Mapping[str, str], now: float) -> None:
        """A program has a result, which is reported on its behalf."""
        if member.state not in RUNNING:
            return
        status = update_content(SUCCESS, member.conf.device_action, values).status
        result = str(status["result"])
        self._steps.put(PublishReport(member.key, member.conf, Report.UPDATED, status))
        name = member.conf.service_name
        self._steps.put(Trace(ServiceReported(*member.key, name, Report.UPDATED, result, status)))
        self.updated(member, Reported(*member.key, Report.UPDATED, result), now)

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
        match timer:
            case Timer.DRAIN if member.gone is not None and state not in DOWN:
                self._conclude(member, now)
            case Timer.READY if state in {State.STARTING, State.WARMING} and member.gone is None:
                self.condemn(member, self._why_late(member), now)
            case Timer.STOP if state is State.STOPPING:
                self._kill(member)
            case Timer.END if state is State.ENDING:
                self._kill(member)
            case Timer.WARM:
                self.warming.answered(member, "", now)
            case Timer.BACKOFF:
                self._keeping.back(member, now)
            case Timer.SCHEDULE:
                self._gates.come_due(member, now)

    def condemn(self, member: Member, doom: str, now: float) -> None:
        """End a process that is of no use any more, as a failure."""
        if member.state in {State.STOPPING, State.ENDING} or member.gone is not None:
            return
        member.doom = doom
        self._steps.tell_stop(member, now, None, True)
        self._steps.put(EndChild(member.key, member.incarnation))

    def blocked(self, member: Member, now: float) -> None:
        """What a service requires has failed, and so has it, before it had a process."""
        self._steps.want(member, False)
        self._steps.report_for(member, Report.FAILED, member.reason)
        self._steps.settle(member, Goal.UP, AnswerKind.FAILED, member.reason)
        self._fire(member, Report.FAILED, "failure", False, now)

    def frozen(self, member: Member, is_frozen: bool) -> None:
        """Its process was stopped by a signal, or goes on."""
        if member.is_frozen is not is_frozen:
            member.is_frozen = is_frozen
            self._steps.put(Trace(ServiceFrozen(*member.key, member.pid or 0, is_frozen)))
            self._steps.put(Broadcast(member.key.transaction))

    def _why_late(self, member: Member) -> str:
        if not member.pid:
            return f"no process within {self._steps.limits.spawn:g} s"
        within = self._steps.ready_within(member)
        why = f": {member.complaint}" if member.complaint else "; see its log or raise the deadline"
        return f"not ready within {within:g} s{why}"

    def _kill(self, member: Member) -> None:
        member.reason = f"killed: did not end within {self._steps.grace_of(member):g} s"
        self._steps.put(EndChild(member.key, member.incarnation))

    def _created(self, member: Member, now: float) -> None:
        if member.state is State.STOPPING:
            # It was told to stop before it could listen.
            self._steps.put(TellService(member.key, member.incarnation, Action.STOP, member.conf))
        elif member.state is State.STARTING:
            self._steps.change(member, "report_created")
            if member.run:
                self._steps.tell_run(member, now, member.cause, True)
            else:
                self._steps.settle(member, Goal.UP, AnswerKind.DONE)

    def _started(self, member: Member, now: float) -> None:
        if member.state is State.STOPPING:
            self._steps.put(TellService(member.key, member.incarnation, Action.STOP, member.conf))
        elif member.state in {State.STARTING, State.CREATED}:
            member.ran = True
            self.warming.began(member, now)

    def _said_last_word(self, member: Member, report: Reported, now: float) -> None:
        if member.state in DOWN or member.final is not None:
            return
        member.final = report
        if member.gone is not None:
            self._conclude(member, now)
        elif member.state is not State.STOPPING:
            self._steps.change(member, "report_end", report.reason)
            self._steps.set_timer(member, Timer.END, now + self._steps.grace_of(member))

    def _conclude(self, member: Member, now: float) -> None:
        verdict = judge(member)
        # A task that ended by itself was up, whether or not word of that came through.
        was_up = verdict.state is State.EXITED
        how = accident(member.gone) if member.gone else ""
        was_told = verdict.state is State.STOPPED
        member.last_end = verdict.reason or ("stopped as told" if was_told else how or str(verdict.state))
        decision = self._keeping.decide(member, verdict, now)
        member.bury(now)
        self._steps.change(member, verdict.trigger, verdict.reason)
        member.reason = verdict.reason
        if member.final is None:
            self._steps.report_for(member, verdict.report, verdict.reason)
        self._steps.settle(member, Goal.DOWN, AnswerKind.DONE, verdict.reason)
        relaunch = member.relaunch
        if relaunch is None and decision is None:
            kind = AnswerKind.DONE if was_up else AnswerKind.FAILED
            self._steps.settle(member, Goal.UP, kind, verdict.reason or f"it {verdict.state}")
        self._after(member, verdict, relaunch, now)
        self._keeping.follow(member, decision, now)

    def _after(self, member: Member, verdict: Verdict, relaunch: Relaunch | None, now: float) -> None:
        """Let transitions fire on the end, then start what was asked for meanwhile."""
        if not member.is_cut:
            result = "failure" if verdict.state is State.FAILED else "success"
            self._fire(member, verdict.report, result, verdict.state is State.STOPPED, now)
        if relaunch is not None and member.relaunch is relaunch and member.state in DOWN:
            member.conf = relaunch.conf or member.conf
            run = not member.conf.is_deferred if relaunch.run is None else relaunch.run
            member.relaunch, member.is_due = None, True
            self._gates.launch(member, now, run, relaunch.cause, True)
