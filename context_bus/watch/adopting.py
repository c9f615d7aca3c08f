"""A new keeper for a task that has lost its own. Knows one task; must not know its launcher.

It is no parent of the command: it sees the end, and not how it came.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from context_bus.process import tree
from context_bus.watch import orphans, running
from context_bus.watch.database import Database
from context_bus.watch.rows import keepers_text
from context_bus.watch.values import Outcome, Wish

if TYPE_CHECKING:
    from context_bus.watch.values import Task

#: Seconds that the new keeper may take to be one.
PATIENCE = 10.0
#: Seconds between the signal and the kill of a task that gives no feedback.
GRACE = 2.0


def adopt(database: Database, task: Task) -> bool:
    """Start a keeper, detached from the caller; returns when it is one.

    Returns:
        Whether there is one; if not, the next to look tries again.
    """
    import subprocess

    order = [sys.executable, "-m", __name__, os.path.abspath(database.path), str(task.id)]
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    surroundings.pop(orphans.VARIABLE, None)  # or it would end itself, adopted from within the task
    try:
        verdict = subprocess.run(
            order,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return verdict.returncode == 0


def main(path: str, taskid: int) -> int:
    """Become the keeper in a process of its own, which the caller need not reap."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    ours, its = os.pipe()
    if os.fork():
        os.close(its)
        return 0 if os.read(ours, 1) else 1
    os.close(ours)
    with Database(Path(path)) as database:
        if not _take(database, taskid):
            return 1
        os.write(its, b"!")
        os.close(its)
        _keep(database, taskid)
    return 0


def _take(database: Database, taskid: int) -> bool:
    """Be its first keeper, unless somebody else is faster; those before stay known, for their variable."""
    me = tree.identify(os.getpid())
    with database.writing() as connection:
        task = running.get(database, taskid)
        if me is None or task is None or orphans.is_kept(task):
            return False
        query = "UPDATE tasks SET keepers = ? WHERE id = ?"
        connection.execute(query, (keepers_text([me, *task.keepers]), taskid))
    return True


def _keep(database: Database, taskid: int) -> None:
    """Wait until the task has ended, is to be ended, or gives no feedback in time."""
    wake, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    happenings = select.poll()
    happenings.register(wake, select.POLLIN)
    task = running.get(database, taskid)
    if task is not None and task.pid is not None and orphans.is_command_alive(task):
        with contextlib.suppress(ProcessLookupError):  # what follows sees that it has ended
            happenings.register(os.pidfd_open(task.pid), select.POLLIN)
    while (task := running.get(database, taskid)) is not None:
        left = _left(task, time.time())
        outcome = Outcome.KILLED
        if task.request is None and left < 0:
            why = f"timeout: no feedback for {(task.timeout or 0) - left:.1f} s (timeout {task.timeout:g} s)"
            task, outcome = task._replace(request=Wish(signal.SIGTERM, GRACE, why)), Outcome.TIMEOUT
        if task.request is not None or not orphans.is_command_alive(task):
            orphans.conclude(database, task, time.time(), outcome)
            return
        # Rounded up, or the last millisecond would be spent turning round.
        happened = happenings.poll(None if left == math.inf else left * 1000 + 1)
        if any(handle == wake for handle, _ in happened):
            os.read(wake, 4096)


def _left(task: Task, now: float) -> float:
    """Seconds until it has given no feedback for too long; infinite if none is expected."""
    if not task.feedback or task.feedfile is None or task.timeout is None:
        return math.inf
    last = float(task.starttime or 0)
    with contextlib.suppress(OSError):  # not yet there: its age counts from the start
        last = max(last, os.stat(task.feedfile).st_mtime)
    return task.timeout - (now - last)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
