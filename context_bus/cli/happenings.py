"""Events of a provider as they happen, and those before: without a gap and without a double.

Knows the wire: who wants both listens first, asks for the past, and joins the two by their numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import msgspec

from context_bus.cli import asking
from context_bus.cli.conversation import Conversation
from context_bus.context.eventlog import EVENT_TOPIC, EventReply, LoggedEvent

#: Seconds that are waited for the next event at a time; only to hear Ctrl-C on every system.
_TURN = 3600.0


def past(conversation: Conversation, after: int, limit: int = 0) -> EventReply:
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


def live(conversation: Conversation, seen: int, deadline: float = math.inf) -> Iterator[LoggedEvent]:
    """Events from now on; the conversation must listen to their topic already.

    Args:
        conversation: With the provider.
        seen: Number of the last event that is known.
        deadline: When to end, on the monotonic clock.
    """
    while time.monotonic() < deadline:
        turn = min(deadline, time.monotonic() + _TURN)
        for topic, _, content in conversation.answers(turn):
            if topic != EVENT_TOPIC:
                continue
            event = msgspec.json.decode(content, type=LoggedEvent)
            if event.sequence > seen:
                seen = event.sequence
                yield event
