"""Who runs, as the provider tells: from its broadcasts, and from its answer to a query. Pure.

Knows the wire; must not know processes.
"""

from __future__ import annotations

import msgspec

from context_bus.kernel.message import UNREADABLE, Header

#: What a broadcast of the provider says of itself; older and other reports do not hold it.
CONTEXT_INFO = "context_info"
#: ``action`` of a service that has ended, by itself or as told.
STOPPED = "stopped"

_MARK = f'"{CONTEXT_INFO}"'.encode()


class Entry(msgspec.Struct, frozen=True):
    """One service.

    Args:
        service_id: Its id.
        action: What it last reported, or was last told.
        state: ``success``, ``in_progress`` or ``failure``.
        pid: Its process, if it has one.
    """

    service_id: str
    action: str = ""
    state: str = ""
    pid: int | None = None

    @property
    def has_process(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.pid) and self.action != STOPPED


class Record(msgspec.Struct, frozen=True):
    """One transaction, as far as it matters here."""

    tasks: tuple[Entry, ...]


class _Status(msgspec.Struct, frozen=True):
    device_action: str = ""
    data: tuple[dict[str, Record], ...] = ()


class _Content(msgspec.Struct, frozen=True):
    status: _Status


class _Broadcast(msgspec.Struct, frozen=True):
    header: Header
    content: _Content


_read = msgspec.json.Decoder(_Broadcast).decode


def roster_of(body: bytes, transaction: str) -> tuple[Entry, ...] | None:
    """Read a report on topic ``control``.

    Args:
        body: Its JSON text.
        transaction: Whose services are wanted.

    Returns:
        All services of the transaction; None if the report is not the provider's, or is silent about it.
    """
    # Hundreds of services report there; only the provider's own word is worth to be read.
    if _MARK not in body:
        return None
    try:
        broadcast = _read(body)
    except UNREADABLE:
        return None
    status = broadcast.content.status
    if broadcast.header.service_name != "context" or status.device_action != CONTEXT_INFO:
        return None
    return next((each[transaction].tasks for each in status.data if transaction in each), None)
