"""Tell when somebody set the wall clock, for schedules that follow it. Knows Linux' timerfd and asyncio.

A timer for three o'clock sleeps a number of seconds; after the clock was set, or the machine has slept, that
number is wrong and nothing else tells so.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import os
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

#: Flags of timerfd_create and timerfd_settime, from sys/timerfd.h.
_NONBLOCK, _CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_ABSTIME, _CANCEL_ON_SET = 1, 2
#: Seconds since the epoch at which the timer would go off by itself: in the year 2242, the last but
#: few that the kernel can count to in nanoseconds.
_NEVER = 2**33


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class ClockWatch:
    """Calls when the wall clock was set.

    Args:
        changed: Called in the loop, once for any number of changes at the same time.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._fd: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_watching(self) -> bool:
        """Whether changes are told; not so on a system that cannot."""
        return self._fd is not None

    def start(self) -> None:
        """Watch from now on, in the running loop; where the system cannot tell, the log says so."""
        if self._fd is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            self._fd = _open_timer()
        except (OSError, AttributeError) as error:
            _log.warning("changes of the wall clock are not noticed: reason=%s", error)
            return
        self._loop = loop
        loop.add_reader(self._fd, self._look)

    def stop(self) -> None:
        """Watch no more."""
        fd, self._fd = self._fd, None
        if fd is not None:
            assert self._loop is not None
            self._loop.remove_reader(fd)
            os.close(fd)

    def _look(self) -> None:
        assert self._fd is not None
        if not _was_set(self._fd):
            return
        # Armed before anybody is called: who looks at the clock now has seen all changes up to here.
        _arm(_libc(), self._fd)
        _log.info("wall clock was set: now=%s", time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        self._changed()


def _was_set(fd: int) -> bool:
    """Whether the timer, which is cancelled when the clock is set, was."""
    try:
        os.read(fd, 8)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno != errno.ECANCELED:
            raise
        return True
    return False


def _open_timer() -> int:
    libc = _libc()
    fd = int(libc.timerfd_create(time.CLOCK_REALTIME, _NONBLOCK | _CLOEXEC))
    if fd < 0:
        raise _failure()
    try:
        _arm(libc, fd)
    except OSError:
        os.close(fd)
        raise
    return fd


def _arm(libc: ctypes.CDLL, fd: int) -> None:
    spec = _Itimerspec(_Timespec(0, 0), _Timespec(_NEVER, 0))
    if libc.timerfd_settime(fd, _ABSTIME | _CANCEL_ON_SET, ctypes.byref(spec), None) != 0:
        raise _failure()


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
