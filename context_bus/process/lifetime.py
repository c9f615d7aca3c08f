"""How long a process may live: no longer than its parent. Knows Linux' prctl; nothing of services."""

from __future__ import annotations

import ctypes
import os
import signal

from context_bus.errors import ProcessError

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Let the kernel end this process when its parent ends, however that comes.

    Args:
        parent: Pid of the parent; if it has ended before the kernel was told, this process ends at once.
        number: The signal to end it with.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, instead of process 1."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise ProcessError(f"prctl({option}) failed: {os.strerror(number)}")
