"""The table of topics: who sends what, how much, how fast, and what is lost of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style

from context_bus.bus.insight import TopicRow
from context_bus.view import figures
from context_bus.view.owners import by_owner
from context_bus.view.snapshot import Snapshot
from context_bus.view.terminal.columns import PLAIN, Cell, Column, by_column
from context_bus.view.terminal.table import Line

DIM = Style(dim=True)
BOLD = Style(bold=True)
RED = Style(color="red", bold=True)


def _figure(text: str, value: float | None, style: Style = PLAIN) -> Cell:
    return Cell(text, style if value else DIM)


def _seconds(value: float | None) -> Cell:
    return _figure(figures.delay(value), value)


def _heard_by(row: TopicRow, width: int) -> Cell:
    """How many nodes get it; who listens and does not report is not counted."""
    if not row.is_heard:
        return Cell("nobody", DIM)
    return _figure(figures.count(row.receivers) if row.receivers else "?", row.receivers)


COLUMNS: tuple[Column[TopicRow], ...] = (
    Column(
        "topic",
        "TOPIC",
        lambda row, width: Cell(row.topic, DIM if row.is_gone else BOLD),
        10,
        0,
        most=32,
        fits=True,
        key=lambda row: row.topic,
    ),
    Column(
        "sender",
        "SENDER",
        lambda row, width: Cell(row.sender, DIM if row.is_gone else PLAIN),
        10,
        1,
        most=28,
        fits=True,
        key=lambda row: row.sender,
    ),
    Column(
        "rate",
        "MSG/S",
        lambda row, width: _figure(figures.count(row.rate), row.rate),
        6,
        2,
        right=True,
        key=lambda row: row.rate,
        largest_first=True,
    ),
    Column(
        "bytes",
        "BYTES/S",
        lambda row, width: _figure(figures.byte_count(row.bytes_per_second), row.bytes_per_second),
        7,
        4,
        right=True,
        key=lambda row: row.bytes_per_second,
        largest_first=True,
    ),
    Column(
        "total",
        "TOTAL",
        lambda row, width: _figure(figures.count(row.messages), row.messages),
        6,
        7,
        right=True,
        key=lambda row: row.messages,
        largest_first=True,
    ),
    Column(
        "lost",
        "LOST",
        lambda row, width: _figure(figures.count(row.lost), row.lost, RED),
        5,
        3,
        right=True,
        key=lambda row: row.lost,
        largest_first=True,
    ),
    Column(
        "rejected",
        "BAD",
        lambda row, width: _figure(figures.count(row.rejected), row.rejected, RED),
        5,
        9,
        right=True,
        key=lambda row: row.rejected,
        largest_first=True,
    ),
    Column(
        "p50",
        "P50",
        lambda row, width: _seconds(row.p50),
        7,
        5,
        right=True,
        key=lambda row: row.p50 or 0.0,
        largest_first=True,
    ),
    Column(
        "p90",
        "P90",
        lambda row, width: _seconds(row.p90),
        7,
        10,
        right=True,
        key=lambda row: row.p90 or 0.0,
        largest_first=True,
    ),
    Column(
        "p99",
        "P99",
        lambda row, width: _seconds(row.p99),
        7,
        6,
        right=True,
        key=lambda row: row.p99 or 0.0,
        largest_first=True,
    ),
    Column(
        "receivers",
        "HEARD BY",
        _heard_by,
        8,
        8,
        right=True,
        key=lambda row: row.receivers,
        largest_first=True,
    ),
)
BY_NAME = {each.name: each for each in COLUMNS}


def chosen(snapshot: Snapshot, text: str, sort: str, *, inverted: bool) -> list[TopicRow]:
    """The topics with this in their name or their sender's, in order."""
    wanted = text.casefold()
    rows = [row for row in by_owner(snapshot) if wanted in f"{row.topic} {row.sender}".casefold()]
    column = BY_NAME.get(sort)
    return by_column(rows, column, inverted=inverted) if column else rows


def longest_of(rows: Sequence[TopicRow]) -> dict[str, int]:
    """Cells of the longest text of the columns that fit theirs."""
    return {
        "topic": max((len(row.topic) for row in rows), default=0),
        "sender": max((len(row.sender) for row in rows), default=0),
    }


def line_of(row: TopicRow, placed: Sequence[tuple[Column[TopicRow], int]]) -> Line:
    """The line of one topic."""
    cells = tuple(column.cell(row, width) for column, width in placed)
    return Line((row.topic, row.sender, row.transaction), cells)


def forwarder_words(snapshot: Snapshot) -> str:
    """What passes the forwarder, in one line; empty if nobody knows."""
    counted = snapshot.forwarder
    if counted is None:
        return ""
    words = (
        f"forwarder: {figures.count(counted.received)} messages in"
        f" ({figures.byte_count(counted.received_bytes)}), {figures.count(counted.sent)} out"
    )
    if snapshot.foreign is not None and snapshot.foreign.messages:
        words += f"; {figures.count(snapshot.foreign.messages)}/s of senders that do not report"
    return words
