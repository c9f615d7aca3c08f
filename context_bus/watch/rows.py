"""How values of watched tasks stand in rows, and come out again. Pure: knows columns and JSON only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from context_bus.process.tree import Identity
from context_bus.watch.values import Outcome, Past, Task, TaskStatus, Wish

#: Columns as they stand in a query.
TASK = ", ".join(Task._fields)
PAST = ", ".join(Past._fields)


def task_of(row: Sequence[Any]) -> Task:
    """Read a row of `tasks`."""
    values = [*map(_told, row)]
    values[_STATUS] = TaskStatus(row[_STATUS])
    values[_ARGV] = argv_of(row[_ARGV])
    values[_KEEPERS] = tuple(Identity(pid, ticks) for pid, ticks in json.loads(row[_KEEPERS] or "[]"))
    values[_REQUEST] = Wish(**json.loads(row[_REQUEST])) if row[_REQUEST] else None
    return Task._make(values)


def past_of(row: Sequence[Any]) -> Past:
    """Read a row of `history`."""
    values = [*row] if bytes not in map(type, row) else [*map(_told, row)]
    values[_FEEDBACK] = text_of(row[_FEEDBACK])
    values[_OUTCOME] = Outcome(row[_OUTCOME])
    values[_PAST_ARGV] = argv_of(row[_PAST_ARGV])
    return Past._make(values)


def storable(values: Iterable[object]) -> tuple[object, ...]:
    """Values as SQLite can keep them: a name or path whose bytes are no text is kept as these bytes."""
    return tuple(
        os.fsencode(each) if isinstance(each, str) and not _is_text(each) else each for each in values
    )


def _told(value: object) -> Any:
    return os.fsdecode(value) if isinstance(value, bytes) else value


def _is_text(value: str) -> bool:
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def argv_of(text: str | None) -> tuple[str, ...]:
    """Read a command; empty where an older program left none."""
    return tuple(json.loads(text or "[]"))


def argv_text(argv: Iterable[str]) -> str:
    """Write a command."""
    return json.dumps([*argv])


def keepers_text(keepers: Iterable[Identity]) -> str:
    """Write who keeps a task."""
    return json.dumps([[keeper.pid, keeper.ticks] for keeper in keepers])


def wish_text(wish: Wish) -> str:
    """Write a wish that a task be ended."""
    return json.dumps(wish._asdict())


def text_of(stored: str | bytes | None) -> str:
    """Read what was reported, as JSON; a column of bytes may hold either."""
    return stored.decode(errors="replace") if isinstance(stored, bytes) else stored or "{}"


_STATUS, _ARGV, _KEEPERS, _REQUEST = map(Task._fields.index, ("status", "argv", "keepers", "request"))
_FEEDBACK, _OUTCOME, _PAST_ARGV = map(Past._fields.index, ("feedback", "outcome", "argv"))
