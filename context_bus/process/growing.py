"""Reads a small file that another program writes, appends to or writes anew. Must not know what is in it.

A path is read, not a file: another one may take its place. Nobody tells whether what is there now goes on
from what was there before, so that is judged by the bytes: those at the beginning, and those before where
the reader had come to.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import NamedTuple

#: Bytes at the beginning and at the end of what was read by which a file is known again.
WINDOW = 4096
#: Bytes that one look reads at most, so that whoever writes without end keeps nobody from other work.
LIMIT = 256 * 1024


class Look(NamedTuple):
    """What one look has found.

    Args:
        is_touched: The file was written, replaced or touched since the last look.
        is_anew: What was read before does not count any more.
        data: What follows it.
        has_more: There is more to read at once.
    """

    is_touched: bool = False
    is_anew: bool = False
    data: bytes = b""
    has_more: bool = False


class Growing:
    """One path, and how far it was read.

    An empty or missing file says nothing: it is about to be written anew, and what was read counts until
    then. What is no plain file is not opened for good, whoever put it there.

    Args:
        path: Absolute.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._signature: tuple[int, ...] = ()
        self._position = 0
        self._head = self._tail = b""

    def skip(self) -> None:
        """Take what is there now as read."""
        self._open(self._skip)

    def look(self) -> Look:
        """Read what has come."""
        return self._open(self._read)

    def _open(self, use: Callable[[int, os.stat_result], Look]) -> Look:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self._signature = ()
            return Look()
        try:
            found = os.fstat(fd)
            if stat.S_ISREG(found.st_mode) and found.st_size:
                return use(fd, found)
            is_touched, self._signature = _signature(found) != self._signature, _signature(found)
            return Look(is_touched)
        finally:
            os.close(fd)

    def _skip(self, fd: int, found: os.stat_result) -> Look:
        self._signature, self._position = _signature(found), found.st_size
        self._head = os.pread(fd, min(WINDOW, found.st_size), 0)
        self._tail = os.pread(fd, WINDOW, max(0, found.st_size - WINDOW))[: found.st_size]
        return Look()

    def _read(self, fd: int, found: os.stat_result) -> Look:
        signature = _signature(found)
        if signature == self._signature and self._position == found.st_size:
            return Look()
        is_touched, self._signature = signature != self._signature, signature
        is_anew = is_touched and self._position > 0 and not self._goes_on(fd, found.st_size)
        if is_anew:
            self._position, self._head, self._tail = 0, b"", b""
        data = os.pread(fd, LIMIT, self._position)
        self._position += len(data)
        self._head = (self._head + data[:WINDOW])[:WINDOW]
        self._tail = (self._tail + data[-WINDOW:])[-WINDOW:]
        return Look(is_touched, is_anew, data, self._position < found.st_size)

    def _goes_on(self, fd: int, size: int) -> bool:
        if size < self._position:
            return False
        before = self._position - len(self._tail)
        is_same_head = os.pread(fd, len(self._head), 0) == self._head
        return is_same_head and os.pread(fd, len(self._tail), before) == self._tail


def _signature(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
