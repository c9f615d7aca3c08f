"""What makes the forkserver a guardian: its descendants never outlive it, nor it the process that owns it.

A guarding forkserver leaves the terminal's process group, adopts orphans of its children, and when its
owner is gone (its pipe closes, whatever ended it) it kills all that descends from it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import warnings

from context_bus.process import tree
from context_bus.process.lifetime import adopt_orphans

#: Pid of the guardian; a child reads from its copy whose child it is. 0 in any other process.
PID = 0
#: Seconds after which the table is read again for descendants that were born while others died.
_LOOK_AGAIN = 0.2
#: How often to look again before giving up on processes that even SIGKILL does not end.
_LOOKS = 25


def guard() -> None:
    """Turn this process into a guardian."""
    global PID
    PID = os.getpid()
    with contextlib.suppress(PermissionError):  # already the leader of a session
        os.setsid()
    # The forkserver ignores SIGINT itself; set before it looks, its children never see another handler.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    # For each adopted process that it reaps the forkserver would print a warning.
    warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")
    atexit.register(_end_descendants, PID)
    # What is loaded by now stays for ever: the collector need not touch, and thereby copy, its pages in
    # every child.
    gc.collect()
    gc.freeze()


def _end_descendants(guardian: int) -> None:
    """Kill and reap all descendants; runs when the forkserver ends, not in its children."""
    if os.getpid() != guardian:
        return
    signal.signal(signal.SIGALRM, _interrupt)
    for _ in range(_LOOKS):
        living = [row for row in tree.descendants([guardian], tree.read_table()) if not tree.is_gone(row)]
        for row in living:
            tree.send_signal(row.identity, signal.SIGKILL)
        signal.setitimer(signal.ITIMER_REAL, _LOOK_AGAIN)
        try:
            while True:
                os.waitpid(-1, 0)
        except ChildProcessError:
            return
        except InterruptedError:
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(*_: object) -> None:
    raise InterruptedError
