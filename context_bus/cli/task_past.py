"""How it is printed which tasks have ended: as a table, as JSON, as CSV. Knows rows of the history only."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from context_bus.cli.output import styled_state
from context_bus.cli.task_words import brief, took, without_empty

if TYPE_CHECKING:
    from context_bus.watch.values import Past

COLUMNS = ("id", "name", "outcome", "ended", "took", "why", "info", "feedback")
#: Columns that are cut where a line is too short for all.
CUTTABLE = frozenset({"name", "why", "info", "feedback"})


def facts(past: Past) -> dict[str, object]:
    """All that is known of a task that has ended; what it reported last as an object."""
    return past._asdict() | {"feedback": values(past.feedback)}


def line(past: Past) -> str:
    """A task that has ended, in one line."""
    elapsed = took(past.elapsed if past.elapsed is not None else past.duration)
    name, why = brief(past.taskname or ""), brief(past.termerror or "")
    return "  ".join(filter(None, (str(past.taskid), name, styled_state(past.outcome), elapsed, why)))


def exit_code(past: Past) -> int:
    """The exit code of whoever launched it, or would have waited for it."""
    from context_bus.watch.outcome import TIMED_OUT, UNKNOWN
    from context_bus.watch.values import Outcome

    if past.outcome is Outcome.TIMEOUT:
        return TIMED_OUT
    if past.exitcode is not None:
        return past.exitcode
    if past.outcome is Outcome.DONE:
        return 0
    name = past.termsignal or ""
    return 128 + signal.Signals[name] if name in signal.Signals.__members__ else UNKNOWN


def values(feedback: str) -> object:
    """What was reported, from how it is kept; as it is where an older program wrote something else."""
    try:
        return json.loads(feedback or "{}")
    except ValueError:
        return feedback


def table(
    rows: Sequence[Past], *, with_feedback: bool
) -> tuple[list[str], list[list[object]], frozenset[str]]:
    """Columns, cells and what may be cut, for `output.say_table`."""
    today = time.localtime()[:3]
    end = len(COLUMNS) if with_feedback else -1
    kept, cells = without_empty(COLUMNS[:end], [[*_cells(row, today)][:end] for row in rows])
    return kept, cells, CUTTABLE & frozenset(kept)


def _cells(past: Past, today: Sequence[int]) -> Iterator[object]:
    yield past.taskid
    yield past.taskname
    yield past.outcome
    yield moment(past.endtime, today)
    yield took(past.elapsed if past.elapsed is not None else past.duration)
    yield past.termerror
    yield ", ".join(filter(None, (past.info1, past.info2, past.info3)))
    found = values(past.feedback)
    pairs = found.items() if isinstance(found, dict) else ()
    yield brief(" ".join(f"{key}={value}" for key, value in pairs) or ("" if found == {} else str(found)))


def moment(at: float | None, today: Sequence[int]) -> str:
    """A time in the local zone: the clock of today, else the date with it."""
    if at is None:
        return ""
    local = time.localtime(at)
    return time.strftime("%H:%M:%S" if local[:3] == today else "%Y-%m-%d %H:%M", local)


def say_json(rows: Iterable[Past]) -> None:
    """Print rows as one JSON array, a row a line, as they come: a long history takes no memory."""
    start = "["
    for row in rows:
        click.echo(f"{start}{json.dumps(facts(row), ensure_ascii=False)}", nl=False)
        start = ",\n "
    click.echo("]" if start != "[" else "[]")


def say_csv(rows: Iterable[Past]) -> None:
    """Print rows as CSV; lists and what was reported are JSON within it."""
    import csv
    import sys

    from context_bus.watch.values import Past

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Past._fields)
    for row in rows:
        writer.writerow(row._replace(argv=json.dumps(row.argv, ensure_ascii=False)))  # type: ignore[arg-type]
