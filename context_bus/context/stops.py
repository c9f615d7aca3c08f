"""Stops of several services at once: those that require others end before what they require. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from context_bus.context.events import Key
from context_bus.context.instances import base_of
from context_bus.context.jobs import Job
from context_bus.context.member import Member
from context_bus.context.states import DOWN
from context_bus.context.wishes import Wishes
from context_bus.supervise.order import StopOrder


@dataclass(eq=False, slots=True)
class _Held:
    """A stop that waits for the end of others."""

    member: Member
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
        dependents = _dependents(members)
        for member in members:
            waits_for = dependents.get(member.key, [])
            if waits_for and member.state not in DOWN:
                self._wishes.no_more(member, job)
                self._held.append(_Held(member, announce, waits_for))
            else:
                self._wishes.stop(member, now, job=job, announce=announce)

    def release(self, now: float) -> None:
        """Stop those whose dependents have ended, or are wanted again and will not end."""
        ready = [
            held
            for held in self._held
            if all(each.state in DOWN or each.is_wanted for each in held.dependents)
        ]
        self._held = [held for held in self._held if held not in ready]
        for held in ready:
            self._wishes.stop(held.member, now, announce=held.announce)

    def call_off(self, member: Member) -> None:
        """Somebody wants something else of it meanwhile."""
        self._held = [held for held in self._held if held.member is not member]


def _dependents(members: Sequence[Member]) -> dict[Key, list[Member]]:
    """Who has to end before whom: of those that live, whoever requires a service before all its instances."""
    living: dict[str, dict[str, list[Member]]] = {}
    for member in members:
        if member.state not in DOWN:
            services = living.setdefault(member.key.transaction, {})
            services.setdefault(base_of(member.key.service_id), []).append(member)
    found: dict[Key, list[Member]] = {}
    for services in living.values():
        order = StopOrder(
            {
                base: [each for one in many for each in one.conf.supervision.requires]
                for base, many in services.items()
            }
        )
        for base, many in services.items():
            holders = [one for name in order.holders(base, services) for one in services[name]]
            found.update({one.key: holders for one in many})
    return found
