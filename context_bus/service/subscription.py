"""Which methods of a task hear which topics. Knows nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Policy = Literal["queue", "conflate"]
F = TypeVar("F", bound=Callable[..., Any])

#: Attribute of a function that holds its subscriptions.
_MARK = "__context_bus_subscriptions__"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One topic, heard by one method.

    Args:
        topic: Topic on the bus.
        method: Name of the method that handles its messages.
        policy: ``queue`` delivers every message in order, ``conflate`` only the latest one.
        last: Whether it begins with the last message that each sender keeps.
    """

    topic: str
    method: str
    policy: Policy
    last: bool = False


def subscribe(topic: str, *, policy: Policy = "queue", last: bool = False) -> Callable[[F], F]:
    """Let a method of a task handle every message of a topic.

    The annotation of the method's one parameter says what it takes: ``T`` for the content decoded as
    ``T``, ``Message[T]`` for header and content, nothing for whatever JSON says. A value that the
    method returns (other than None) answers a request. The method may be ``async def``.

    Args:
        topic: Topic on the bus, exactly.
        policy: ``queue`` delivers every message in order; ``conflate`` only the latest, for values
            of which nobody needs the older ones.
        last: Begin with the last message of each sender that keeps it (``Task.keep``), sent before this
            service was there. In a ``Message[T]`` such a one has ``header.kept``.
    """
    if not topic or "@@@" in topic:
        raise ValueError(f"cannot subscribe to topic {topic!r}; a topic is a word without '@@@'")

    def mark(function: F) -> F:
        setattr(function, _MARK, (*getattr(function, _MARK, ()), (topic, policy, last)))
        return function

    return mark


def subscriptions_of(owner: type[object]) -> Iterator[Subscription]:
    """List the subscriptions of a class, inherited ones first, an overridden method's mark winning."""
    names = {name: None for base in reversed(owner.__mro__) for name in vars(base)}
    for name in names:
        for topic, policy, last in getattr(getattr(owner, name, None), _MARK, ()):
            yield Subscription(topic, name, policy, last)
