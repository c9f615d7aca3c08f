"""The lines above the table: whose services, how they are all together, what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from context_bus.view import figures
from context_bus.view.snapshot import NOT_ASKED, Snapshot, totals
from context_bus.view.terminal.columns import fitted

BOLD = Style(bold=True)
DIM = Style(dim=True)
GREEN = Style(color="green")
RED = Style(color="red", bold=True)
YELLOW = Style(color="yellow")
CYAN = Style(color="cyan")
#: A line that must not be overlooked.
BANNER = Style(color="red", bold=True, reverse=True)
#: Cells of the curves of all services together.
CURVE = 20
#: Cells between two parts.
BETWEEN = 2


class Part(NamedTuple):
    """Words that belong together, left out together where there is no room.

    Args:
        pieces: Text and style of each.
        weight: How important they are; the lowest are left out last.
    """

    pieces: tuple[tuple[str, Style], ...]
    weight: int = 0

    @property
    def width(self) -> int:
        """Cells that they take."""
        return sum(cell_len(text) for text, _ in self.pieces)


def laid_out(parts: Sequence[Part], width: int) -> list[Segment]:
    """As many of the parts as fit into a line, in their order."""
    left = width - 1
    chosen: list[Part] = []
    for part in sorted(parts, key=lambda each: each.weight):
        if part.width + BETWEEN > left and chosen:
            continue
        chosen.append(part)
        left -= part.width + BETWEEN
    segments = [Segment(" ")]
    for part in parts:
        if part in chosen:
            segments += [Segment(text, style) for text, style in part.pieces]
            segments.append(Segment(" " * BETWEEN))
    used = sum(cell_len(each.text) for each in segments)
    if used > width:  # one part alone is too long
        return [Segment(fitted("".join(each.text for each in segments), width), segments[1].style)]
    return [*segments, Segment(" " * (width - used))]


def first_line(snapshot: Snapshot, width: int, remarks: Iterable[str] = ()) -> list[Segment]:
    """Who it is; if there is trouble, that."""
    provider = snapshot.provider
    if snapshot.trouble == NOT_ASKED:
        return [Segment(fitted(" asking the provider ...", width), DIM)]
    if snapshot.trouble:
        return [Segment(fitted(f" {_trouble(snapshot)}", width), BANNER)]
    started = provider.get("started_at")
    up = f"up {figures.span(snapshot.at - started)}" if isinstance(started, float) else ""
    parts = [
        Part(((str(provider.get("name") or "context"), BOLD),), 0),
        Part(((str(provider.get("context_id", "")), DIM),), 4),
        Part((("provider ", DIM), (str(provider.get("pid", "?")), Style())), 1),
        Part(((up, Style()),), 2),
        Part((("forwarder ", DIM), (str(provider.get("forwarder_pid") or "gone"), Style())), 5),
        *(Part(((remark, YELLOW),), 3) for remark in remarks if remark),
        Part(((str(provider.get("file", "")), DIM),), 6),
    ]
    return laid_out([part for part in parts if part.width], width)


def _trouble(snapshot: Snapshot) -> str:
    if not snapshot.answered_at:
        return f"NO PROVIDER: {snapshot.trouble}; waiting for one"
    ago = figures.span(snapshot.at - snapshot.answered_at)
    return f"PROVIDER GONE for {ago}: {snapshot.trouble}; looking for it"


def second_line(snapshot: Snapshot, width: int, cpu: Sequence[float] = ()) -> list[Segment]:
    """How all services together are."""
    sums = totals(snapshot.services, snapshot.bus)
    if snapshot.trouble:
        text = "what stands here is what it told last" if snapshot.services else ""
        return [Segment(fitted(f" {text}", width), DIM)]
    others = sums.services - sums.up - sums.failed
    parts = [
        Part(((str(sums.up), GREEN if sums.up else DIM), (" up", Style())), 0),
        Part(((str(sums.failed), RED if sums.failed else DIM), (" failed", Style())), 1),
        *([Part(((str(others), Style()), (" other", Style())), 6)] if others else []),
        Part((("CPU ", DIM), (f"{figures.percent(sums.cpu_percent)}%", BOLD)), 2),
        Part(((figures.load_curve(cpu, CURVE), CYAN),), 7),
        Part((("RSS ", DIM), (figures.size(sums.rss), BOLD)), 3),
        Part(((figures.count(sums.messages_per_second), BOLD), (" msg/s", DIM)), 4),
        Part(((figures.byte_count(sums.bytes_per_second), BOLD), ("/s", DIM)), 8),
        Part((("lost ", DIM), (figures.count(sums.lost), RED if sums.lost else DIM)), 5),
    ]
    return laid_out(parts, width)
