"""What commands print: results on stdout, as text, tables or JSON; remarks on stderr.

rich is imported when a table is printed and not before, since it costs more than the rest of a command.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

#: Colours in which names that belong together are told apart.
PALETTE = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")
#: Colour of a state or verb, wherever one is shown.
STATE_COLOURS = {
    "waiting": "blue",
    "warming": "blue",
    "backoff": "yellow",
    "fatal": "red",
    "started": "green",
    "updated": "cyan",
    "created": "blue",
    "stopped": "yellow",
    "done": "green",
    "failed": "red",
    "rejected": "red",
    "reserved": "blue",
    "running": "green",
    "silent": "yellow",
    "stalled": "red",
    "killed": "yellow",
    "timeout": "red",
    "notfound": "red",
    "lost": "red",
}


def say(text: str = "") -> None:
    """Print a line of the result."""
    click.echo(text)


def remark(text: str) -> None:
    """Print a line that is not the result: progress, a hint, a note."""
    click.echo(text, err=True)


def say_json(value: object, *, indent: int = 0) -> None:
    """Print a value as JSON: one line, or indented for people."""
    import msgspec

    text = msgspec.json.encode(value)
    click.echo(msgspec.json.format(text, indent=indent) if indent else text)


def say_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], cuttable: Collection[str] = ()
) -> None:
    """Print a table; on a terminal with colours and rules, into a pipe as plain aligned columns.

    Args:
        columns: Their names.
        rows: A cell for each column.
        cuttable: Columns that a narrow terminal cuts, so that each row is one line; where none are named,
            long cells are wrapped.
    """
    cells = [[text_of(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(coloured_table(columns, cells, cuttable))
    else:
        for line in aligned([[name.upper() for name in columns], *cells]):
            click.echo(line)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad cells so that columns stand below each other; the last column is not padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def colour_of(name: str) -> str:
    """The colour of a name, the same in every run."""
    return PALETTE[sum(name.encode()) % len(PALETTE)]


def styled_state(state: str) -> str:
    """A state in its colour; click drops the colour where stdout is no terminal."""
    colour = STATE_COLOURS.get(state)
    return click.style(state, fg=colour) if colour else state


def text_of(cell: object) -> str:
    """What stands in a cell; a sign where there is nothing."""
    return "-" if cell is None or cell == "" else str(cell)


def coloured_table(
    columns: Sequence[str], cells: Sequence[Sequence[str]], cuttable: Collection[str] = ()
) -> Table:
    """A table for a terminal, with colours and rules; the arguments are those of `say_table`."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        header_style="bold",
        collapse_padding=bool(cuttable),
    )
    for name in columns:
        if cuttable:
            table.add_column(name, overflow="ellipsis", no_wrap=name not in cuttable)
        else:
            table.add_column(name)
    for row in cells:
        table.add_row(*(_shown(cell, name in cuttable) for name, cell in zip(columns, row, strict=True)))
    return table


def _shown(cell: str, is_cut: bool) -> RenderableType:
    from rich.text import Text

    # A text has no markup. One that is cut is one line, though its column is among those that may be narrow.
    style = STATE_COLOURS.get(cell, "")
    return Text(cell, style, no_wrap=True, overflow="ellipsis") if is_cut else Text(cell, style)
