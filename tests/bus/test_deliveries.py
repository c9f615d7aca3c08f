"""Who has got messages of whom, from what the nodes report."""

from __future__ import annotations

from context_bus.bus.insight import Delivery, Insight
from context_bus.bus.report import Received, Report, Sent


def told(sender: str, service_id: str, *received: Received, transaction: str = "T1") -> Report:
    """What one node tells."""
    return Report(
        sender=sender,
        service_id=service_id,
        transaction=transaction,
        sent=(Sent("x", 1, 1),),
        received=received,
    )


def test_a_delivery_has_a_service_at_both_ends() -> None:
    """Who is no service, has got nothing, only answered, or is of another transaction makes none."""
    insight = Insight()
    got = [
        Received("x", "a.1", received=3),
        Received("y", "a.1"),
        Received("reply.1", "a.1", received=1),
        Received("x", "tool.1", received=1),
        Received("x", "other.1", received=1),
        Received("x", "", received=1),
    ]
    insight.take(told("a.1", "a"), 1.0)
    insight.take(told("tool.1", ""), 1.0)
    insight.take(told("other.1", "o", transaction="T2"), 1.0)
    insight.take(told("b.1", "b", *got), 1.0)
    assert insight.deliveries() == [Delivery("T1", "a", "b", "x")]


def test_a_service_that_was_started_again_is_the_same_end() -> None:
    """Two publishers of one service after each other are one way."""
    insight = Insight()
    for name in ("a.1", "a.2"):
        insight.take(told(name, "a"), 1.0)
    insight.take(told("b.1", "b", Received("x", "a.1", received=1), Received("x", "a.2", received=1)), 1.0)
    assert insight.deliveries() == [Delivery("T1", "a", "b", "x")]
