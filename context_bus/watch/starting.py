"""Launch a task from a program that goes on. Knows the launcher's command line; must not know what it does.

The launcher forks, becomes a parent of orphans and takes signals for its command: a program with threads and
children of its own cannot be that. So it is a process of its own, which leaves the program at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from context_bus.errors import CommandNotStarted, NotClearToStart, StoreError, StoreUnavailable, WatchError
from context_bus.watch.order import Order, check

if TYPE_CHECKING:
    from pathlib import Path

#: Exit codes of a launcher whose command could not be executed.
_NOT_STARTED = (126, 127)
#: Fields of an order that are not options of their own name.
_SPECIAL = frozenset({"argv", "info", "env", "expects_feedback"})
#: What variables begin with that would change the launcher itself: they go another way.
_OWN = "PYTHON"


def start(path: Path, order: Order) -> list[int]:
    """Launch a command that goes on by itself; returns when it runs.

    Args:
        path: The database; it must be there.
        order: What to launch.

    Returns:
        The ids of all its instances.

    Raises:
        CommandNotStarted: It cannot be executed.
        WatchError: It may not start.
        StoreError: The database cannot be written.
    """
    order = check(order)
    # Variables may be secrets, and everybody may read a command line.
    passed = {name: value for name, value in order.env.items() if not name.startswith(_OWN)}
    command = [sys.executable, "-P", "-m", "context_bus.watch", "launch", "--detach", f"--db={path}"]
    done = subprocess.run(
        [*command, *_options(order), "--", *order.argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **passed},
        check=False,
    )
    if done.returncode:
        raise _error(done.returncode, os.fsdecode(done.stderr), order)
    return [int(taskid) for taskid in done.stdout.split()]


def _options(order: Order) -> Iterator[str]:
    for name, value in order._asdict().items():
        if name not in _SPECIAL and value not in (None, ""):
            yield f"--{name}={value}"
    yield from (f"--info{number}={text}" for number, text in enumerate(order.info, 1))
    yield from (f"--env={name}={value}" for name, value in order.env.items() if name.startswith(_OWN))
    if order.expects_feedback:
        yield "--expect_feedback"


def _error(code: int, said: str, order: Order) -> WatchError | StoreError:
    """What the launcher has said, as it was raised there."""
    lines = said.strip().splitlines() or [f"the launcher ended with exit code {code}"]
    words = lines[-1].removeprefix("context-bus: ")
    if code in _NOT_STARTED:
        return CommandNotStarted(words, code)
    if code == StoreError.exit_code:
        return StoreUnavailable(words)
    if order.taskid is not None and words == str(NotClearToStart(order.taskid)):
        return NotClearToStart(order.taskid)
    return WatchError(words)
