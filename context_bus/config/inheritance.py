"""What a service takes over from the ``<supervision>`` of its context. Pure; knows the model only."""

from __future__ import annotations

from dataclasses import replace

from context_bus.config.model import ServiceType
from context_bus.config.supervision import (
    Liveness,
    LivenessKind,
    Output,
    Readiness,
    ReadinessKind,
    Supervision,
)
from context_bus.kernel.surroundings import Surroundings


def applicable(defaults: Supervision, service_type: ServiceType) -> Supervision:
    """The part of a context's defaults that a service of this type can have.

    A thread has neither process nor output of its own, and only Python processes have a heartbeat: a
    default that does not fit is no fault, since it was written for the other services.
    """
    if service_type is ServiceType.PROCESS:
        return defaults
    liveness, readiness = defaults.liveness, defaults.readiness
    if liveness and liveness.kind is LivenessKind.HEARTBEAT:
        liveness = None
    if service_type is ServiceType.COMMAND:
        return replace(defaults, liveness=liveness)
    if readiness.kind is ReadinessKind.LOG:
        readiness = readiness_of(ReadinessKind.MESSAGE, readiness)
    return replace(
        defaults, liveness=liveness, readiness=readiness, surroundings=Surroundings(), output=Output()
    )


def readiness_of(kind: ReadinessKind, base: Readiness) -> Readiness:
    """What is left of a default under another kind: whom to ask belongs to the kind, how often does not."""
    if kind is base.kind:
        return base
    return replace(base, kind=kind, probe=replace(base.probe, target="", command=()), after=0.0)


def liveness_of(kind: LivenessKind, base: Liveness | None) -> Liveness:
    """The same of a liveness; the built-in default if there is none."""
    if base is None or kind is base.kind:
        return base or Liveness(kind)
    return replace(base, kind=kind, probe=replace(base.probe, target="", command=()))
