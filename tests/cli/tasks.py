"""Tasks for tests of the command line: rows as a launcher leaves them, kept by the process of the test."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from context_bus.process.tree import Identity, identify
from context_bus.watch import history, orphans, reservation, running
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim, Places
from context_bus.watch.schema import ensure
from context_bus.watch.values import NO_INFO, Ending, Filter, Info, Outcome, Past


def myself() -> Identity:
    """The process of the test."""
    found = identify(os.getpid())
    assert found is not None
    return found


@dataclass
class Tasks:
    """A database of tasks, and what a launcher would write there."""

    path: Path

    def __post_init__(self) -> None:
        ensure(self.path)

    def run(
        self,
        name: str = "backup",
        *,
        ago: float = 0.0,
        told: str = "",
        expects: bool = False,
        timeout: float = 30.0,
        info: Info = NO_INFO,
        output: Path | None = None,
        error: Path | None = None,
    ) -> int:
        """Have a task that runs, and has written its feedback just now; returns its id."""
        places = Places(None, str(output) if output else None, str(error) if error else None)
        claim = Claim(
            argv=("sleep", "60"),
            name=name,
            info=info,
            feedback=expects,
            timeout=timeout,
            boot=orphans.boot_id(),
            keepers=(myself(),),
            places=lambda taskid: places._replace(feedfile=str(self.feedfile(taskid))),
        )
        with Database(self.path) as database:
            taskid = reservation.claim(database, time.time() - ago, None, claim)
            running.set_pid(database, taskid, *myself())
        if told:
            self.feedfile(taskid).write_text(told)
        return taskid

    def feedfile(self, taskid: int) -> Path:
        """Where a task writes its feedback."""
        return self.path.parent / f"feedback_{taskid}.log"

    def end(
        self,
        taskid: int,
        outcome: Outcome = Outcome.DONE,
        *,
        code: int | None = 0,
        signal: str = "",
        why: str = "",
        feedback: str = "{}",
        ago: float = 0.0,
        elapsed: float = 1.5,
    ) -> None:
        """Have a task end."""
        ending = Ending(signal, why, code, outcome, code or 0)
        with Database(self.path) as database:
            task = running.get(database, taskid)
            assert task is not None
            history.archive(database, task, ending, feedback, time.time() - ago, elapsed)

    def ended(self, name: str = "backup", outcome: Outcome = Outcome.DONE, **facts: object) -> int:
        """Have a task that has ended; returns its id."""
        taskid = self.run(name)
        self.end(taskid, outcome, **facts)  # type: ignore[arg-type]  # passed on as they came
        return taskid

    def reserve(self, name: str = "") -> int:
        """Have a reservation; returns its id."""
        with Database(self.path) as database:
            return reservation.reserve(database, time.time(), name)

    def past(self) -> list[Past]:
        """What has ended."""
        with Database(self.path) as database:
            return list(history.past(database, Filter()))
