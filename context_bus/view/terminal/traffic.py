"""The table of topics: who sends what, how much, how fast, and what is lost of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.style import Style

from context_bus.bus.insight import TopicRow
from context_bus.view import figures
from context_bus.view.owners import by_owner
from context_bus.view.snapshot import Snapshot
from context_bus.view.terminal.columns import PLAIN, Cell, Column, by_column, figures_column
from context_bus.view.terminal.table import Line

DIM = Style(dim=True)
BOLD = Style(bold=True)
RED = Style(color="red", bold=True)
V = TypeVar("V", float, float | None)


def _figure(text: str, value: float | None, style: Style = PLAIN) -> Cell:
    return Cell(text, style if value else DIM)


def _figures(
    name: str,
    title: str,
    value: Callable[[TopicRow], V],
    text: Callable[[V], str],
    width: int,
    weight: int,
    style: Style = PLAIN,
) -> Column[TopicRow]:
    """A column of one figure of each topic; 0, and what nobody knows, is dim."""
    return figures_column(
        name,
        title,
        lambda row, _: _figure(text(value(row)), value(row), style),
        lambda row: value(row) or 0.0,
        width=width,
        weight=weight,
    )


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
    _figures("rate", "MSG/S", lambda row: row.rate, figures.count, 6, 2),
    _figures("bytes", "BYTES/S", lambda row: row.bytes_per_second, figures.byte_count, 7, 4),
    _figures("total", "TOTAL", lambda row: row.messages, figures.count, 6, 7),
    _figures("lost", "LOST", lambda row: row.lost, figures.count, 5, 3, RED),
    _figures("rejected", "BAD", lambda row: row.rejected, figures.count, 5, 9, RED),
    _figures("p50", "P50", lambda row: row.p50, figures.delay, 7, 5),
    _figures("p90", "P90", lambda row: row.p90, figures.delay, 7, 10),
    _figures("p99", "P99", lambda row: row.p99, figures.delay, 7, 6),
    figures_column("receivers", "HEARD BY", _heard_by, lambda row: row.receivers, width=8, weight=8),
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
