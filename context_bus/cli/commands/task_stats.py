"""``task stats``: runs, failures and durations of what has ended, summed up."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.output import say, say_table
from context_bus.cli.task_completing import names
from context_bus.cli.task_database import opened
from context_bus.cli.task_filters import since_option
from context_bus.cli.task_options import db_option
from context_bus.cli.task_words import took
from context_bus.view.figures import span

if TYPE_CHECKING:
    from context_bus.watch.statistics import Statistics


@click.command(
    "stats", epilog=examples("{command} backup", "{command} --all", "{command} --all --since 7d --json")
)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=names)
@click.option("--all", "everything", is_flag=True, help="All tasks together, whatever their names.")
@since_option()
@json_option()
@db_option
def command(name: str | None, everything: bool, since: float | None, as_json: bool, db: Path | None) -> None:
    """Sum up the history of the tasks named NAME: how often they ran and failed, and how long they took.

    p90 is the duration that nine of ten runs did not exceed. Exits with 9 if no such task has ended.
    """
    from context_bus.errors import NothingRecorded

    if everything == (name is not None):
        raise click.UsageError("say one of NAME and --all")
    from context_bus.watch.statistics import statistics

    with opened(db) as database:
        found = None if database is None else statistics(database, name, since)
    if found is None or not found.runs:
        which = "no task" if name is None else f"no task named '{name}'"
        raise NothingRecorded(f"{which} has ended{' since then' if since is not None else ' yet'}")
    if as_json:
        say(json.dumps({"name": name, **found._asdict()}, ensure_ascii=False, indent=2))
    else:
        _say(found)


def _say(found: Statistics) -> None:
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(found.outcomes.items()))
    share = f" ({found.failures / found.runs:.1%})" if found.failures else ""
    seconds = ("minimum", "mean", "p50", "p90", "p95", "p99", "maximum")
    rows = [
        ("runs", f"{found.runs:,}"),
        ("failures", f"{found.failures:,}{share}"),
        ("outcomes", outcomes),
        ("last run", _ago(found.last_run)),
        ("last failure", _ago(found.last_failure)),
        *((f"took, {name}", took(getattr(found, name))) for name in seconds),
    ]
    say_table(("fact", "value"), rows)


def _ago(at: int | None) -> str:
    """A time, and how long ago it was."""
    if at is None:
        return ""
    from context_bus.config.quantities import say_moment

    return f"{say_moment(at)}, {span(time.time() - at)} ago"
