"""Transitions: what the report of one service does to others. Pure.

A transition carries its cause, so that a chain can be followed. A service that is started again and
again by transitions and never lives is cut, or two services would restart each other for ever.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from context_bus.config.model import Action, Transition
from context_bus.context.events import Key
from context_bus.context.instructions import Instruction, PublishProcess, Trace
from context_bus.context.member import Limits, Member
from context_bus.context.states import DOWN, PENDING, RUNNING, State
from context_bus.context.trace import TransitionFired
from context_bus.context.wishes import Wishes
from context_bus.kernel.message import Cause
from context_bus.service.rules import fired_by


class Firing:
    """Fires the transitions of members.

    Args:
        put: Takes the instructions.
        find: Finds (or defines, from the file) the instances of the service with a key; none if unknown.
        limits: When to cut.
    """

    def __init__(
        self, put: Callable[[Instruction], None], find: Callable[[Key], list[Member]], limits: Limits
    ) -> None:
        self._put, self._find, self._limits = put, find, limits
        self.is_off = False

    def fire(self, wishes: Wishes, source: Member, report: tuple[str, str, bool], now: float) -> None:
        """Let fire what a report (verb, result, whether it was asked for) of a service lets fire."""
        action, result, commanded = report
        if self.is_off:
            return
        depth = source.cause.depth + 1 if source.cause else 1
        for transition in fired_by(source.conf, action, result, commanded=commanded):
            cause = Cause(str(transition.trigger), source.key.service_id, depth)
            for service_id in transition.call:
                targets = self._find(Key(source.key.transaction, service_id))
                if not targets:
                    self._show(source, transition, service_id, depth, "not known here")
                for target in targets:
                    show = functools.partial(self._show, source, transition, target.key.service_id, depth)
                    self._act(wishes, target, transition, cause, now, show)

    def _act(
        self,
        wishes: Wishes,
        target: Member,
        transition: Transition,
        cause: Cause,
        now: float,
        show: Callable[[str], None],
    ) -> None:
        """Do what a transition says to one service, and show it first, or why nothing is done."""
        note = _needless(transition.action, target)
        if note:
            show(note)
        elif transition.action is Action.STOP:
            show("")
            wishes.stop(target, now, cause=cause)
        elif target.is_cut:
            show("cut; a command starts it again")
        elif self._is_storm(target, now):
            wishes.cut(target, now, self._verdict(cause))
            show(target.reason or target.doom)
        elif transition.action is Action.RESTART:
            show("")
            self._put(PublishProcess(target.key, target.conf, Action.RESTART, cause))
            wishes.restart(target, now, cause=cause)
        else:
            show("")
            wishes.start(target, now, run=True, cause=cause)

    def _verdict(self, cause: Cause) -> str:
        limits = self._limits
        return (
            f"cut: started more than {limits.intensity} times within {limits.window:g} s by transitions "
            f"and lived less than {limits.short_life:g} s each time; "
            f"last by {cause.trigger} of {cause.service_id}"
        )

    def _is_storm(self, target: Member, now: float) -> bool:
        lived = (target.died if target.state in DOWN else now) - target.born
        if not target.incarnation or lived >= self._limits.short_life or target.state is State.CREATED:
            return False
        while target.brief and target.brief[0] <= now - self._limits.window:
            target.brief.popleft()
        target.brief.append(now)
        return len(target.brief) > self._limits.intensity

    def _show(self, source: Member, transition: Transition, service_id: str, depth: int, note: str) -> None:
        """Show a firing; one without effect only once per process, for updates come by the thousand."""
        if note:
            key = (str(transition.trigger), str(transition.action), service_id)
            if key in source.silenced:
                return
            source.silenced.add(key)
        fired = TransitionFired(
            source.key.transaction,
            source.key.service_id,
            transition.trigger,
            transition.action,
            service_id,
            depth,
            note,
        )
        self._put(Trace(fired))


def _needless(action: Action, target: Member) -> str:
    """Why a transition has nothing to do; empty if it has."""
    state = target.state
    if action is Action.STOP:
        ends = state in {State.STOPPING, State.ENDING} and target.relaunch is None
        return f"{state} already" if ends or state in DOWN - PENDING else ""
    if target.relaunch is not None:
        return "about to start already"
    if action is Action.START:
        runs = state in RUNNING | {State.WARMING} or (state is State.STARTING and target.run)
        return f"{state} already" if runs else ""
    return "starting already" if state is State.STARTING and target.run else ""
