"""What services require of each other: unknown ids, circles, and what can never come to pass.

Pure; knows the model. Looks at all services of a source at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from context_bus.config.faults import FaultList, did_you_mean
from context_bus.config.model import TaskServiceConf
from context_bus.config.supervision import Condition, Requirement, RestartWhen
from context_bus.kernel.graph import find_cycle, start_order

#: Circles shown of one source; the search begins anew after each.
MAX_CIRCLES = 10


def check_requirements(
    services: Sequence[TaskServiceConf], faults: FaultList, known: Collection[str] | None = None
) -> None:
    """Note every requirement that cannot be met.

    Args:
        services: All services of the source.
        faults: Where faults go.
        known: Ids that exist; None if the receiver may know others, as on the wire.
    """
    by_id = {service.id: service for service in services}
    for service in services:
        for required in service.supervision.requires:
            _check_one(service, required, by_id.get(required.service_id), faults, known)
    _check_circles(by_id, faults)


def check_instance_ids(services: Sequence[TaskServiceConf], faults: FaultList) -> None:
    """Note ids that are those of an instance of another service, such as ``ts_100#2``."""
    by_id = {service.id: service for service in services}
    for service in services:
        stem, _, number = service.id.rpartition("#")
        owner = by_id.get(stem)
        if owner and number.isdecimal() and 2 <= int(number[:9]) <= owner.supervision.instances:
            message = f'"{service.id}" is instance {number} of "{stem}"'
            faults.fault(
                message, "choose another id", line=service.line, element=f"TaskService[{service.id}]/id"
            )


def start_levels(services: Sequence[TaskServiceConf]) -> tuple[tuple[str, ...], ...]:
    """The order in which services start: ids by level; empty if none requires another.

    Args:
        services: Services without a circle.
    """
    if not any(service.supervision.requires for service in services):
        return ()
    return start_order({service.id: _required(service) for service in services})


def _check_one(
    service: TaskServiceConf,
    required: Requirement,
    other: TaskServiceConf | None,
    faults: FaultList,
    known: Collection[str] | None,
) -> None:
    message = remedy = ""
    if required.service_id == service.id:
        message, remedy = "requires itself", "remove it"
    elif known is not None and required.service_id not in known:
        message = f'no service has the id "{required.service_id}"'
        remedy = did_you_mean(required.service_id, [each for each in known if each != service.id])
    elif (
        other
        and required.condition is Condition.COMPLETED
        and other.supervision.restart.policy is RestartWhen.ALWAYS
    ):
        message = f'"{other.id}" never completes: it is always restarted'
        remedy = f'require it "{Condition.READY}", or give it policy="{RestartWhen.ON_FAILURE}"'
    if message:
        element = f"TaskService[{service.id}]/supervision/requires"
        faults.fault(message, remedy, line=required.line, element=element)


def _check_circles(by_id: dict[str, TaskServiceConf], faults: FaultList) -> None:
    edges = {
        service_id: tuple(each for each in _required(service) if each != service_id and each in by_id)
        for service_id, service in by_id.items()
    }
    for _ in range(MAX_CIRCLES):
        circle = find_cycle(edges)
        if not circle:
            return
        first = by_id[circle[0]]
        line = next(each.line for each in first.supervision.requires if each.service_id == circle[1])
        faults.fault(
            f"a circle, of which none can start first: {' -> '.join(circle)}",
            "remove one of these requirements",
            line=line or first.line,
            element=f"TaskService[{first.id}]/supervision/requires",
        )
        edges = {name: required for name, required in edges.items() if name not in circle}


def _required(service: TaskServiceConf) -> tuple[str, ...]:
    return tuple(required.service_id for required in service.supervision.requires)
