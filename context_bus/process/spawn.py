"""Start a Python function in a process of its own. Knows multiprocessing; must not know services.

The processes are forked from one forkserver that has imported what all of them need. Each leads its
own session, dies with the forkserver, and has a channel to tell its outcome on.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.forkserver
import multiprocessing.process
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from context_bus.errors import ProcessError
from context_bus.process import guardian, lifetime
from context_bus.process.child import MARK, Child, mark_of
from context_bus.process.tree import Identity, identify

#: What runs in the child: the channel, then the arguments; returns the exit code.
Target = Callable[..., int]

#: What every child needs of multiprocessing and of us; the last freezes what was imported, and guards.
_PRELOAD = ("multiprocessing.popen_forkserver", "context_bus.process.spawn", "context_bus.process.guarded")
_multiprocessing = multiprocessing.get_context("forkserver")
#: One spawn at a time: the main module is out of sight meanwhile.
_lock = threading.Lock()


def warm_up(preload: Sequence[str] = ()) -> None:
    """Start the forkserver, if it is not running, without waiting for its imports.

    Args:
        preload: Modules that all children need; they are imported once, in the forkserver. They count
            for the first call in the life of a forkserver.
    """
    with _lock, _without_main():
        multiprocessing.forkserver.set_forkserver_preload([*preload, *_PRELOAD])
        multiprocessing.forkserver.ensure_running()


def spawn(name: str, target: Target, *args: object) -> Child:
    """Start a child; returns as soon as it has a pid.

    Args:
        name: For messages and logs.
        target: A function of a module (not of the main program): called in the child with its end of
            the channel and the arguments; its result is the exit code.
        *args: What the function takes; must pickle.

    Raises:
        ProcessError: There is no forkserver, or no process can be made.
    """
    ours, theirs = _multiprocessing.Pipe()
    try:
        with _lock, _without_main():
            process = _start(name, (target, theirs, args))
    except BaseException as error:
        ours.close()
        if not isinstance(error, OSError | EOFError):
            raise  # a target or an argument that does not pickle, or Ctrl-C
        raise ProcessError(
            f"cannot start a process for {name}: {str(error) or 'the forkserver ended meanwhile'}; "
            "see `ulimit -u` and `ulimit -n`"
        ) from error
    finally:
        theirs.close()
    assert process.pid is not None
    # A child that has ended already left nothing to read: then no later process can be meant either.
    identity = identify(process.pid) or Identity(process.pid, 0)
    return Child(name, process, ours, identity)


def _start(name: str, args: tuple[object, ...]) -> ForkServerProcess:
    """Start a process; if the forkserver dies just now, with the next one."""
    try:
        process = _multiprocessing.Process(target=_enter, args=args, name=name)
        process.start()
    except (ConnectionError, EOFError):
        # It has closed its socket but is not dead yet, so multiprocessing still takes it for alive.
        server: Any = multiprocessing.forkserver._forkserver
        os.waitid(os.P_PID, server._forkserver_pid, os.WEXITED | os.WNOWAIT)
        process = _multiprocessing.Process(target=_enter, args=args, name=name)
        process.start()
    # Multiprocessing asks every child it remembers whether it lives, at every start of another one, and
    # waits for each when the owner exits. Who has a Child knows better.
    multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]
    return process


def shut_down() -> None:
    """End the forkserver and with it whatever it still guards; returns when all is gone."""
    with _lock:
        server: Any = multiprocessing.forkserver._forkserver
        # No public call ends a forkserver before its owner ends; CPython's own tests use this one. (The
        # resource tracker that came along ends by itself right after us; to wait for it here would be to
        # wait for every other child that shares it.)
        server._stop()


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main module, which multiprocessing would have every child import again.

    No target lives there, and importing the main program of a provider a second time in each of two
    hundred services would cost more than all the rest of their start.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _enter(target: Target, channel: Connection, args: tuple[object, ...]) -> None:
    """Run the target in the child, and leave without waiting for threads that it forgot."""
    if guardian.PID:
        lifetime.die_with_parent(guardian.PID)
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _let_go_of_forkserver()
    pid = os.getpid()
    os.environ[MARK] = mark_of(identify(pid) or Identity(pid, 0))
    code = 1
    try:
        code = target(channel, *args)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:  # noqa: BLE001  # border of the process: shown, then told by the exit code
        sys.excepthook(*sys.exc_info())
    finally:
        _leave(code)


def _let_go_of_forkserver() -> None:
    """Close the child's copy of the pipe that keeps the forkserver alive.

    With it the forkserver would outlive its owner as long as any child lives; without it the end of
    the owner is the end of all. A child that starts processes in this way gets a forkserver of its own.
    """
    server: Any = multiprocessing.forkserver._forkserver
    os.close(server._forkserver_alive_fd)
    server._forkserver_alive_fd = None
    server._forkserver_address = None
    server._inherited_fds = None


def _leave(code: int) -> None:
    """End this process at once: multiprocessing would join every thread that still runs."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    os._exit(code)
