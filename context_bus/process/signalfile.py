"""Signals as something to read, for a loop that polls. Knows Linux' signalfd; must not know who waits.

Whoever polls it blocks the signals it is for: nothing is interrupted, and none is lost between two looks.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from context_bus.errors import ProcessError
from context_bus.kernel.closing import Closing

#: Bytes of one signal that is read, of the set of signals of the C library, and what is looked at.
_RECORD, _SET, _HEAD = 128, 128, struct.Struct("=IiiI")
#: Signals taken in one turn.
_MOST = 32
#: Bits of signalfd(2): not for who is executed, and never waiting.
_CLOEXEC, _NONBLOCK = 0o2000000, 0o4000
#: ``si_code`` of a signal from the kernel itself, such as that of a key pressed in a terminal.
SI_KERNEL = 0x80


class Caught(NamedTuple):
    """One signal.

    Args:
        number: Which.
        code: Where it comes from, as ``si_code`` of sigaction(2).
        pid: Who sent it; 0 if no process did.
    """

    number: int
    code: int
    pid: int


class SignalFile(Closing):
    """Tells of signals that are blocked.

    Args:
        numbers: Which.

    Raises:
        ProcessError: There is no descriptor left.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        mask = sum(1 << (number - 1) for number in numbers).to_bytes(_SET, "little")
        self._fd: int = ctypes.CDLL(None, use_errno=True).signalfd(-1, mask, _CLOEXEC | _NONBLOCK)
        if self._fd < 0:
            raise ProcessError(f"signals cannot be waited for: {os.strerror(ctypes.get_errno())}")

    def fileno(self) -> int:
        """For a poll."""
        return self._fd

    def take(self) -> list[Caught]:
        """Take what has come, without waiting; of the same signal only one, as everywhere."""
        try:
            data = os.read(self._fd, _RECORD * _MOST)
        except BlockingIOError:
            return []
        caught = []
        for start in range(0, len(data), _RECORD):
            number, _, code, pid = _HEAD.unpack_from(data, start)
            caught.append(Caught(number, code, pid))
        return caught

    def close(self) -> None:
        """Release the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
