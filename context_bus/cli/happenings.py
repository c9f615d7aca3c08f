"""Events of a provider as they happen, and those before: without a gap and without a double.

Knows the wire: who wants both listens first, asks for the past, and joins the two by their numbers. What
was missed while a forwarder or a provider was replaced is asked for; what nobody has any more is counted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import msgspec

from context_bus.cli import asking
from context_bus.cli.dialogue import Dialogue
from context_bus.context.commands import EVENT_TOPIC, EventReply, LoggedEvent
from context_bus.errors import ContextBusError

#: Seconds that are waited for the next event at a time; ZeroMQ counts milliseconds in 32 bits.
_TURN = 3600.0

#: Told how many events are missing before the next one.
Missed = Callable[[int], object]


def past(conversation: Dialogue, after: int, limit: int = 0) -> EventReply:
    """Ask for events that have happened.

    Args:
        conversation: With the provider.
        after: Only those with a higher number.
        limit: At most so many; 0 for as many as there are.

    Raises:
        CommandRejected: The provider does not number its events; it is an older one.
        CommandTimeout: It does not answer.
    """
    reply = asking.ask(conversation, "events", {"after": after, "limit": limit})
    return msgspec.json.decode(reply, type=EventReply)


def live(
    conversation: Dialogue, seen: int, deadline: float = math.inf, missed: Missed = lambda count: None
) -> Iterator[LoggedEvent]:
    """Events from now on; the conversation must listen to their topic already.

    Args:
        conversation: With the provider.
        seen: Number of the last event that is known.
        deadline: When to end, on the monotonic clock.
        missed: Told of those that cannot be had.
    """
    for event in _heard(conversation, deadline):
        between = _asked_for(conversation, seen) if lost_between(seen, event.sequence) else ()
        for each in (*between, event):
            if each.sequence > seen:
                if lost := lost_between(seen, each.sequence):
                    missed(lost)
                seen = each.sequence
                yield each


def lost_between(seen: int, number: int) -> int:
    """How many events there were between two; of an earlier provider's last ones nobody knows.

    Args:
        seen: Number of the earlier event; 0 if there was none.
        number: Number of the later one.
    """
    if not seen or number <= seen:
        return 0
    from context_bus.store.remembered import EVENTS_OF_RUN

    began = number - number % EVENTS_OF_RUN
    return number - max(seen, began) - 1


def _heard(conversation: Dialogue, deadline: float) -> Iterator[LoggedEvent]:
    while time.monotonic() < deadline:
        for topic, _, content in conversation.answers(min(deadline, time.monotonic() + _TURN)):
            if topic == EVENT_TOPIC:
                yield msgspec.json.decode(content, type=LoggedEvent)


def _asked_for(conversation: Dialogue, seen: int) -> tuple[LoggedEvent, ...]:
    """What was missed, as far as the provider still has it."""
    try:
        return past(conversation, seen).events
    except ContextBusError:
        return ()
