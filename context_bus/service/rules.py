"""Which transitions of a service a report lets fire. PURE: knows config; touches nothing."""

from __future__ import annotations

from context_bus.config.model import TaskServiceConf, Transition, Trigger
from context_bus.service.reports import SUCCESS, Report


def trigger_of(action: str, result: str, *, commanded: bool = False) -> Trigger | None:
    """Say what a report means to the transitions of its service.

    Args:
        action: Verb of the report.
        result: Result in its status; an ``exited`` of old may leave it out.
        commanded: The service was asked to stop. Then its end fires nothing, even if it failed on its
            way: it would start again, or start the successors of, what somebody just ended.

    Returns:
        The trigger, or None when the report lets nothing fire.
    """
    if commanded:
        return None
    succeeded = result == SUCCESS
    match action:
        case Report.FAILED:
            return Trigger.ON_FAIL
        case Report.STARTED:
            # A start without success is a failure; older services know no other way to say so.
            return Trigger.ON_START if succeeded else Trigger.ON_FAIL
        case Report.UPDATED if succeeded:
            return Trigger.ON_UPDATE
        case Report.STOPPED | Report.EXITED if succeeded or not result:
            return Trigger.ON_EXIT
    return None


def fired_by(
    conf: TaskServiceConf, action: str, result: str, *, commanded: bool = False
) -> tuple[Transition, ...]:
    """List the transitions of a service that one of its reports lets fire, in document order."""
    trigger = trigger_of(action, result, commanded=commanded)
    return tuple(transition for transition in conf.transitions if transition.trigger is trigger)
