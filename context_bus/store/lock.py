"""One provider for each context file. Knows the kernel's file locks; must not know what they protect.

The lock is held by an open file, so it ends with its holder, whatever ends that. Nothing is ever deleted,
and a lock file that somebody left behind means nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import weakref
from pathlib import Path

from context_bus.errors import StoreLocked, StoreUnavailable
from context_bus.store.place import Place

#: Seconds that a holder which is no more may keep the lock: the kernel ends a killed process step by step,
#: and a child may hold a copy between its fork and its exec.
PATIENCE = 1.0
#: Seconds between two attempts within that time.
_PAUSE = 0.01
#: Locks of this process; a child of a plain fork lets go of its copies, or it would hold them on.
_held: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """The right to provide a context, from `take` until `release` or the end of the process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        _held.add(self)

    def release(self) -> None:
        """Let another process have it; may be called again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def take(place: Place, ticks: int = 0) -> Lock:
    """Take the lock of a place that has been prepared.

    Args:
        place: Whose lock.
        ticks: Start time of this process in clock ticks since boot, as /proc has it; 0 to read it.

    Raises:
        StoreLocked: Another process has it; says which.
        StoreUnavailable: There can be no such file.
    """
    fd = _open(place)
    try:
        _acquire(place, fd)
        _sign(fd, ticks or _start_of(os.getpid()))
    except BaseException:
        os.close(fd)
        raise
    return Lock(fd)


def _open(place: Place) -> int:
    try:
        return os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"{place.file}: cannot lock {place.lock}: {error.strerror}; "
            "keep the state elsewhere with --state DIR"
        ) from error


def _acquire(place: Place, fd: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pid, ticks, since = _holder(place.lock)
            if (pid and _start_of(pid) == ticks) or time.monotonic() >= deadline:
                raise StoreLocked(place.file, pid, _clock(since)) from None
        except OSError as error:
            raise StoreUnavailable(
                f"{place.file}: {place.lock} is on a file system without locks ({error.strerror}); "
                "keep the state elsewhere with --state DIR"
            ) from error
        time.sleep(_PAUSE)


def _sign(fd: int, ticks: int) -> None:
    """Say who holds it. A full disk leaves the lock anonymous, but a lock all the same."""
    with contextlib.suppress(OSError):
        os.pwrite(fd, f"{os.getpid()} {ticks} {time.time():.3f}\n".ljust(63).encode(), 0)


def _holder(path: Path) -> tuple[int, int, float]:
    """Pid, start and time of who holds a lock; zeros if it did not say."""
    try:
        pid, ticks, since = path.read_text().split()
        return int(pid), int(ticks), float(since)
    except (OSError, ValueError):
        return 0, 0, 0.0


def _start_of(pid: int) -> int:
    """Start time of a process in ticks since boot; -1 when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return -1
    # The name in brackets may hold anything, so the fields are counted from the last bracket.
    words = stat[stat.rindex(b")") + 2 :].split()
    return int(words[19]) if words[0] not in {b"Z", b"X"} else -1


def _clock(since: float) -> str:
    if not since:
        return ""
    then, now = time.localtime(since), time.localtime()
    return time.strftime("%H:%M:%S" if then[:3] == now[:3] else "%Y-%m-%d %H:%M:%S", then)


def _let_go_after_fork() -> None:
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_let_go_after_fork)
