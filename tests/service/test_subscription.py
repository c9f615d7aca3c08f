from __future__ import annotations

import pytest

from context_bus.service.subscription import Subscription, subscribe, subscriptions_of


class Base:
    @subscribe("a")
    def on_a(self, content: object) -> None:
        """Heard."""

    @subscribe("b")
    def on_b(self, content: object) -> None:
        """Heard, until overridden."""


class Derived(Base):
    @subscribe("c", policy="conflate")
    @subscribe("d")
    def on_c(self, content: object) -> None:
        """Heard on two topics."""

    def on_b(self, content: object) -> None:
        """Not heard any more."""


def test_subscriptions_are_found_in_all_classes() -> None:
    """Inherited ones count, an override without a mark ends one, and one method may hear several topics."""
    assert list(subscriptions_of(Derived)) == [
        Subscription("a", "on_a", "queue"),
        Subscription("d", "on_c", "queue"),
        Subscription("c", "on_c", "conflate"),
    ]


@pytest.mark.parametrize("topic", ["", "a @@@ b"])
def test_topic_that_no_frame_can_have_is_refused(topic: str) -> None:
    """At once, where it is written."""
    with pytest.raises(ValueError, match="a topic is a word"):
        subscribe(topic)
