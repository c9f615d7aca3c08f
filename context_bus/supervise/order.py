"""Who may start, who has to stop first. Pure: knows what a file may require, and facts.

Must not know what makes a fact true; a service that is not known yet is taken for one that does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from context_bus.config.supervision import Condition, Requirement


class Facts(msgspec.Struct, frozen=True):
    """How far a service is.

    Args:
        exists: It has a process.
        ready: It is ready.
        completed: It has ended by itself, well, and is not started again.
        failed: It has failed for good; only a command starts it again.
    """

    exists: bool = False
    ready: bool = False
    completed: bool = False
    failed: bool = False


class Open(msgspec.Struct, frozen=True):
    """All that is required is so far."""


class Waits(msgspec.Struct, frozen=True):
    """It has to wait for this service to be so far; for others perhaps, too."""

    for_whom: str
    condition: Condition

    def __str__(self) -> str:
        return f"waits for {self.for_whom} to be {self.condition}"


class Blocked(msgspec.Struct, frozen=True):
    """It cannot start as things are; with the reason and the remedy."""

    reason: str


Answer = Open | Waits | Blocked

_NOTHING = Facts()


class Gate:
    """Decides whether one service may start.

    Args:
        requirements: What it requires of others.
    """

    def __init__(self, requirements: Iterable[Requirement]) -> None:
        self._requirements = tuple(requirements)

    @property
    def for_whom(self) -> tuple[str, ...]:
        """Of whom something is required: ask again when one of these has changed."""
        return tuple(dict.fromkeys(each.service_id for each in self._requirements))

    def ask(self, facts: Mapping[str, Facts]) -> Answer:
        """Decide, as things are.

        Args:
            facts: How far the others are, by service id.

        Returns:
            What holds; a requirement that cannot be met any more comes before one that can.
        """
        unmet = [
            each for each in self._requirements if not _is_met(each, facts.get(each.service_id, _NOTHING))
        ]
        for each in unmet:
            if reason := _hopeless(each, facts.get(each.service_id, _NOTHING)):
                return Blocked(reason)
        return Waits(unmet[0].service_id, unmet[0].condition) if unmet else Open()


def _is_met(requirement: Requirement, facts: Facts) -> bool:
    if facts.failed:
        return False
    match requirement.condition:
        case Condition.STARTED:
            # Who has ended well was there: a successor must not depend on who looks first.
            return facts.exists or facts.ready or facts.completed
        case Condition.READY:
            return facts.ready
        case Condition.COMPLETED:
            return facts.completed


def _hopeless(requirement: Requirement, facts: Facts) -> str:
    """Why a requirement cannot be met any more; empty if it can."""
    name, condition = requirement.service_id, requirement.condition
    if facts.failed:
        return f"{name}, which has to be {condition} before, has failed; mend it and start both again"
    if condition is Condition.READY and facts.completed:
        return f"{name} has completed and will not be ready; require that it is completed, or start it again"
    return ""


class StopOrder:
    """Who has to stop before whom: dependents before what they require.

    Requirements that run in a circle are refused where files are checked. Should there be some all the
    same, those in the circle wait for nobody, since nothing may keep a process from being stopped.

    Args:
        requirements: What each service requires, by service id.
    """

    def __init__(self, requirements: Mapping[str, Iterable[Requirement]]) -> None:
        self._dependents: dict[str, set[str]] = {}
        required: dict[str, set[str]] = {}
        for service_id, each in requirements.items():
            for requirement in each:
                self._dependents.setdefault(requirement.service_id, set()).add(service_id)
                required.setdefault(service_id, set()).add(requirement.service_id)
        for name in (tangled := _tangled(self._dependents, required)):
            self._dependents[name] -= tangled

    def holders(self, service_id: str, alive: Collection[str]) -> list[str]:
        """Who of the living has to end before this one is told to stop.

        Asked at every end, this stops each service as early as can be; levels let a slow one delay
        services that have nothing to do with it.
        """
        return sorted(self._dependents.get(service_id, set()).intersection(alive))

    def levels(self, ids: Collection[str]) -> list[list[str]]:
        """Sort into groups that can be stopped one after the other, each in parallel."""
        left = set(ids)
        levels: list[list[str]] = []
        while left:
            free = sorted(name for name in left if not self._dependents.get(name, set()) & left)
            levels.append(free)
            left.difference_update(free)
        return levels


def stop_levels(ids: Collection[str], requirements: Mapping[str, Iterable[Requirement]]) -> list[list[str]]:
    """Sort services into groups to be stopped one after the other: dependents before what they require.

    Args:
        ids: Who is to be stopped.
        requirements: What each service requires, by service id.
    """
    return StopOrder(requirements).levels(ids)


def _tangled(dependents: Mapping[str, set[str]], required: Mapping[str, set[str]]) -> set[str]:
    """Services in a circle, or between two: what is left when both ends are taken off, again and again."""
    left = dependents.keys() & required.keys()
    ends = left
    while ends:
        ends = {name for name in left if not (dependents[name] & left) or not (required[name] & left)}
        left = left - ends
    return left
