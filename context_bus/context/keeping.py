"""What the restart policy makes of the end of a service. Pure.

The policy decides; here it is asked at the right moment and what it says is done. Whatever somebody
commands or a transition does comes first: a commanded stop is never undone.
"""

from __future__ import annotations

from context_bus.config.model import ServiceType
from context_bus.context.commands import AnswerKind
from context_bus.context.ending import Verdict
from context_bus.context.events import Timer
from context_bus.context.gating import Gates
from context_bus.context.member import Goal, Member, Relaunch
from context_bus.context.states import State
from context_bus.context.steps import Steps
from context_bus.supervise.policy import Again, Ended, GiveUp, Stay
from context_bus.supervise.policy import Verdict as Decision


class Keeping:
    """Keeps members up as their policies say.

    Args:
        steps: Takes the steps.
        gates: Launches.
    """

    def __init__(self, steps: Steps, gates: Gates) -> None:
        self._steps, self._gates = steps, gates

    def decide(self, member: Member, verdict: Verdict, now: float) -> Decision | None:
        """Ask the policy about an end; None if it leaves it at that, or is not asked."""
        is_decided = member.is_cut or member.relaunch is not None
        if verdict.state is State.STOPPED or not member.is_wanted or is_decided:
            return None
        uptime = now - member.existed if member.existed else 0.0
        success = verdict.state is State.EXITED
        decision = member.restarts.ended(Ended(success, member.was_ready, uptime, verdict.reason), now)
        return None if isinstance(decision, Stay) else decision

    def follow(self, member: Member, decision: Decision | None, now: float) -> None:
        """Do what was decided, unless somebody has done something else meanwhile."""
        if member.state not in {State.EXITED, State.FAILED} or not member.is_wanted:
            return
        if member.is_cut:
            self._rest(member, member.reason)
        elif isinstance(decision, Again):
            self._again(member, decision, now)
        elif isinstance(decision, GiveUp):
            self._steps.change(member, "give_up", decision.reason)
            member.reason = decision.reason
            self._rest(member, decision.reason)
        elif member.conf.supervision.schedule:
            self._gates.rest(member, now)
        else:
            self._rest(member, member.reason)

    def _again(self, member: Member, decision: Again, now: float) -> None:
        run = member.would_run()
        member.is_due = True
        if decision.at <= now:
            self._gates.launch(member, now, run, None, True)
            return
        reason = f"{member.reason or 'ended'}; again in {decision.delay:.2g} s (restart {decision.number})"
        self._steps.change(member, "back_off", reason)
        member.reason, member.relaunch = reason, Relaunch(run)
        self._steps.set_timer(member, Timer.BACKOFF, decision.at)

    def back(self, member: Member, now: float) -> None:
        """The delay is over."""
        if member.state is State.BACKOFF and member.relaunch is not None:
            member.is_due = True
            run = member.relaunch.run
            self._gates.launch(member, now, run is not False, member.relaunch.cause, True)

    def _rest(self, member: Member, reason: str) -> None:
        self._steps.want(member, False)
        kind = AnswerKind.DONE if member.state is State.EXITED else AnswerKind.FAILED
        self._steps.settle(member, Goal.UP, kind, reason or f"it {member.state}")


def is_program(member: Member) -> bool:
    """Whether the service is a program, which reports nothing itself."""
    return member.conf.service_type is ServiceType.COMMAND
