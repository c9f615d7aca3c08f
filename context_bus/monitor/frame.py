"""What a monitor publishes: one message for a transaction, an element for each service. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from context_bus.monitor.roster import Entry
from context_bus.process.usage import Usage, published

#: Topic of the messages.
MONITOR_TOPIC = "monitor"

_encode = msgspec.json.Encoder().encode


def monitor_body(transaction: str, rows: Iterable[tuple[Entry, Usage]]) -> bytes:
    """Make ``{"<transaction>": [element, ...]}``.

    Args:
        transaction: Whose services they are.
        rows: What the provider says of each, and its figures; they stand in one object.
    """
    return _encode({transaction: [published(usage, entry.action, entry.state) for entry, usage in rows]})
