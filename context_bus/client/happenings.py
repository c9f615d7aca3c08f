"""Events of a provider as they happen, and those before: without a gap and without a double.

Knows the wire: who wants both listens first, asks for the past, and joins the two by their numbers. What
was missed while a forwarder or a provider was replaced is asked for, what the one before did last included,
for the next one has that from its store; what nobody has any more is counted.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator

import msgspec

from context_bus.client import asking
from context_bus.client.dialogue import Dialogue
from context_bus.context.commands import EVENT_TOPIC, EventReply, LoggedEvent
from context_bus.errors import ContextBusError

#: Seconds that are waited for the next event at a time; ZeroMQ counts milliseconds in 32 bits.
_TURN = 3600.0

#: Seconds that a provider may take to tell what was missed: another one may have to come first.
REJOINING = 60.0
#: After this number nothing has happened; JSON numbers can hold it everywhere.
NEVER = 2**53 - 1

#: Told how many events are missing before the next one.
Missed = Callable[[int], object]
#: Told why events that there may be cannot be had.
Troubled = Callable[[str], object]


def past(
    conversation: Dialogue, after: int, limit: int = 0, timeout: float = asking.ANSWER_TIMEOUT
) -> EventReply:
    """Ask for events that have happened.

    Args:
        conversation: With the provider.
        after: Only the first ones with a higher number; 0 for the last ones.
        limit: At most so many; 0 for as many as one reply can have.
        timeout: Seconds the provider may take.

    Raises:
        CommandRejected: The provider does not number its events; it is an older one.
        CommandTimeout: It does not answer.
    """
    reply = asking.ask(conversation, "events", {"after": after, "limit": limit}, timeout)
    return msgspec.json.decode(reply, type=EventReply)


def all_past(
    conversation: Dialogue, after: int, timeout: float = asking.ANSWER_TIMEOUT
) -> Iterator[EventReply]:
    """Ask for all events with a higher number, in as many replies as it takes; else as `past`."""
    while True:
        reply = past(conversation, after, timeout=timeout)
        yield reply
        if not reply.events or reply.events[-1].sequence >= reply.last:
            return
        after = reply.events[-1].sequence


def live(
    conversation: Dialogue,
    seen: int,
    deadline: float = math.inf,
    missed: Missed = lambda count: None,
    trouble: Troubled = lambda reason: None,
) -> Iterator[LoggedEvent]:
    """Events from now on; the conversation must listen to their topic already.

    Args:
        conversation: With the provider.
        seen: Number of the last event that is known.
        deadline: When to end, on the monotonic clock.
        missed: Told of those that cannot be had.
        trouble: Told why some may be missing that nobody can count.
    """
    for event in _heard(conversation, deadline):
        left = min(REJOINING, deadline - time.monotonic())
        between = _asked_for(conversation, seen, left, trouble) if 0 < seen < event.sequence - 1 else ()
        for each in itertools.chain(between, (event,)):
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


def _asked_for(conversation: Dialogue, seen: int, timeout: float, trouble: Troubled) -> Iterator[LoggedEvent]:
    """What was missed, as far as it can be had."""
    try:
        for reply in all_past(conversation, seen, timeout):
            if reply.trouble:
                trouble(reply.trouble)
            yield from reply.events
    except ContextBusError as error:
        trouble(str(error))
