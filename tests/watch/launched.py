"""Tasks as a launcher leaves them when it is killed: a row, processes, and keepers that do nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from context_bus.process import tree
from context_bus.process.tree import Identity
from context_bus.watch import orphans, reservation, running
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim, Places

#: A command with a child, and a daemon that has left its session and its parent; says both pids, and its own.
FAMILY = (
    "sleep 1000 & child=$!; "
    "daemon=$(setsid sh -c 'sleep 1000 >/dev/null & echo $!'); "
    "echo $$ $child $daemon; wait"
)
#: The same, and nobody of them heeds SIGTERM.
STUBBORN = f"trap '' TERM; {FAMILY}"
#: Reads the table until it is told otherwise.
SETTLER = (
    "import sys, time; from pathlib import Path; from context_bus.watch import orphans; "
    "from context_bus.watch.database import Database; database = Database(Path(sys.argv[1])); "
    "print('ready', flush=True); orphans.settle(database, time.time(), is_patient=True)"
)


class Launched(NamedTuple):
    """A task that seems to run.

    Args:
        taskid: Its id.
        keepers: Its watcher and its front.
        family: All that it has started, the command first.
    """

    taskid: int
    keepers: list[subprocess.Popen[bytes]]
    family: list[Identity]

    def living(self) -> list[Identity]:
        """Who of the family runs."""
        return [one for one in self.family if tree.is_alive(one)]

    def kill_keepers(self) -> None:
        """Kill the whole launcher at once."""
        for keeper in self.keepers:
            keeper.kill()
            keeper.wait()


@contextlib.contextmanager
def launched(
    database: Database,
    command: str = FAMILY,
    *,
    name: str = "t",
    onorphan: str = "end",
    feedfile: Path | None = None,
    timeout: float = 0.0,
    keeper: str = "exec sleep 1000",
    has_pid: bool = True,
) -> Iterator[Launched]:
    """Have a task, with a stand-in for its launcher; all its processes are ended afterwards."""
    keepers = [_keeper(keeper) for _ in range(2)]
    process: subprocess.Popen[bytes] | None = None
    family: list[Identity] = []
    try:
        who = tuple(_identity(one.pid) for one in keepers)
        places = Places(str(feedfile) if feedfile else None)
        facts = Claim(
            argv=("sh", "-c", command),
            name=name,
            feedback=timeout > 0,
            timeout=timeout,
            boot=orphans.boot_id(),
            keepers=who,
            onorphan=onorphan,
            places=lambda _taskid: places,
        )
        taskid = reservation.claim(database, time.time(), None, facts)
        mark = {orphans.VARIABLE: f"{who[0].pid}.{who[0].ticks}.{taskid}"}
        process = subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, env=os.environ | mark)
        assert process.stdout is not None
        family += [_identity(int(pid)) for pid in process.stdout.readline().split()]
        if has_pid:
            running.set_pid(database, taskid, *family[0])
        yield Launched(taskid, keepers, family)
    finally:
        for one in family:
            tree.send_signal(one, signal.SIGKILL)
        for child in [*keepers, *([process] if process else [])]:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()


def _keeper(script: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["sh", "-c", f"echo; {script}"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _identity(pid: int) -> Identity:
    identity = tree.identify(pid)
    assert identity is not None
    return identity


def settler(path: Path) -> subprocess.Popen[bytes]:
    """A process that settles; returns when it is about to begin."""
    process = subprocess.Popen([sys.executable, "-c", SETTLER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process
