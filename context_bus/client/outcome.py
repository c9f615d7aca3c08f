"""What became of a command. Knows answers; must not know how they came."""

from __future__ import annotations

from dataclasses import dataclass

from context_bus.context.commands import AnswerKind, PlanRow, ServiceAnswer


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command.

    Args:
        kind: ``done``, ``failed`` or ``rejected``.
        services: What became of each service.
        reason: Why a command was refused as a whole.
        transaction: The transaction that was commanded.
        plan: What a reload does, or would do.
    """

    kind: AnswerKind
    services: tuple[ServiceAnswer, ...]
    reason: str
    transaction: str
    plan: tuple[PlanRow, ...] = ()
