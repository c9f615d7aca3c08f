"""What is shown below the table of the chosen service: its log, its events, its details.

Knows Textual and what it is given; asks nobody but the file that it follows.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.timer import Timer
from textual.widgets import Log, RichLog

from context_bus.context.commands import LoggedEvent
from context_bus.process.tail import Followed
from context_bus.view import figures
from context_bus.view.happened import happened, without_directories
from context_bus.view.snapshot import ServiceView
from context_bus.view.terminal.bars import Bars
from context_bus.view.terminal.columns import fitted
from context_bus.view.terminal.service_columns import STATE_STYLES, state_of

#: Lines of a log that are shown at first, and that are kept.
FIRST, KEPT = 500, 5_000
#: Seconds between two looks at a log.
LOOK_EVERY = 0.25
#: Blocks of a log that are read at one look: one that is written faster than can be read must not stop us.
BLOCKS = 16
DIM, BOLD, CYAN, BLUE = Style(dim=True), Style(bold=True), Style(color="cyan"), Style(color="blue")
RED = Style(color="red")
#: Colours and movements that a service wrote for a terminal of its own.
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)")


class LogPane(Log, can_focus=True):
    """The log of a service, followed while it is shown."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(highlight=False, max_lines=KEPT, id=id)
        self._followed: Followed | None = None
        self._timer: Timer | None = None

    def follow(self, path: Path) -> None:
        """Show the last lines of a file, and what comes."""
        self.leave()
        self._followed = Followed("", str(path))
        try:
            text = self._followed.begin(FIRST)
        except OSError as error:
            self.say(str(error))
            return
        self._add([text] if text else [], at_end=True)
        self._timer = self.set_interval(LOOK_EVERY, self._look)

    def say(self, reason: str) -> None:
        """Show why there is nothing to show."""
        self.leave()
        self.write_line(reason)

    def leave(self) -> None:
        """Follow nothing any more."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if self._followed is not None:
            self._followed.close()
            self._followed = None
        self.clear()

    def _look(self) -> None:
        if self._followed is not None:
            with contextlib.suppress(OSError):  # what is wrong with the file now may be mended later
                self._add(islice(self._followed.advance(), BLOCKS), at_end=self.is_vertical_scroll_end)

    def _add(self, texts: Iterable[bytes], *, at_end: bool) -> None:
        text = b"".join(texts).decode(errors="replace")
        if text:
            self.write(_ESCAPES.sub("", text).replace("\r", ""), scroll_end=at_end)


class EventPane(RichLog, can_focus=True):
    """Events as lines."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(max_lines=KEPT, auto_scroll=True, id=id)
        self._last = 0

    def begin(self) -> None:
        """Forget what is shown."""
        self._last = 0
        self.clear()

    def add(self, events: Sequence[LoggedEvent]) -> None:
        """Show those of the events that are not shown yet."""
        new = [event for event in events if event.sequence > self._last]
        for event in new:
            self.write(_event_text(event), scroll_end=self.is_vertical_scroll_end)
        if new:
            self._last = new[-1].sequence


def _event_text(event: LoggedEvent) -> Text:
    told = happened(event)
    return Text.assemble(
        (f" {told.clock}  ", DIM),
        (f"{told.who:<12}  ", BOLD),
        (f"{told.verb:<10}", STATE_STYLES.get(told.verb, Style())),
        f"  {without_directories(told.rest)}",
        no_wrap=True,
    )


class DetailPane(Bars):
    """All that is known of a service."""

    def tell(self, service: ServiceView, now: float) -> None:
        """Show it."""
        self.show(*(fitted_bar(each, self.size.width) for each in _details(service, now, self.size.width)))


def fitted_bar(pieces: Sequence[tuple[str, Style]], width: int) -> list[Segment]:
    """Pieces of text as a line that is not longer than it can be."""
    segments, left = list[Segment](), width
    for text, style in pieces:
        shown = text if len(text) <= left else fitted(text, max(0, left))
        segments.append(Segment(shown, style))
        left -= len(shown)
    return segments


def _details(service: ServiceView, now: float, width: int) -> list[list[tuple[str, Style]]]:
    usage = service.usage
    label = f"{service.service_id}  {service.name}" if service.name != service.service_id else service.name
    head: list[tuple[str, Style]] = [
        (f" {label}", BOLD),
        ("  ", Style()),
        (state_of(service), STATE_STYLES.get(state_of(service), Style())),
        (f" for {figures.span(now - service.since)}" if service.since else "", DIM),
        ("" if service.wanted else "  not wanted", DIM),
    ]
    lines = [head, _process(service)]
    room = max(10, width - 34)
    if usage is not None:
        cpu, rss = service.cpu_history, service.rss_history
        lines += [
            [(" CPU ", DIM), (figures.load_curve(cpu, room), CYAN), (_range(cpu, "%"), DIM)],
            [(" RSS ", DIM), (figures.memory_curve(rss, room), BLUE), (_memory_range(rss), DIM)],
        ]
    sent, received = service.messages_per_second, service.received_per_second
    lines.append(
        [(" bus ", DIM), (f"{figures.count(sent)} msg/s sent, {figures.count(received)} received", Style())]
    )
    lines.append([(" log ", DIM), (service.log or "no file of its own", Style())])
    if service.last_error:
        lines.append([(" why ", DIM), (service.last_error, RED)])
    return lines


def _process(service: ServiceView) -> list[tuple[str, Style]]:
    usage = service.usage
    if usage is None or usage.gone:
        return [(" no process" if service.pid is None else f" pid {service.pid}", DIM)]
    words = (
        f"{service.pid}, {usage.threads} threads, {usage.descriptors} descriptors, "
        f"{usage.processes} children, {figures.size(usage.vms)} address space, "
        f"{usage.cpu_seconds:.1f} s CPU, {service.starts} starts"
    )
    return [(" pid ", DIM), (words, Style())]


def _range(values: Sequence[float], unit: str) -> str:
    if not values:
        return ""
    last, mean, most = map(figures.percent, (values[-1], sum(values) / len(values), max(values)))
    return f" {last}{unit}, mean {mean}, max {most}"


def _memory_range(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f" {figures.size(values[-1])}, {figures.size(min(values))} to {figures.size(max(values))}"
