"""What is wanted of one service: start, stop, restart. Pure.

Must not know commands as they travel, nor who carries out what is instructed. Whatever is asked last is
what is wanted: a start during a stop follows it, a stop during a start overtakes it. A successor is
launched only when the end of its predecessor is known.
"""

from __future__ import annotations

from context_bus.config.model import Action, TaskServiceConf
from context_bus.context.commands import AnswerKind
from context_bus.context.events import Timer
from context_bus.context.gating import Gates
from context_bus.context.instructions import PublishProcess
from context_bus.context.jobs import Job
from context_bus.context.member import Goal, Member, Relaunch
from context_bus.context.states import BROKEN, DOWN, PENDING, RUNNING, State
from context_bus.context.steps import Steps
from context_bus.kernel.message import Cause
from context_bus.service.reports import Report


class Wishes:
    """Turns what is wanted of a member into steps.

    Args:
        steps: Takes the steps.
        gates: Launches.
    """

    def __init__(self, steps: Steps, gates: Gates) -> None:
        self._steps, self._gates = steps, gates

    def start(
        self,
        member: Member,
        now: float,
        *,
        run: bool | None = None,
        conf: TaskServiceConf | None = None,
        job: Job | None = None,
        cause: Cause | None = None,
        announce: bool = True,
    ) -> None:
        """Bring a service up: by its definition, or running in any case.

        Args:
            member: The service.
            now: The time.
            run: Run the task at once; None leaves it to the definition, except that what waits is run.
            conf: A new definition for the next process.
            job: Command that waits for it.
            cause: Transition behind it.
            announce: Publish what is asked of the service; False if that was on the bus already.
        """
        self._steps.expect(member, job, Goal.UP)
        self._steps.want(member, True)
        state = member.state
        if state not in {State.STOPPING, State.ENDING}:
            # Somebody wanted it to stop, but it had to wait for others and was not told yet.
            self._steps.settle(member, Goal.DOWN, AnswerKind.FAILED, "wanted again before it was stopped")
        if state in DOWN:
            # What waits for its time, or to be told, runs now: somebody wants it twice.
            waits = state is State.WAITING and (member.relaunch is None or Timer.SCHEDULE in member.deadlines)
            member.is_due = member.is_due or waits
            at_once = waits or (not member.conf.is_deferred if run is None else run)
            self._bring_up(member, now, at_once, conf, cause, announce)
        elif state is State.CREATED:
            self._steps.tell_run(member, now, cause, announce)
        elif state is State.STARTING:
            if run is not False and not member.run:
                # Asked again while it comes up, it runs, as it would a moment later, when it waits: who
                # asks may have heard `created` before we did. It is told, and that is published, then.
                member.run, member.cause = True, cause
        elif state in RUNNING:
            self._steps.settle(member, Goal.UP, AnswerKind.DONE, "ran already")
        else:
            earlier = member.relaunch or Relaunch(run)
            member.relaunch = Relaunch(earlier.run or run, conf or earlier.conf, cause)

    def stop(
        self,
        member: Member,
        now: float,
        *,
        job: Job | None = None,
        cause: Cause | None = None,
        announce: bool = True,
    ) -> None:
        """Bring a service down, and let nothing follow."""
        member.relaunch = None
        self._steps.want(member, False)
        self._steps.settle(member, Goal.UP, AnswerKind.FAILED, "stopped before it was ready")
        self._steps.expect(member, job, Goal.DOWN)
        state = member.state
        member.commanded = True
        if state in DOWN:
            if announce and member.incarnation:
                self._steps.put(PublishProcess(member.key, member.conf, Action.STOP, cause))
            if state in PENDING:
                member.deadlines.clear()
                member.reason = ""
                self._steps.change(member, "call_off")
            elif state in BROKEN:
                self._steps.change(member, "settle")
            self._steps.settle(member, Goal.DOWN, AnswerKind.DONE)
        elif state is State.STOPPING:
            member.doom = ""
        elif state is not State.ENDING:
            self._steps.tell_stop(member, now, cause, announce)

    def no_more(self, member: Member, job: Job | None) -> None:
        """A service is to be stopped, but not yet: whatever happens meanwhile, nothing starts it again."""
        self._steps.want(member, False)
        self._steps.expect(member, job, Goal.DOWN)
        member.relaunch = None

    def restart(
        self,
        member: Member,
        now: float,
        *,
        conf: TaskServiceConf | None = None,
        job: Job | None = None,
        cause: Cause | None = None,
    ) -> None:
        """Bring a service down, wait for its end, and bring it up as it was: running, or waiting."""
        self._steps.expect(member, job, Goal.UP)
        self._steps.want(member, True)
        state, run = member.state, member.would_run()
        if state in DOWN:
            if member.incarnation:
                self._steps.put(PublishProcess(member.key, member.conf, Action.STOP, cause))
            member.is_due = True
            self._bring_up(member, now, run or not member.conf.is_deferred, conf, cause, True)
            return
        member.relaunch = Relaunch(run or None, conf, cause)
        member.commanded = True
        if state is State.STOPPING:
            member.doom = ""
        elif state is not State.ENDING:
            self._steps.tell_stop(member, now, cause, True)

    def cut(self, member: Member, now: float, reason: str) -> None:
        """End a service that is started over and over to no avail, and let transitions start it no more."""
        member.is_cut = True
        member.relaunch = None
        self._steps.want(member, False)
        if member.state in DOWN:
            member.deadlines.clear()
            if member.state not in BROKEN:
                self._steps.change(member, "cut", reason)
            member.reason = reason
            self._steps.report_for(member, Report.FAILED, reason)
        else:
            member.doom = reason
            if member.state not in {State.STOPPING, State.ENDING}:
                self._steps.tell_stop(member, now, None, True)

    def _bring_up(
        self,
        member: Member,
        now: float,
        run: bool,
        conf: TaskServiceConf | None,
        cause: Cause | None,
        announce: bool,
    ) -> None:
        """Launch what is down, or let it wait, and start with it what it requires and nobody has started."""
        member.conf = conf or member.conf
        member.relaunch = None
        member.deadlines.clear()
        self._gates.launch(member, now, run, cause, announce)
        if member.state is State.WAITING:
            for needed in self._gates.needed(member):
                needed.uncut()
                self.start(needed, now, run=True)
