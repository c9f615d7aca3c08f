"""Launch a command as a watched task, and be what its caller waits for. Knows keepers; not how people look.

Two processes keep a task: the front, which the caller has started and whose exit code he gets, and its child,
the watcher. Each goes on when the other is killed. See `Keeper` for what becomes of a task.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from context_bus.errors import ContextBusError, WatchError
from context_bus.process import tree
from context_bus.process.lifetime import adopt_orphans
from context_bus.watch import outcome, running, talk
from context_bus.watch.database import Database
from context_bus.watch.keeping import Keeper
from context_bus.watch.order import Order, check
from context_bus.watch.orphans import VARIABLE
from context_bus.watch.outputs import Outputs
from context_bus.watch.relay import ENDING, PASSED, STOPPING, Relay
from context_bus.watch.start import Launcher, mark_of

if TYPE_CHECKING:
    from pathlib import Path

    from context_bus.process.tree import Identity
    from context_bus.watch.values import Task

#: Exit code of a watcher with a bug in it; the front then does what it does when it was killed.
_BUG = 70
#: Facts that end the wait of who has detached a task: it runs, it cannot, or it may not.
_NEWS = ("pid", "code", "raised")


def launch(database_path: Path, order: Order, *, say: Callable[[str], None] | None = None) -> int:
    """Run a command as a watched task; returns when it has ended, and all that it started.

    For a process of its own: it becomes the parent of orphans, and signals to it are for the command.

    Args:
        database_path: Where tasks are; the file must be there.
        order: What to launch.
        say: Told, in one line, why a command was ended or never ran; default is standard error.

    Returns:
        The exit code of the command; 128 + N if signal N ended it; 124 after a timeout, 126 if it cannot be
        executed, 127 if it is not there.

    Raises:
        WatchError: It may not start; nothing has been started.
        StoreError: The database cannot be written.
    """
    order = check(order)
    if order.instances > 1:
        from context_bus.watch.instances import launch_many

        return launch_many(database_path, order, say or _complain)
    return Front(database_path, order, say or _complain).run()


def detach(database_path: Path, order: Order) -> int:
    """Launch a command that goes on by itself, in a session of its own; returns the task's id.

    See `detaching.detach`.
    """
    from context_bus.watch.detaching import detach as detach_all

    return detach_all(database_path, order)[0]


def _complain(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # of a terminal that is gone
        print(f"context-bus: {text}", file=sys.stderr, flush=True)


def leave(code: int) -> NoReturn:
    """End this process: no more than what is printed is finished, whatever becomes of that."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # An interpreter that ends in order would close the database, write its log into it and wait for the disk.
    os._exit(code)


