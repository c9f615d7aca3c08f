"""Processes as the kernel sees them: who carries a mark, and waiting for their end without polling.

Knows /proc and pidfds only. A mark is an environment variable of the provider; whatever comes from it
inherits the mark, whatever session or parent it moves to, so nothing can hide.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable
from pathlib import Path

#: Environment variable that marks a provider and all it starts.
MARK = "BLACKBOX_MARK"


def marked(mark: str) -> dict[int, str]:
    """Pids with their command lines of all living processes (zombies are dead) that carry the mark."""
    found = {}
    needle = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if needle in (entry / "environ").read_bytes().split(b"\0") and state(int(entry.name)) != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            continue
    return found


def state(pid: int) -> str:
    """State letter of a process as in ``ps``; empty if there is none."""
    return next(iter(_stat(pid)), "")


def parent(pid: int) -> int:
    """Pid of the parent; 0 if there is no such process."""
    return int((_stat(pid) or ["", "0"])[1])


def zombies_of(pid: int) -> list[int]:
    """Children of a process that it has not reaped."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [child for child in pids if parent(child) == pid and state(child) == "Z"]


def rss(pid: int) -> int:
    """Resident memory in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def wait_gone(pids: Iterable[int], timeout: float) -> list[int]:
    """Wait until all have ended; returns those that have not, in time."""
    deadline = time.monotonic() + timeout
    left = []
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            watch = select.poll()
            watch.register(fd, select.POLLIN)
            if not watch.poll(max(0.0, deadline - time.monotonic()) * 1000):
                left.append(pid)
        finally:
            os.close(fd)
    return left


def wait_none_marked(mark: str, timeout: float) -> dict[int, str]:
    """Wait until no process carries the mark, those born meanwhile included; returns what is left."""
    deadline = time.monotonic() + timeout
    while (left := marked(mark)) and time.monotonic() < deadline:
        wait_gone(left, deadline - time.monotonic())
    return left


def _stat(pid: int) -> list[str]:
    """Fields of /proc/pid/stat after the name, which may itself hold blanks and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
