"""Tasks and history as the document's tables and JSON objects, to the character; printed as they come.

Knows rows whose fields stand in the documented order of the columns; must not know where they come from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

#: Fields that a task's and a history row's JSON object has, in this order; later ones are not the document's.
TASK_MEMBERS = (
    "name", "info1", "info2", "info3", "pid", "status", "feedback", "reservetime", "starttime", "duration",
    "lastupdate", "timeout",
)  # fmt: skip
PAST_MEMBERS = (
    "taskid", "taskname", "info1", "info2", "info3", "termsignal", "termerror", "starttime", "endtime",
    "duration", "feedback",
)  # fmt: skip

_TASK_RULE = "-" * 181
_TASK_HEAD = (
    "| task id  |      task name       |     info1    |     info2    |     info3    |   pid  |   status   "
    "| feedback | reserve time | starting time | duration | last update  | timeout  |"
)
_TASK_ROW = (
    "| {:>8} | {:<20} | {:<12} | {:<12} | {:<12} | {:>6} | {:>10} | {:>8} | {:>12} | {:>13} | {:>8} | {:>12} "
    "| {:>8} |"
)
_PAST_RULE = "-" * 180
_PAST_HEAD = (
    "|    id    | task id  |      task name       |     info1    |     info2    |     info3    |termsignal "
    "| termerror | starting time | ending time | duration |      feedback         |"
)
_PAST_ROW = (
    "| {:>8} | {:>8} | {:<20} | {:<12} | {:<12} | {:<12} |{:>10} | {:>9} | {:>13} | {:>11} | {:>8} | {:>21} |"
)


def task_table(tasks: Sequence[tuple[object, ...]]) -> Iterator[str]:
    """Lines of the table of tasks.

    Args:
        tasks: An id and the members of `TASK_MEMBERS` each; what follows is left out.
    """
    if not tasks:
        yield "No tasks."
        return
    yield from _table(_TASK_RULE, _TASK_HEAD, _TASK_ROW, tasks, 1 + len(TASK_MEMBERS))


def past_table(rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    """Lines of the table of the history; there is one even if nothing has ended yet.

    Args:
        rows: An id and the members of `PAST_MEMBERS` each; what follows is left out.
    """
    yield from _table(_PAST_RULE, _PAST_HEAD, _PAST_ROW, rows, 1 + len(PAST_MEMBERS))


def task_json(tasks: Iterable[tuple[object, ...]]) -> Iterator[str]:
    """Pieces of one line of JSON: an object of tasks by their id."""
    return _object(tasks, TASK_MEMBERS)


def past_json(rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    """Pieces of one line of JSON: an object of the history's rows by their own id."""
    return _object(rows, PAST_MEMBERS)


def _table(
    rule: str, head: str, layout: str, rows: Iterable[tuple[object, ...]], columns: int
) -> Iterator[str]:
    yield from (rule, head, rule)
    for row in rows:
        yield layout.format(*map(_cell, row[:columns]))
    yield rule


def _cell(value: object) -> str:
    """What stands in a cell; a row stays one line, and the terminal gets no orders from a name."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _object(rows: Iterable[tuple[object, ...]], members: Sequence[str]) -> Iterator[str]:
    """An object that is never there as a whole: a history of a million rows takes no memory."""
    encode = json.JSONEncoder().encode
    before = "{"
    for row in rows:
        yield f'{before}"{row[0]}": {encode(dict(zip(members, row[1:], strict=False)))}'
        before = ", "
    yield "}" if before == ", " else "{}"
