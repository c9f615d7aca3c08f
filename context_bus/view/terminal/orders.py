"""Orders that somebody gives in the live view: each on a thread of its own, which nobody has to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from context_bus.client.outcome import Outcome
from context_bus.context.commands import AnswerKind
from context_bus.errors import ContextBusError
from context_bus.view.live import Live
from context_bus.view.snapshot import ServiceView

#: Told what became of it, in words, and whether that is bad; on the order's thread.
Told = Callable[[str, bool], object]


def give_order(live: Live, action: str, service: ServiceView, tell: Told) -> None:
    """Start, stop or restart a service."""

    def carry_out() -> None:
        try:
            outcome = live.order(action, *service.key)
        except (ContextBusError, OSError) as error:
            tell(f"{action} {service.service_id}: {error}", True)
        else:
            tell(outcome_words(action, service.service_id, outcome), outcome.kind is not AnswerKind.DONE)

    # A daemon: one who quits does not wait for an outcome.
    threading.Thread(target=carry_out, name=f"order-{service.service_id}", daemon=True).start()


def outcome_words(action: str, service_id: str, outcome: Outcome) -> str:
    """What became of an order, in one line."""
    reasons = [f"{row.service_id}: {row.reason}" for row in outcome.services if row.reason]
    why = outcome.reason or "; ".join(reasons)
    return f"{action} {service_id}: {outcome.kind}" + (f": {why}" if why else "")