class Front:
    """The process that was started, until the command has ended.

    Args:
        database_path: Where tasks are.
        order: What to launch, checked.
        say: Told why a command was ended or never ran.
        is_detached: Whether it has left its terminal.
        ready: Descriptor on which the watcher says that the command runs, or why not; -1 none.
    """

    def __init__(
        self,
        database_path: Path,
        order: Order,
        say: Callable[[str], None],
        *,
        is_detached: bool = False,
        ready: int = -1,
    ) -> None:
        self._order, self._say, self._ready = order, say, ready
        self._database = Database(database_path)
        self._is_detached = is_detached
        self._began = time.monotonic()

    def run(self) -> int:
        """Launch, and wait; returns the exit code.

        Raises:
            ContextBusError: The task may not start, or its end cannot be written down.
        """
        for place in range(3):
            _ensure_open(place)
        known = ENDING | PASSED | STOPPING
        waited = {number for number in known if signal.getsignal(number) != signal.SIG_IGN}
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        waited.add(signal.SIGCHLD)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
        try:
            adopt_orphans()
            return self._run(waited, frozenset(map(int, mask)))
        finally:
            while signal.sigtimedwait(waited, 0):  # what came too late is for nobody
                pass
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _run(self, waited: set[signal.Signals], mask: frozenset[int]) -> int:
        order = self._order
        me = tree.identify(os.getpid())
        assert me is not None
        has_output = bool(order.output or self._is_detached)
        has_error = bool(order.error if order.output else order.error or self._is_detached)
        outputs = Outputs(has_output, has_error, order.max_bytes, order.backups)
        launcher = Launcher(self._database, order, outputs, me, mask, self._is_detached)
        ours, theirs = talk.pair()
        sys.stdout.flush()
        sys.stderr.flush()
        gc.freeze()  # else the first collection in either would copy all that they share
        pid = os.fork()
        if pid == 0:
            ours.close()
            _be_watcher(launcher, theirs, self._ready)
        theirs.close()
        outputs.part()
        if self._ready >= 0:
            os.close(self._ready)
        watcher = tree.identify(pid)
        assert watcher is not None, "a child that nobody has reaped is in the table"
        try:
            return self._wait(launcher, ours, watcher, waited)
        finally:
            ours.close()

    def _wait(
        self, launcher: Launcher, line: talk.Line, watcher: Identity, waited: set[signal.Signals]
    ) -> int:
        relay = Relay()
        while True:
            end = os.waitid(os.P_PID, watcher.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if end is not None:
                break
            caught = signal.sigwaitinfo(waited)
            number = relay.meaning(caught.si_signo, caught.si_code)
            if number not in (0, signal.SIGCHLD):
                line.pass_on(number)
            if number in STOPPING:
                self._stop(number, line)
        os.waitid(os.P_PID, watcher.pid, os.WEXITED)
        facts = line.take_facts()
        if (text := facts.get("why")) is not None:
            self._say(str(text))
        if (fact := facts.get("raised")) is not None:
            return self._excuse(talk.unpacked(fact), facts.get("code"))
        if end.si_code == os.CLD_EXITED and facts.get("done"):
            return end.si_status
        return self._take_over(launcher, watcher, facts)

    @staticmethod
    def _stop(number: int, line: talk.Line) -> None:
        """Be stopped like anybody, so that the shell goes on; returns when that lets us go on, too.

        The watcher is not stopped, but time does not count: the command may be stopped without its being
        seen, such as a shell that waits for a child to be executed.
        """
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})
        line.pass_on(signal.SIGCONT)

    def _excuse(self, error: ContextBusError, code: object) -> int:
        """What a watcher could not do; the code of a command that has failed is worth more than that."""
        if not isinstance(code, int) or code == 0:
            raise error
        self._say(str(error))
        return code

    # -- without its watcher ---------------------------------------------------------------------

    def _take_over(self, launcher: Launcher, watcher: Identity, facts: dict[str, object]) -> int:
        """Do what a watcher would that was killed."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        task = next((one for one in running.tasks(self._database) if watcher in one.keepers), None)
        if task is None:
            if isinstance(code := facts.get("code"), int):
                return code  # it had written all down
            raise WatchError("the launcher's watcher was killed before the command was started")
        keeper = Keeper(launcher, self._hear)
        return keeper.take_over(task, _command_of(task, watcher), outcome.LAUNCHER_KILLED)

    def _hear(self, *, why: str = "", **_facts: object) -> None:
        """Hear oneself, as a keeper."""
        if why:
            self._say(why)


def _command_of(task: Task, watcher: Identity) -> Identity | None:
    """The command of a task whose watcher was killed: by its row, else the first of what has come to us.

    Between the birth of a command and the row that tells of it are some milliseconds.
    """
    if task.pid is not None and task.ticks is not None:
        return tree.Identity(task.pid, task.ticks)
    mark = f"{VARIABLE}={mark_of(watcher, task.id)}".encode()
    rows = [row for pid in tree.children(os.getpid()) or () if (row := tree.read_row(pid)) is not None]
    marked = [
        row for row in rows if tree.is_gone(row) or mark in tree.environment_of(row.pid).split(b"\0")
    ]
    first = min(marked or rows, key=lambda row: (row.ticks, row.pid), default=None)
    return None if first is None else first.identity


def _be_watcher(launcher: Launcher, line: talk.Line, ready: int) -> NoReturn:
    """Be the other process; never returns, whatever happens."""
    code, heralds = _BUG, [line.say] + [ready] * (ready >= 0)

    def tell(**facts: object) -> None:
        for herald in heralds:
            talk.write_facts(herald, facts)
        if ready in heralds and not facts.keys().isdisjoint(_NEWS):
            heralds.remove(ready)
            os.close(ready)

    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        adopt_orphans()
        code = Keeper(launcher, tell, line).launch()
    except ContextBusError as error:
        code = error.exit_code
        tell(raised=talk.packed(error))
    except BaseException as error:  # noqa: BLE001  # border of the process
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        leave(code)


def _ensure_open(place: int) -> None:
    """Have something at a standard stream, so that no pipe of ours gets its number."""
    try:
        os.fstat(place)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != place:
            os.dup2(null, place)
            os.close(null)
        else:
            os.set_inheritable(place, True)
