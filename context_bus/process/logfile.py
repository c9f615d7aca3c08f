"""One file that takes what children write, and what is done when it does not. Must not know children.

Nothing here raises for want of space, of a directory or of a right: what cannot be written is counted and,
as soon as the file takes something again, one line in it says how much is missing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable

from context_bus.process.rotation import PAGE, cut_at, shift

#: Seconds for which a file is believed to be where it was, while it is written.
CHECK_EVERY = 1.0
#: Seconds between two attempts to write to a file that does not take anything, or to rotate it.
RETRY_EVERY = 0.5
#: Bytes moved from a pipe to a file in one turn.
MOST_SPLICED = 1024 * 1024

#: Called with the reason when a file begins to refuse what it is given, or refuses for another reason, and
#: with an empty one and the bytes lost when it takes it again.
Told = Callable[[str, int], None]


class LogFile:
    """A file that is rotated by size, found again when moved, and never a reason to stop.

    Args:
        path: The file.
        max_bytes: Size at which it is rotated; 0 never.
        backups: Rotated files that are kept.
        told: Learns of trouble and of its end.
    """

    def __init__(self, path: str, max_bytes: int, backups: int, told: Told) -> None:
        self.path = path
        self._max_bytes, self._backups, self._told = max_bytes, backups, told
        self._fd = -1
        self._identity = (0, 0)
        self._checked_at = -CHECK_EVERY
        self._is_regular = self._is_ours = self._is_appending = False
        self._can_splice = True
        self._no_rotation_before = 0.0
        self._reason = ""
        self._lost = 0
        #: When to try again, on the monotonic clock; None while there is no trouble.
        self.retry_at: float | None = None

    @property
    def reason(self) -> str:
        """What is wrong; empty while nothing is."""
        return self._reason

    @property
    def lost(self) -> int:
        """Bytes that were thrown away and of which nothing is said in the file yet."""
        return self._lost

    def can_splice(self) -> bool:
        """Whether the kernel can move data here from a pipe; only where nobody else of ours writes."""
        return self._can_splice and self._is_ours and self.retry_at is None

    def write(self, data: bytes, now: float) -> None:
        """Write data, or count it as lost."""
        if self.retry_at is not None and now < self.retry_at:
            self._lost += len(data)
            return
        written = 0
        try:
            size = self._prepare(now)
            self._set_appending(True)
            while written < len(data):
                end = self._end_of_part(data, written, size, now)
                if end == written:
                    self._rotate(now)
                    size = os.fstat(self._fd).st_size
                    continue
                count = os.write(self._fd, data[written:end])
                written += count
                size += count
        except OSError as error:
            self._lost += len(data) - written
            self._fail(error, now)

    def splice(self, pipe: int, now: float) -> int:
        """Move data from a pipe into the file without looking at it.

        Returns:
            Bytes moved; 0 at the end of the pipe, -1 when this file or this moment wants data copied.

        Raises:
            BlockingIOError: The pipe is empty.
        """
        if not self.can_splice():
            return -1
        try:
            size = self._prepare(now)
            room = self._max_bytes - PAGE - size if self._max_bytes and self._is_regular else MOST_SPLICED
            if room <= 0 or not self.can_splice():
                return -1
            self._set_appending(False)
            count = min(room, MOST_SPLICED)
            return os.splice(pipe, self._fd, count, offset_dst=size, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno == errno.EINVAL:  # this file system cannot
                self._can_splice = False
            else:
                self._fail(error, now)
            return -1

    def retry(self, now: float) -> None:
        """Try again to write, if there is trouble; also what opens the file before there is anything."""
        try:
            self._prepare(now)
        except OSError as error:
            self._fail(error, now)

    def reopen(self, now: float) -> None:
        """Look now whether the file was moved away, and open a new one if so."""
        self._checked_at = now - CHECK_EVERY
        self.retry(now)

    def close(self, now: float) -> None:
        """Close the file, after a last attempt to say in it what is missing."""
        if self.retry_at is not None:
            self.retry(now)
        self._close()

    # -- the file and its place ------------------------------------------------------------------

    def _prepare(self, now: float) -> int:
        """Have the right file open and everything said that is to be said; returns its size in bytes."""
        if self._fd < 0:
            self._open()
            self._checked_at = now
        elif self._is_regular and now - self._checked_at >= CHECK_EVERY:
            self._checked_at = now
            self._check()
        if self.retry_at is not None:
            self._recover()
        return os.fstat(self._fd).st_size if self._is_regular else 0

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        try:
            fd = os.open(self.path, flags, 0o644)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            fd = os.open(self.path, flags, 0o644)
        self._close()
        self._fd = fd
        found = os.fstat(fd)
        self._identity = (found.st_dev, found.st_ino)
        self._is_regular = stat.S_ISREG(found.st_mode)
        self._is_appending = True
        self._claim()

    def _claim(self) -> None:
        """Learn whether nobody else of ours writes to this file, such as what a replaced provider left."""
        self._is_ours = self._is_regular
        if self._is_regular:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._is_ours = False
            except OSError:  # a file system without locks
                return

    def _check(self) -> None:
        if not self._is_ours:
            self._claim()
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            pass
        except OSError:
            return
        else:
            if (found.st_dev, found.st_ino) == self._identity:
                return
        try:
            self._open()
        except OSError:
            # What was only renamed still takes bytes that somebody can read.
            if not os.fstat(self._fd).st_nlink:
                raise

    def _set_appending(self, wanted: bool) -> None:
        """Append, so that no writer of whatever origin is overwritten; but to splice, a file must not."""
        if wanted is not self._is_appending:
            flags = fcntl.fcntl(self._fd, fcntl.F_GETFL)
            fcntl.fcntl(self._fd, fcntl.F_SETFL, flags ^ os.O_APPEND)
            self._is_appending = wanted

    def _close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # some file systems tell here of what they did not keep
                os.close(self._fd)
            self._fd = -1

    # -- its size --------------------------------------------------------------------------------

    def _end_of_part(self, data: bytes, start: int, size: int, now: float) -> int:
        """Where in the data the file is complete, at the latest at the end of the data."""
        room = self._max_bytes - size
        if not self._max_bytes or len(data) - start <= room:
            return len(data)
        if not self._is_ours or now < self._no_rotation_before:
            return len(data)
        # An empty file takes something, however short its limit.
        can_be_complete = size > 0 and self._ends_with_line(size)
        return start + cut_at(data[start : start + max(0, room) + PAGE], room, can_be_complete)

    def _ends_with_line(self, size: int) -> bool:
        return not size or os.pread(self._fd, 1, size - 1) == b"\n"

    def _rotate(self, now: float) -> None:
        """Begin a new file; if that does not go well, the old one goes on for a while."""
        old = self._identity
        try:
            self._check()
            if self._identity == old:
                dropped = shift(self.path, self._backups)
                if dropped >= 0:
                    # Beside the loop: no neighbour is to wait while a file system frees a large file.
                    threading.Thread(target=os.close, args=(dropped,), name="dropped log").start()
                self._open()
        except OSError as error:
            self._no_rotation_before = now + RETRY_EVERY
            self._checked_at = now - CHECK_EVERY
            self._told_once(f"cannot be rotated: {error.strerror}")
            return
        self._checked_at = now
        if self._reason:
            self._reason = ""
            self._told("", 0)

    # -- trouble ---------------------------------------------------------------------------------

    def _fail(self, error: OSError, now: float) -> None:
        self.retry_at = now + RETRY_EVERY
        self._checked_at = now - CHECK_EVERY
        self._told_once(error.strerror or str(error))

    def _told_once(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            self._told(reason, 0)

    def _recover(self) -> None:
        """Say in the file what is missing; raises what raised before if it still takes nothing."""
        size = os.fstat(self._fd).st_size
        self._set_appending(True)
        note = b"... %d bytes lost: %s\n" % (self._lost, self._reason.encode())
        if self._is_regular and not self._ends_with_line(size):
            note = b"\n" + note
        if self._lost and os.write(self._fd, note) < len(note):
            if self._is_ours:
                os.ftruncate(self._fd, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        lost, self._lost, self._reason, self.retry_at = self._lost, 0, "", None
        self._told("", lost)
