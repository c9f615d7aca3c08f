"""Opening a conversation with a provider that must be there. Knows the wire; prints nothing."""

from __future__ import annotations

from context_bus.client.conversation import Conversation
from context_bus.errors import NobodyListens, NotConnected

#: Seconds a provider that is just starting may take to listen, once its forwarder answers.
LISTEN_TIMEOUT = 1.0


def join_provider(conversation: Conversation, topic: str, hint: str) -> None:
    """Open a conversation and make sure that a provider is there.

    Args:
        conversation: The conversation.
        topic: Topic on which the provider must listen.
        hint: How to start one.

    Raises:
        NobodyListens: Nobody does.
    """
    nobody = f"no context provider listens at {conversation.endpoints.publish}; {hint}"
    try:
        conversation.open()
        if topic in {"context", "process", "state"}:
            conversation.publisher.wait_for_subscriber(topic, LISTEN_TIMEOUT)
    except (NotConnected, NobodyListens):
        raise NobodyListens(nobody) from None
