"""``task history``: the tasks that have ended, the last one first."""

from __future__ import annotations

from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.output import remark, say_table
from context_bus.cli.task_database import opened
from context_bus.cli.task_filters import filter_options
from context_bus.cli.task_options import db_option
from context_bus.watch.values import Filter, Past

#: Rows of a table, unless their number is said.
ROWS = 20


@click.command(
    "history",
    epilog=examples(
        "{command}", "{command} --name backup --since 7d --feedback", "{command} --limit 1000 --csv"
    ),
)
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"The last so many.  [default: {ROWS} in a table, all as JSON or CSV]",
)
@click.option("--feedback", "with_feedback", is_flag=True, help="Show what each has reported last.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the result as CSV.")
@json_option()
@db_option
def command(
    wanted: Filter,
    limit: int | None,
    with_feedback: bool,
    as_csv: bool,
    as_json: bool,
    db: Path | None,
) -> None:
    """Show the tasks that have ended, the last one first: when, how long, how, and why.

    An outcome is done (exit code 0), failed, killed (on request), timeout, notfound or lost (nobody knows).
    """
    from context_bus.cli import task_past
    from context_bus.watch import history

    if as_csv and as_json:
        raise click.UsageError("choose one of --csv and --json")
    is_table = not (as_csv or as_json)
    wanted = wanted._replace(limit=limit or (ROWS if is_table else None))
    with opened(db) as database:
        found = history.past(database, wanted) if database is not None else iter(())
        if as_json:
            task_past.say_json(found)
        elif as_csv:
            task_past.say_csv(found)
        else:
            rows = list(found)
            more = 0
            if database is not None and len(rows) == wanted.limit:
                more = history.count(database, wanted._replace(limit=None)) - len(rows)
            _say_rows(rows, more, wanted, with_feedback=with_feedback)


def _say_rows(rows: list[Past], more: int, wanted: Filter, *, with_feedback: bool) -> None:
    from context_bus.cli import task_past

    if not rows:
        is_all = wanted._replace(limit=None) == Filter()
        remark("no task has ended yet" if is_all else "no such task has ended")
        return
    say_table(*task_past.table(rows, with_feedback=with_feedback))
    if more:
        remark(f"{more:,} more; see them with --limit {len(rows) + more}")
