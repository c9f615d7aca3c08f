"""What page and server say to each other, as JSON with a ``kind``. Pure; knows snapshots and events."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from context_bus.bus.insight import TopicRow
from context_bus.context.commands import LoggedEvent
from context_bus.kernel.message import UNREADABLE, Message
from context_bus.view.happened import happened
from context_bus.view.owners import by_owner
from context_bus.view.snapshot import ServiceView, Snapshot

#: Signs of a message or a line that are shown.
MOST_SIGNS = 4_000
#: Signs of what happened, as far as they are shown in the list.
MOST_EVENT = 300
#: The way to a Python file in an error; its name and line are enough.
_DIRECTORIES = re.compile(r"(?<!\S)/\S*/(?=[^/\s:]+\.py:\d)")

# -- what a page says ----------------------------------------------------------------------------


class Hear(msgspec.Struct, tag="hear", tag_field="kind"):
    """Show messages of this topic, ``*`` for all, empty for none."""

    topic: str


class Follow(msgspec.Struct, tag="follow", tag_field="kind"):
    """Show what this service writes; an empty id for none."""

    transaction: str = ""
    service: str = ""


class Order(msgspec.Struct, tag="order", tag_field="kind"):
    """Start, stop or restart this service."""

    action: Literal["start", "stop", "restart"]
    transaction: str
    service: str


Said = Hear | Follow | Order

#: Reads what a page says.
read = msgspec.json.Decoder(Said).decode

# -- what the server says ------------------------------------------------------------------------


class Row(msgspec.Struct):
    """One service on the page; figures are rounded to what is shown."""

    transaction: str
    service: str
    name: str
    state: str
    pid: int | None
    up: float | None
    starts: int
    wanted: bool
    cpu: float
    rss: float
    threads: int
    descriptors: int
    sent: float
    received: float
    error: str
    has_log: bool


class Bytes(msgspec.Struct):
    """One message of the bus on the page."""

    at: float
    topic: str
    action: str
    service: str
    transaction: str
    text: str


def say(kind: str, **fields: object) -> str:
    """Encode something that the server says."""
    return msgspec.json.encode({"kind": kind, **fields}).decode()


def told(snapshot: Snapshot) -> str:
    """A snapshot for pages that know what was before."""
    return say(
        "snapshot",
        at=snapshot.at,
        answered_at=snapshot.answered_at,
        provider=snapshot.provider,
        services=[_row(each, snapshot.at) for each in snapshot.services],
        bus=_bus_rows(by_owner(snapshot)),
        trouble=snapshot.trouble,
        notes=snapshot.notes,
    )


def histories(snapshot: Snapshot) -> str:
    """What was measured before, for a page that has just come."""
    return say(
        "histories",
        services=[
            {
                "transaction": each.transaction,
                "service": each.service_id,
                "cpu": [round(value, 1) for value in each.cpu_history],
                "rss": [round(value, 1) for value in each.rss_history],
            }
            for each in snapshot.services
        ],
    )


def _row(view: ServiceView, now: float) -> Row:
    return Row(
        view.transaction,
        view.service_id,
        view.name or view.instance,
        view.phase,
        view.pid,
        view.uptime(now),
        view.starts,
        view.wanted,
        round(view.cpu_percent, 1),
        round(view.rss, 1),
        view.threads,
        view.descriptors,
        round(view.messages_per_second, 1),
        round(view.received_per_second, 1),
        _DIRECTORIES.sub("", view.last_error),
        bool(view.log),
    )


def _bus_rows(rows: Iterable[TopicRow]) -> list[dict[str, Any]]:
    """Topics of senders that are there, the busiest first."""
    ordered = sorted(
        (row for row in rows if not row.is_gone), key=lambda row: (-row.rate, row.topic, row.sender)
    )
    return [
        {
            "topic": row.topic,
            "sender": row.sender,
            "messages": row.messages,
            "rate": round(row.rate, 1),
            "bytes": round(row.bytes_per_second),
            "lost": row.lost,
            "rejected": row.rejected,
            "p50": row.p50,
            "p99": row.p99,
        }
        for row in ordered
    ]


_decode = msgspec.json.Decoder(Message[msgspec.Raw]).decode


def message(topic: str, body: bytes, at: float) -> Bytes:
    """One frame of the bus; one that is no message of ours is shown as text."""
    try:
        found = _decode(body)
    except UNREADABLE:
        return Bytes(at, topic, "", "", "", body[:MOST_SIGNS].decode(errors="replace"))
    head = found.header
    text = bytes(found.content)[:MOST_SIGNS].decode(errors="replace")
    return Bytes(at, topic, head.action, head.service_id, head.service_transaction, text)


def event(logged: LoggedEvent) -> dict[str, object]:
    """One event in few words."""
    told = happened(logged)
    return {
        "sequence": logged.sequence,
        "at": logged.at,
        "service": told.who,
        "what": told.verb,
        "text": told.rest[:MOST_EVENT],
    }
