"""How it is printed which tasks there are: as a table, as JSON. Knows how tasks were found; opens nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from context_bus.cli.task_words import bar, brief, without_empty
from context_bus.view.figures import span

if TYPE_CHECKING:
    from context_bus.watch.sight import Sight

COLUMNS = ("id", "name", "status", "pid", "time", "progress", "left", "heard", "info")
#: Columns that are cut where a line is too short for all.
CUTTABLE = frozenset({"name", "info"})
#: What is left out first where a terminal is too narrow for the rest and so many characters of the cuttable.
SPARED, LEAST = "pid", 12
#: What is shown in a column of its own.
SHOWN = frozenset({"info", "progress"})


def facts(sight: Sight) -> dict[str, object]:
    """All that is known of a task; what it reports as an object."""
    task = sight.task
    return task._asdict() | {
        "status": sight.status,
        "duration": None if sight.elapsed is None else round(sight.elapsed, 3),
        "feedback": dict(sight.values),
        "expects_feedback": bool(task.feedback),
        "heard": None if sight.heard is None else round(sight.heard, 3),
        "progress": sight.progress,
        "left": None if sight.left is None else round(sight.left, 1),
        "keepers": [{"pid": each.pid, "ticks": each.ticks} for each in task.keepers],
        "request": None if task.request is None else task.request._asdict(),
    }


def document(sights: Sequence[Sight]) -> str:
    """Tasks as a JSON array."""
    return json.dumps([facts(sight) for sight in sights], ensure_ascii=False, indent=2)


def table(sights: Sequence[Sight], width: int | None) -> tuple[list[str], list[list[object]]]:
    """Columns and cells, for `output.say_table`.

    Args:
        sights: The tasks.
        width: Columns of the terminal; None where nobody counts them, and where there are no bars.
    """
    rows = [[*_cells(sight, with_bar=width is not None)] for sight in sights]
    columns, rows = without_empty(COLUMNS, rows)
    if width is not None and SPARED in columns and _needed(columns, rows) > width:
        place = columns.index(SPARED)
        columns = columns[:place] + columns[place + 1 :]
        rows = [row[:place] + row[place + 1 :] for row in rows]
    return columns, rows


def width() -> int | None:
    """Columns of the terminal; None if there is none."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def _needed(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    widths = [max(len(str(cell)) for cell in each) for each in zip(columns, *rows, strict=True)]
    pairs = zip(columns, widths, strict=True)
    return sum(min(width, LEAST) if name in CUTTABLE else width for name, width in pairs) + 2 * len(columns)


def _cells(sight: Sight, *, with_bar: bool) -> Iterator[object]:
    task = sight.task
    yield task.id
    yield brief(task.name or "")
    yield sight.status.lower()
    yield task.pid or None
    yield None if sight.elapsed is None else span(sight.elapsed)
    yield progress(sight, with_bar=with_bar)
    yield None if sight.left is None else span(sight.left)
    yield heard(sight)
    yield info(sight)


def progress(sight: Sight, *, with_bar: bool) -> str:
    """How far a task is; empty if it does not say."""
    if sight.progress is None:
        return ""
    percent = f"{sight.progress * 100:3.0f}%"
    return f"{bar(sight.progress)} {percent}" if with_bar else percent.strip()


def heard(sight: Sight) -> str:
    """How long ago it gave feedback, and after how long it is ended; the latter only if it must give any."""
    if sight.heard is None:
        return ""
    limit = f"/{say_limit(sight.task.timeout or 0.0)}" if sight.task.feedback else ""
    return span(sight.heard) + limit


def say_limit(seconds: float) -> str:
    """A timeout as people read it; with what is behind the point, if there is anything."""
    return span(seconds) if float(seconds).is_integer() else f"{seconds:g}s"


def info(sight: Sight) -> str:
    """What it says of itself, then what was said at its launch."""
    return brief(_told(sight.values)) or ", ".join(
        filter(None, (sight.task.info1, sight.task.info2, sight.task.info3))
    )


def _told(values: Mapping[str, str]) -> str:
    others = (f"{key}={value}" for key, value in values.items() if key not in SHOWN)
    return " ".join(filter(None, (values.get("info", ""), *others)))
