"""Launch one command many times: a front for each, and one process that waits for all. Knows fronts."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from context_bus.errors import ContextBusError
from context_bus.process.lifetime import die_with_parent
from context_bus.process.signalfile import SI_KERNEL
from context_bus.watch.front import Front, leave
from context_bus.watch.order import Order
from context_bus.watch.relay import ENDING, PASSED

#: Environment variable for each command: which instance it is, counted from 0.
INSTANCE = "CONTEXT_BUS_TASK_INSTANCE"


def launch_many(
    database_path: Path,
    order: Order,
    say: Callable[[str], None],
    *,
    is_detached: bool = False,
    ready: int = -1,
) -> int:
    """Launch all instances of an order, each with a front of its own; returns when all have ended.

    Args:
        database_path: Where tasks are.
        order: What to launch, checked.
        say: Told why a command was ended or never ran, and what went wrong.
        is_detached: Whether the terminal was left.
        ready: Descriptor on which watchers say that their commands run; -1 none.

    Returns:
        The first exit code that is not 0, in the order of the instances.
    """
    waited = {number for number in ENDING | PASSED if signal.getsignal(number) != signal.SIG_IGN}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*waited, signal.SIGCHLD})
    sys.stdout.flush()
    sys.stderr.flush()
    parent, fronts = os.getpid(), []
    for number in range(order.instances):
        pid = os.fork()
        if pid == 0:
            one = order._replace(instances=1, env={**order.env, INSTANCE: str(number)})
            front = Front(database_path, one, say, is_detached=is_detached, ready=ready)
            _be_front(front, parent if order.on_orphan == "end" else 0, mask, say)
        fronts.append(pid)
    if ready >= 0:
        os.close(ready)
    try:
        codes = _wait(fronts, {*waited, signal.SIGCHLD})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return next((code for code in codes if code), 0)


def _wait(fronts: list[int], waited: set[signal.Signals]) -> list[int]:
    codes: dict[int, int] = {}
    while True:
        for pid in fronts:
            if pid not in codes and (end := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)) is not None:
                codes[pid] = end.si_status if end.si_code == os.CLD_EXITED else 128 + end.si_status
        if len(codes) == len(fronts):
            return [codes[pid] for pid in fronts]
        caught = signal.sigwaitinfo(waited)
        # Ctrl-C has reached every front already, since all are of one group in the terminal.
        if caught.si_signo != signal.SIGCHLD and caught.si_code != SI_KERNEL:
            for pid in fronts:
                if pid not in codes:
                    os.kill(pid, caught.si_signo)


def _be_front(
    front: Front, parent: int, mask: Iterable[int], say: Callable[[str], None]
) -> NoReturn:
    code = 1
    try:
        if parent:  # without the one that waits for all, each ends as if it had been told to
            die_with_parent(parent, signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = front.run()
    except ContextBusError as error:
        say(str(error))
        code = error.exit_code
    finally:
        leave(code)
