"""Stops of several services at once: those that require others end before what they require. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from context_bus.context.instances import base_of
from context_bus.context.jobs import Job
from context_bus.context.member import Member
from context_bus.context.states import DOWN
from context_bus.context.wishes import Wishes
from context_bus.kernel.graph import find_cycle


@dataclass(eq=False, slots=True)
class _Held:
    """A stop that waits for the end of others."""

    member: Member
    job: Job | None
    announce: bool
    dependents: list[Member]


class Stops:
    """Stops members in order.

    Args:
        wishes: Stops one of them.
    """

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._held: list[_Held] = []

    def stop(
        self, members: Sequence[Member], now: float, job: Job | None = None, *, announce: bool = True
    ) -> None:
        """Stop these, as far as possible at once."""
        requiring = [
            other for other in members if other.state not in DOWN and other.conf.supervision.requires
        ]
        requirers = {
            member.key: [other for other in requiring if _requires(other, member)] for member in members
        }
        # Files have no circles, but messages may: then there is no order, and nobody waits.
        edges = {str(key): [str(other.key) for other in others] for key, others in requirers.items()}
        has_order = not find_cycle(edges)
        for member in members:
            dependents = requirers[member.key] if has_order else []
            if dependents and member.state not in DOWN:
                self._wishes.no_more(member)
                self._held.append(_Held(member, job, announce, dependents))
            else:
                self._wishes.stop(member, now, job=job, announce=announce)

    def release(self, now: float) -> None:
        """Stop those whose dependents have ended."""
        ready = [held for held in self._held if all(each.state in DOWN for each in held.dependents)]
        self._held = [held for held in self._held if held not in ready]
        for held in ready:
            self._wishes.stop(held.member, now, job=held.job, announce=held.announce)

    def call_off(self, member: Member) -> None:
        """Somebody wants something else of it meanwhile."""
        self._held = [held for held in self._held if held.member is not member]


def _requires(member: Member, other: Member) -> bool:
    if member.key.transaction != other.key.transaction or member is other:
        return False
    base = base_of(other.key.service_id)
    return any(each.service_id == base for each in member.conf.supervision.requires)
