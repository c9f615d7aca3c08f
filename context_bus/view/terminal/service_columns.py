"""The columns of the table of services: what stands in them, and in which colour. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style

from context_bus.view import figures
from context_bus.view.happened import without_directories
from context_bus.view.snapshot import BROKEN, RUNNING, ServiceView
from context_bus.view.terminal.columns import PLAIN, Cell, Column, figures_column

#: Colours of states: of the terminal's own sixteen, so that they suit its background.
STATE_STYLES = {
    "waiting": Style(color="blue"),
    "starting": Style(color="cyan"),
    "created": Style(color="blue"),
    "warming": Style(color="cyan"),
    "started": Style(color="green"),
    "updated": Style(color="green"),
    "stopping": Style(color="yellow"),
    "ending": Style(color="yellow"),
    "stopped": Style(dim=True),
    "defined": Style(dim=True),
    "exited": Style(dim=True),
    "backoff": Style(color="yellow", bold=True),
    "failed": Style(color="red", bold=True),
    "fatal": Style(color="red", bold=True),
    "frozen": Style(color="magenta", bold=True),
}
DIM = Style(dim=True)
BOLD = Style(bold=True)
RED = Style(color="red")
#: CPU percentages from which on a figure is shown in these colours.
BUSY = ((90.0, Style(color="red")), (50.0, Style(color="yellow")))
#: The order of states when sorted by them: what needs somebody first.
_URGENCY = (*BROKEN, "frozen", "stopping", "ending", "starting", "warming", "created", "waiting", *RUNNING)


@dataclass(frozen=True, slots=True)
class Shown:
    """One service, and the moment at which it is shown.

    Args:
        service: The service.
        now: Seconds since the epoch.
        is_stale: Whether its provider is gone.
    """

    service: ServiceView
    now: float
    is_stale: bool = False


def state_of(service: ServiceView) -> str:
    """The word for its state."""
    return "frozen" if service.frozen else service.phase or "?"


def _urgency(shown: Shown) -> tuple[int, str]:
    state = state_of(shown.service)
    return (_URGENCY.index(state) if state in _URGENCY else len(_URGENCY)), state


def _figure(shown: Shown, text: str, value: float, style: Style = PLAIN) -> Cell:
    """A figure that fades where there is nothing: eyes are to find what moves."""
    if shown.service.usage is None:
        return Cell(figures.UNKNOWN, DIM)
    return Cell(text, style if value else DIM)


def _cpu_style(value: float) -> Style:
    return next((style for least, style in BUSY if value >= least), PLAIN)


def _cpu(shown: Shown, width: int) -> Cell:
    value = shown.service.cpu_percent
    return _figure(shown, figures.percent(value), value, _cpu_style(value))


def _uptime(shown: Shown, width: int) -> Cell:
    seconds = shown.service.uptime(shown.now)
    return Cell(figures.UNKNOWN, DIM) if seconds is None else Cell(figures.span(seconds))


def _restarts(shown: Shown, width: int) -> Cell:
    restarts = shown.service.restarts
    return Cell(figures.count(restarts), Style(color="yellow") if restarts else DIM)


def _messages(shown: Shown, width: int) -> Cell:
    if shown.service.pid is None:
        return Cell(figures.UNKNOWN, DIM)
    rate = shown.service.messages_per_second
    return Cell(figures.count(rate), PLAIN if rate else DIM)


COLUMNS: tuple[Column[Shown], ...] = (
    Column(
        "name",
        "SERVICE",
        lambda shown, width: Cell(shown.service.service_id, BOLD),
        8,
        0,
        most=28,
        fits=True,
        key=lambda shown: shown.service.service_id,
    ),
    Column(
        "transaction",
        "TRANSACTION",
        lambda shown, width: Cell(shown.service.transaction, DIM),
        11,
        9,
        most=20,
        fits=True,
        key=lambda shown: shown.service.transaction,
    ),
    Column(
        "state",
        "STATE",
        lambda shown, width: Cell(state_of(shown.service), STATE_STYLES.get(state_of(shown.service), PLAIN)),
        8,
        1,
        key=_urgency,
    ),
    Column(
        "pid",
        "PID",
        lambda shown, width: Cell(str(shown.service.pid or figures.UNKNOWN)),
        7,
        5,
        right=True,
        key=lambda shown: shown.service.pid or 0,
    ),
    figures_column(
        "uptime",
        "UP",
        _uptime,
        lambda shown: shown.service.uptime(shown.now) or 0.0,
        width=7,
        weight=4,
    ),
    figures_column(
        "restarts",
        "RST",
        _restarts,
        lambda shown: shown.service.restarts,
        width=4,
        weight=6,
    ),
    figures_column(
        "cpu",
        "CPU%",
        _cpu,
        lambda shown: shown.service.cpu_percent,
        width=5,
        weight=2,
    ),
    Column(
        "cpu_curve",
        "",
        lambda shown, width: Cell(figures.load_curve(shown.service.cpu_history, width), Style(color="cyan")),
        8,
        8,
        most=14,
    ),
    figures_column(
        "rss",
        "RSS",
        lambda shown, width: _figure(shown, figures.size(shown.service.rss), shown.service.rss),
        lambda shown: shown.service.rss,
        width=5,
        weight=3,
    ),
    Column(
        "rss_curve",
        "",
        lambda shown, width: Cell(
            figures.memory_curve(shown.service.rss_history, width), Style(color="blue")
        ),
        6,
        12,
        most=8,
    ),
    figures_column(
        "threads",
        "THR",
        lambda shown, width: _figure(shown, figures.count(shown.service.threads), shown.service.threads),
        lambda shown: shown.service.threads,
        width=4,
        weight=10,
    ),
    figures_column(
        "descriptors",
        "FDS",
        lambda shown, width: _figure(
            shown, figures.count(shown.service.descriptors), shown.service.descriptors
        ),
        lambda shown: shown.service.descriptors,
        width=4,
        weight=11,
    ),
    figures_column(
        "messages",
        "MSG/S",
        _messages,
        lambda shown: shown.service.messages_per_second,
        width=5,
        weight=7,
    ),
    Column(
        "error",
        "LAST ERROR",
        lambda shown, width: Cell(without_directories(shown.service.last_error), RED),
        14,
        13,
        most=200,
        key=lambda shown: not shown.service.last_error,
    ),
)
#: Columns by name.
BY_NAME = {each.name: each for each in COLUMNS}

#: Columns that stay when a service has no process: its error takes the place of the others.
_WITHOUT_PROCESS = ("name", "transaction", "state")


def cells_of(shown: Shown, placed: Sequence[tuple[Column[Shown], int]]) -> tuple[Cell, ...]:
    """The cells of one service; one that has no process has a reason instead of figures."""
    service = shown.service
    if service.pid is None and service.last_error:
        kept = [(column, width) for column, width in placed if column.name in _WITHOUT_PROCESS]
        style = RED if service.phase in BROKEN else DIM
        cells = (
            *(column.cell(shown, width) for column, width in kept),
            Cell(without_directories(service.last_error), style),
        )
    else:
        cells = tuple(column.cell(shown, width) for column, width in placed)
    if shown.is_stale:
        cells = tuple(Cell(each.text, DIM) for each in cells)
    return cells
