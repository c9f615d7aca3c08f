"""Launch a command that goes on by itself, when the caller and its terminal are gone. Knows fronts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from context_bus.errors import CommandNotStarted, WatchError
from context_bus.watch import talk
from context_bus.watch.database import Database
from context_bus.watch.front import Front
from context_bus.watch.order import Order, check


def detach(database_path: Path, order: Order) -> list[int]:
    """Launch a command in a session of its own, without input; returns when it runs.

    What it writes goes to ``<database>.logs/<id>.out`` and ``.err``, unless the order names files.

    Args:
        database_path: Where tasks are; the file must be there.
        order: What to launch.

    Returns:
        The ids of all its instances.

    Raises:
        CommandNotStarted: It cannot be executed.
        WatchError: It may not start.
        StoreError: The database cannot be written.
    """
    order = check(order)
    Database(database_path)  # that it is not there is said here
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _leave(database_path, order, write_end)
    os.close(write_end)
    os.waitid(os.P_PID, pid, os.WEXITED)
    try:
        told = talk.read_facts(read_end)
    finally:
        os.close(read_end)
    for facts in told:
        if "raised" in facts:
            raise talk.unpacked(facts["raised"])
        if "why" in facts:
            raise CommandNotStarted(str(facts["why"]), int(str(facts["code"])))
    if sum("pid" in facts for facts in told) < order.instances:
        raise WatchError("the launcher was killed before the command was started")
    return [taskid for facts in told if isinstance(taskid := facts.get("id"), int)]


def _leave(database_path: Path, order: Order, ready: int) -> NoReturn:
    """Be the process between the caller and the front, whose end makes an orphan of the front."""
    try:
        os.setsid()
        if os.fork() == 0:
            _go_on(database_path, order, ready)
    finally:
        os._exit(0)


def _go_on(database_path: Path, order: Order, ready: int) -> NoReturn:
    """Be the front, with nothing open that was the caller's."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for place in range(3):
            os.dup2(null, place)
        _close_others(ready)
        _run(database_path, order, ready)
    finally:
        os._exit(0)  # the watcher has said what there is to say


def _run(database_path: Path, order: Order, ready: int) -> None:
    if order.instances > 1:
        from context_bus.watch.instances import launch_many

        launch_many(database_path, order, _unheard, is_detached=True, ready=ready)
    else:
        Front(database_path, order, _unheard, is_detached=True, ready=ready).run()


def _close_others(kept: int) -> None:
    last = max(int(name) for name in os.listdir("/proc/self/fd"))
    os.closerange(3, kept)
    os.closerange(kept + 1, last + 1)


def _unheard(_text: str) -> None:
    """There is nobody to tell; the history knows."""
