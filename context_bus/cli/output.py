"""What commands print: results on stdout, as text, tables or JSON; remarks on stderr.

rich is imported when a table is printed and not before, since it costs more than the rest of a command.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence

import click

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
    cells = [[_text(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(columns, cells, cuttable)
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


def _text(cell: object) -> str:
    return "-" if cell is None or cell == "" else str(cell)


def _rich_table(columns: Sequence[str], cells: Sequence[Sequence[str]], cuttable: Collection[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for name in columns:
        if cuttable:
            table.add_column(name, overflow="ellipsis", no_wrap=name not in cuttable)
        else:
            table.add_column(name)
    for row in cells:
        table.add_row(
            *(f"[{STATE_COLOURS[cell]}]{cell}[/]" if cell in STATE_COLOURS else _plain(cell) for cell in row)
        )
    Console().print(table)


def _plain(cell: str) -> str:
    """Text in which rich sees no markup."""
    return cell.replace("[", "\\[")
