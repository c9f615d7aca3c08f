"""Contexts for tests of pictures, from little text. Knows the model."""

from __future__ import annotations

from context_bus.config.model import Action, ContextConf, ServiceType, TaskServiceConf, Transition, Trigger
from context_bus.config.supervision import Requirement, Supervision


def context(*services: TaskServiceConf, name: str = "Some") -> ContextConf:
    """A context of these services."""
    return ContextConf("", "", "", "", name, services=services)


def service(
    service_id: str,
    *transitions: tuple[Trigger, Action, str],
    requires: tuple[str, ...] = (),
    instance: str = "Walk",
    command: tuple[str, ...] = (),
    state_type: str = "on_start",
    instances: int = 1,
) -> TaskServiceConf:
    """A service with transitions ``(trigger, action, "ts_1,ts_2")`` and requirements."""
    return TaskServiceConf(
        service_id,
        "" if command else instance,
        f"name_of_{service_id}",
        service_type=ServiceType.COMMAND if command else ServiceType.PROCESS,
        state_type=state_type,
        transitions=tuple(Transition(when, what, tuple(whom.split(","))) for when, what, whom in transitions),
        command=command,
        supervision=Supervision(requires=tuple(Requirement(each) for each in requires), instances=instances),
    )
