"""What an edited context file changes for services that run: the plan of a reload. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from context_bus.config.model import ContextConf, TaskServiceConf

#: Parts of a supervision that cannot change under a running process.
_KEPT = ("restart", "readiness", "liveness", "stop", "requires", "surroundings", "output", "schedule")


class Change(StrEnum):
    """What a reload does with a service."""

    ADD = "add"
    REMOVE = "remove"
    RESTART = "restart"
    SCALE = "scale"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Planned:
    """What a reload does with one service, and why."""

    service_id: str
    change: Change
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reload does.

    Args:
        rows: Each service of either file, in the order of the new one, removed ones last.
        refusal: Why the new file cannot be applied while the provider runs; empty if it can.
    """

    rows: tuple[Planned, ...] = ()
    refusal: str = ""


def plan_reload(old: ContextConf, new: ContextConf) -> Plan:
    """Compare two versions of a context file.

    Args:
        old: The one in use.
        new: The edited one.

    Returns:
        The plan; what it keeps is not touched in any way.
    """
    for name in ("front_end_endpoint", "backend_endpoint", "front_bind", "backend_bind", "context_id"):
        was, is_now = getattr(old, name), getattr(new, name)
        if was != is_now:
            return Plan(refusal=f"{name} is now {is_now}, was {was}: restart the provider to use it")
    return Plan(tuple(_rows(old, new)))


def _rows(old: ContextConf, new: ContextConf) -> Iterator[Planned]:
    for service in new.services:
        before = old.service(service.id)
        if before is None:
            yield Planned(service.id, Change.ADD, "new in the file")
        elif before == service:
            yield Planned(service.id, Change.KEEP)
        elif _as_many(before, service) == service:
            was, is_now = before.supervision.instances, service.supervision.instances
            yield Planned(service.id, Change.SCALE, f"{is_now} instances, were {was}")
        else:
            yield Planned(service.id, Change.RESTART, ", ".join(_differences(before, service)))
    for service in old.services:
        if new.service(service.id) is None:
            yield Planned(service.id, Change.REMOVE, "not in the file any more")


def _as_many(conf: TaskServiceConf, other: TaskServiceConf) -> TaskServiceConf:
    supervision = replace(conf.supervision, instances=other.supervision.instances)
    return replace(conf, supervision=supervision)


def _differences(before: TaskServiceConf, after: TaskServiceConf) -> Iterator[str]:
    for name in ("instance", "service_name", "service_type", "state_type", "command", "description"):
        if getattr(before, name) != getattr(after, name):
            yield f"{name} differs"
    if before.transitions != after.transitions:
        yield "transitions differ"
    keys = {*before.configuration, *after.configuration}
    changed = sorted(key for key in keys if before.configuration.get(key) != after.configuration.get(key))
    if changed:
        yield f"configuration differs in {', '.join(changed)}"
    for name in _KEPT:
        if getattr(before.supervision, name) != getattr(after.supervision, name):
            yield f"{name} differs"
