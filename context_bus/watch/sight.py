"""How tasks are at this moment, by the age and the content of their feedback. Changes nothing.

For whoever looks: what stands in the database was true when somebody last wrote there. Knows rows and
feedback files; must not know who looks.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from context_bus.kernel.progress import Estimate, percent_of
from context_bus.watch.feedbackfile import FeedbackReader
from context_bus.watch.liveness import next_change
from context_bus.watch.reservation import EXPIRY
from context_bus.watch.running import as_of
from context_bus.watch.values import Task, TaskStatus


class Sight(NamedTuple):
    """A task as it is now.

    Args:
        task: What the database says.
        status: How it stands.
        elapsed: Seconds since it was launched; None while it is reserved.
        heard: Seconds since its last feedback, or since its launch if it is expected to give some; None if
            there is nothing to hear.
        values: What it reports.
        progress: How far it says it is, from 0 to 1; None if it does not say.
        left: Seconds that it will take yet; None if nobody can tell.
        changes_in: Seconds until it stands otherwise, if nothing comes; infinite if that does not matter.
    """

    task: Task
    status: TaskStatus
    elapsed: float | None
    heard: float | None
    values: Mapping[str, str]
    progress: float | None
    left: float | None
    changes_in: float


class _Told(NamedTuple):
    """What is kept of one feedback file between two looks."""

    reader: FeedbackReader
    estimate: Estimate


class Looker:
    """Looks at tasks, again and again: of feedback that it has read it reads what is new."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}

    def look(self, tasks: Iterable[Task], now: float) -> list[Sight]:
        """See how tasks are.

        Args:
            tasks: What the database says; what is not among them any more is forgotten.
            now: Seconds since the epoch.

        Returns:
            All of them but reservations that have expired.
        """
        before, self._told = self._told, {}
        return [self._look(task, before, now) for task in tasks if not is_expired(task, now)]

    def _look(self, task: Task, before: Mapping[str, _Told], now: float) -> Sight:
        if task.status is TaskStatus.RESERVED or task.starttime is None:
            rest = (task.reservetime or 0) + EXPIRY + 1 - now
            return Sight(task, task.status, None, None, {}, None, None, max(0.0, rest))
        elapsed = max(0.0, now - task.starttime)
        changed = _changed(task.feedfile)
        # What is older than the launch is a file of before; what is newer than now, one of a wrong clock.
        heard = elapsed if changed is None else max(0.0, min(elapsed, now - changed))
        timeout = task.timeout if task.feedback and task.timeout is not None else math.inf
        values, progress, left = self._read(task, before, now, heard)
        return Sight(
            task,
            as_of(task, now).status,
            elapsed,
            heard if task.feedback or changed is not None else None,
            values,
            progress,
            left,
            next_change(heard, timeout),
        )

    def _read(
        self, task: Task, before: Mapping[str, _Told], now: float, heard: float
    ) -> tuple[Mapping[str, str], float | None, float | None]:
        """What a task says, how far it is, and how long it will still take."""
        if task.feedfile is None or task.starttime is None:
            return {}, None, None
        told = before.get(task.feedfile)
        if told is None:
            told = _Told(FeedbackReader(Path(task.feedfile)), Estimate())
            told.estimate.add(task.starttime, 0.0)
        self._told[task.feedfile] = told
        values = told.reader.read()
        percent = percent_of(values)
        if percent is None:
            return values, None, None
        told.estimate.add(now - heard, percent)
        return values, percent / 100, told.estimate.remaining(now)


def is_expired(task: Task, now: float) -> bool:
    """Whether a task is a reservation that nobody can take up any more, though it is there yet."""
    if task.status is not TaskStatus.RESERVED or task.reservetime is None:
        return False
    return abs(int(now) - task.reservetime) > EXPIRY


def _changed(path: str | None) -> float | None:
    """When a file was written last, in seconds since the epoch; None if there is none."""
    try:
        return None if path is None else os.stat(path).st_mtime
    except OSError:
        return None
