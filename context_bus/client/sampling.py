"""Asking a provider what its services use. Knows the wire; prints nothing."""

from __future__ import annotations

import msgspec

from context_bus.client import asking
from context_bus.client.dialogue import Dialogue
from context_bus.context.topquery import TopRow

__all__ = ["TopRow", "top"]


def top(
    conversation: Dialogue,
    transaction: str = "",
    *,
    brief: bool = False,
    memory_maps: bool = False,
    open_connections: bool = False,
    opened_files: bool = False,
    timeout: float = asking.ANSWER_TIMEOUT,
) -> tuple[TopRow, ...]:
    """Ask what services use, a row each.

    The first to ask waits for half a second, between two looks; CPU percentages are since the last look
    that is at least so old.

    Args:
        conversation: With the provider.
        transaction: Whose services; without a name the only one's, or, of a ``brief`` query, all.
        brief: Leave out the rows of children and threads; the counts of them are there.
        memory_maps: List memory maps; they cost milliseconds a process.
        open_connections: List connections.
        opened_files: List open files.
        timeout: Seconds the provider may take.

    Raises:
        CommandRejected: There is no such transaction, or it is not clear which; says which there are.
        CommandTimeout: The provider does not answer.
    """
    configuration = {
        "brief": brief,
        "memory_maps": memory_maps,
        "open_connections": open_connections,
        "opened_files": opened_files,
    }
    reply = asking.ask(conversation, "top", configuration, timeout, transaction)
    return msgspec.json.decode(reply, type=tuple[TopRow, ...])
