"""The figures of one process or thread, as the kernel has them. Knows /proc; must not know services.

Nothing is kept open: a look at a process costs 10 us with its files opened anew, so nothing can leak, and
the files of a process that ended cannot be taken for those of its successor.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

#: Clock ticks a second, the unit of CPU and start times in /proc.
TICKS: int = os.sysconf("SC_CLK_TCK")
#: Bytes of a page, the unit of memory in /proc.
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Bytes of the machine's memory.
_MEMORY = _PAGE * os.sysconf("SC_PHYS_PAGES")
#: Bytes of the unit in which memory is said on the wire.
_MIB = 1 << 20
#: Fields of /proc/PID/stat behind the name, counted from 0.
_STATE, _PARENT, _USER, _SYSTEM, _THREADS, _START, _LAST = 0, 1, 11, 12, 17, 19, 20
#: Words for the states of the kernel, as psutil has them.
_WORDS = {
    "R": "running",
    "S": "sleeping",
    "D": "disk-sleep",
    "T": "stopped",
    "t": "tracing-stop",
    "Z": "zombie",
    "X": "dead",
    "x": "dead",
    "K": "wake-kill",
    "W": "waking",
    "I": "idle",
    "P": "parked",
}


class Figures(NamedTuple):
    """One process or thread.

    Args:
        name: What it calls itself, at most 15 characters.
        status: In words.
        parent: Process id of its parent.
        ticks: Start time in clock ticks since boot.
        cpu: CPU time so far, user and system, in clock ticks.
        threads: Threads of its process.
        at: When it was read, in seconds since boot.
    """

    name: str
    status: str
    parent: int
    ticks: int
    cpu: int
    threads: int
    at: float


class Memory(NamedTuple):
    """Memory of a process: resident and address space in MiB, and the resident share of all in percent."""

    rss: float = 0.0
    vms: float = 0.0
    percent: float = 0.0


def now() -> float:
    """Seconds since boot, sleep of the machine included: the clock by which processes have begun."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_time() -> float:
    """When the machine was booted, in seconds since the epoch; another when somebody sets the clock."""
    return time.time() - now()


def read(directory: str) -> Figures:
    """Read one process or thread.

    Args:
        directory: ``/proc/PID``, or ``/proc/PID/task/TID``.

    Raises:
        FileNotFoundError: There is none (any more), or it is hidden from us.
        ProcessLookupError: It ended just now.
        PermissionError: It may not be looked at.
    """
    text = _read(f"{directory}/stat")
    at = now()
    # The name in brackets may hold anything, brackets too: what counts begins after the last one.
    end = text.rindex(b")")
    words = text[end + 2 :].split(None, _LAST)
    state = chr(words[_STATE][0])
    return Figures(
        text[text.index(b"(") + 1 : end].decode(errors="replace"),
        _WORDS.get(state, state),
        int(words[_PARENT]),
        int(words[_START]),
        int(words[_USER]) + int(words[_SYSTEM]),
        int(words[_THREADS]),
        at,
    )


def memory(pid: int) -> Memory:
    """Read the memory of a process; raises as `read`.

    Not from ``stat``: there the kernel counts for each processor apart, and is off by up to a few MiB.
    """
    size, resident = _read(f"/proc/{pid}/statm").split(None, 2)[:2]
    rss = int(resident) * _PAGE
    return Memory(rss / _MIB, int(size) * _PAGE / _MIB, 100.0 * rss / _MEMORY)


def descriptors(pid: int) -> int:
    """Count the open descriptors of a process; raises as `read`."""
    directory = f"/proc/{pid}/fd"
    # The kernel says it as the size of the directory since 6.2; older ones, and processes without any, say 0.
    return os.stat(directory).st_size or len(os.listdir(directory))


def _read(path: str) -> bytes:
    """A small file of the kernel; a file object would cost three times as much, by the thousand."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
