"""What a monitor publishes: one frame for a transaction, a row for each service. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from context_bus.kernel.message import join_frame
from context_bus.monitor.roster import Entry
from context_bus.process.usage import Usage

#: Topic of the frames.
MONITOR_TOPIC = "monitor"

_encode = msgspec.json.Encoder().encode


class _Words(msgspec.Struct, frozen=True):
    """What the provider says of a service; its pid stands among the figures."""

    action: str
    state: str


def monitor_frame(transaction: str, rows: Iterable[tuple[Entry, Usage]]) -> bytes:
    """Make the frame ``monitor @@@ {"<transaction>": [row, ...]}``.

    Args:
        transaction: Whose services they are.
        rows: What the provider says of each, and its figures, which stand in one object.
    """
    texts = [
        _encode(_Words(entry.action, entry.state))[:-1] + b"," + _encode(usage)[1:] for entry, usage in rows
    ]
    return join_frame(MONITOR_TOPIC, b"{%b:[%b]}" % (_encode(transaction), b",".join(texts)))
