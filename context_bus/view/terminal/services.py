"""The table of services: its columns, its groups, what is chosen of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style

from context_bus.client.asking import is_meant
from context_bus.view import figures
from context_bus.view.snapshot import BROKEN, RUNNING, ServiceKey, ServiceView, Snapshot, totals
from context_bus.view.terminal.columns import PLAIN, Cell, Column, by_column

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
_DIRECTORIES = re.compile(r"(?<!\S)/\S*/(?=[^/\s:]+\.py:\d)")
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


def brief_error(service: ServiceView) -> str:
    """Its last error, where a file of Python code is named without its directory."""
    return _DIRECTORIES.sub("", service.last_error)


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
    Column(
        "uptime",
        "UP",
        _uptime,
        7,
        4,
        right=True,
        key=lambda shown: shown.service.uptime(shown.now) or 0.0,
        largest_first=True,
    ),
    Column(
        "restarts",
        "RST",
        _restarts,
        4,
        6,
        right=True,
        key=lambda shown: shown.service.restarts,
        largest_first=True,
    ),
    Column(
        "cpu",
        "CPU%",
        _cpu,
        5,
        2,
        right=True,
        key=lambda shown: shown.service.cpu_percent,
        largest_first=True,
    ),
    Column(
        "cpu_curve",
        "",
        lambda shown, width: Cell(figures.load_curve(shown.service.cpu_history, width), Style(color="cyan")),
        8,
        8,
        most=14,
    ),
    Column(
        "rss",
        "RSS",
        lambda shown, width: _figure(shown, figures.size(shown.service.rss), shown.service.rss),
        5,
        3,
        right=True,
        key=lambda shown: shown.service.rss,
        largest_first=True,
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
    Column(
        "threads",
        "THR",
        lambda shown, width: _figure(shown, figures.count(shown.service.threads), shown.service.threads),
        4,
        10,
        right=True,
        key=lambda shown: shown.service.threads,
        largest_first=True,
    ),
    Column(
        "descriptors",
        "FDS",
        lambda shown, width: _figure(
            shown, figures.count(shown.service.descriptors), shown.service.descriptors
        ),
        4,
        11,
        right=True,
        key=lambda shown: shown.service.descriptors,
        largest_first=True,
    ),
    Column(
        "messages",
        "MSG/S",
        _messages,
        5,
        7,
        right=True,
        key=lambda shown: shown.service.messages_per_second,
        largest_first=True,
    ),
    Column(
        "error",
        "LAST ERROR",
        lambda shown, width: Cell(brief_error(shown.service), RED),
        14,
        13,
        most=200,
        key=lambda shown: not shown.service.last_error,
    ),
)
#: Columns by name.
BY_NAME = {each.name: each for each in COLUMNS}
#: What ``--sort`` takes.
SORTS = ("cpu", "rss", "name", "state", "restarts", "messages")


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a snapshot is shown, and in which order.

    Args:
        names: Only services that these mean, if any.
        transaction: Only this transaction, if any.
        text: Only services with this in their id, name, state or transaction.
        sort: Name of the column; empty for the order of the context file.
        inverted: Whether the order is turned round.
        grouped: Whether services of a transaction stand together.
    """

    names: tuple[str, ...] = ()
    transaction: str = ""
    text: str = ""
    sort: str = ""
    inverted: bool = False
    grouped: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """Services that stand together.

    Args:
        transaction: Their transaction; empty for all.
        rows: The services, in order.
    """

    transaction: str
    rows: tuple[Shown, ...]

    @property
    def heading(self) -> str:
        """What stands above them."""
        sums = totals([each.service for each in self.rows])
        parts = [f"{sums.up} up"]
        parts += [f"{sums.failed} failed"] if sums.failed else []
        parts += [f"CPU {figures.percent(sums.cpu_percent)}%", f"RSS {figures.size(sums.rss)}"]
        return f"{self.transaction}: {', '.join(parts)}"


def groups(snapshot: Snapshot, choice: Choice) -> tuple[Group, ...]:
    """The services that are chosen, in order; one group for each transaction, or one for all."""
    now = snapshot.answered_at if snapshot.trouble else snapshot.at
    chosen = [
        Shown(each, now, bool(snapshot.trouble)) for each in snapshot.services if is_chosen(each, choice)
    ]
    column = BY_NAME.get(choice.sort)
    ordered = by_column(chosen, column, inverted=choice.inverted) if column else chosen
    if not choice.grouped:
        return (Group("", tuple(ordered)),) if ordered else ()
    names = dict.fromkeys(each.service.transaction for each in chosen)
    return tuple(
        Group(name, tuple(each for each in ordered if each.service.transaction == name)) for name in names
    )


def is_chosen(service: ServiceView, choice: Choice) -> bool:
    """Whether a service is shown."""
    if choice.transaction and service.transaction != choice.transaction:
        return False
    if choice.names and not any(is_meant(service.service_id, name) for name in choice.names):
        return False
    text = choice.text.casefold()
    words = (service.service_id, service.name, state_of(service), service.transaction)
    return not text or any(text in each.casefold() for each in words)


def columns_of(found: Sequence[Group], choice: Choice) -> tuple[Column[Shown], ...]:
    """The columns that make sense: the transaction has one only if services of several are mixed."""
    names = {each.service.transaction for group in found for each in group.rows}
    mixed = not choice.grouped and len(names) > 1
    return tuple(each for each in COLUMNS if each.name != "transaction" or mixed)


def longest_of(found: Sequence[Group]) -> dict[str, int]:
    """Cells of the longest text of the columns that fit theirs."""
    rows = [each.service for group in found for each in group.rows]
    return {
        "name": max((len(each.service_id) for each in rows), default=0),
        "transaction": max((len(each.transaction) for each in rows), default=0),
    }


#: Columns that stay when a service has no process: its error takes the place of the others.
_WITHOUT_PROCESS = ("name", "transaction", "state")


def cells_of(shown: Shown, placed: Sequence[tuple[Column[Shown], int]]) -> tuple[Cell, ...]:
    """The cells of one service; one that has no process has a reason instead of figures."""
    service = shown.service
    if service.pid is None and service.last_error:
        kept = [(column, width) for column, width in placed if column.name in _WITHOUT_PROCESS]
        style = RED if service.phase in BROKEN else DIM
        cells = (*(column.cell(shown, width) for column, width in kept), Cell(brief_error(service), style))
    else:
        cells = tuple(column.cell(shown, width) for column, width in placed)
    if shown.is_stale:
        cells = tuple(Cell(each.text, DIM) for each in cells)
    return cells


def key_of(shown: Shown) -> ServiceKey:
    """By which its line is known."""
    return shown.service.key
