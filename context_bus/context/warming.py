"""From a task that runs to a service that is ready, and how that is watched from then on. Pure."""

from __future__ import annotations

from collections.abc import Callable

from context_bus.config.supervision import ReadinessKind
from context_bus.context.commands import AnswerKind
from context_bus.context.events import Timer
from context_bus.context.instructions import ProbeReadiness, WatchLife
from context_bus.context.keeping import is_program
from context_bus.context.member import Goal, Member
from context_bus.context.states import State
from context_bus.context.steps import Steps
from context_bus.service.reports import SUCCESS, Report


class Warming:
    """Finds out whether members are ready.

    Args:
        steps: Takes the steps.
        fire: Told of what may let transitions fire.
    """

    def __init__(self, steps: Steps, fire: Callable[[Member, str, str, bool, float], None]) -> None:
        self._steps, self._fire = steps, fire

    def began(self, member: Member, now: float) -> None:
        """The task runs; the service is ready now, or it is asked until it is."""
        readiness = member.conf.supervision.readiness
        if readiness.kind is ReadinessKind.MESSAGE:
            self._ready(member, now)
            return
        self._steps.change(member, "warm")
        self._ask(member, now)

    def again(self, member: Member, now: float) -> None:
        """Go on asking a service whose provider was replaced meanwhile."""
        self._steps.expect_ready(member, now)
        self._ask(member, now)

    def watch(self, member: Member) -> None:
        """Watch from now on whether a service is alive, and what it says, if its definition wants that."""
        kept = member.conf.supervision
        if kept.liveness is not None or kept.feedback is not None:
            self._steps.put(WatchLife(member.key, member.incarnation, member.conf))

    def _ask(self, member: Member, now: float) -> None:
        readiness = member.conf.supervision.readiness
        if readiness.kind is ReadinessKind.TIME:
            self._steps.set_timer(member, Timer.WARM, now + readiness.after)
        else:
            self._steps.put(ProbeReadiness(member.key, member.incarnation, member.conf))

    def answered(self, member: Member, complaint: str, now: float) -> None:
        """A probe was answered, or why not."""
        member.complaint = complaint
        if not complaint and member.state is State.WARMING:
            self._ready(member, now)

    def _ready(self, member: Member, now: float) -> None:
        member.was_ready = True
        self._steps.change(member, "report_started")
        if is_program(member):
            self._steps.report_for(member, Report.STARTED, "")
        self._steps.settle(member, Goal.UP, AnswerKind.DONE)
        self.watch(member)
        self._fire(member, Report.STARTED, SUCCESS, False, now)
