"""The feedback file of one task: what it says, and whether it still changes.

Knows the file system and thresholds; must not know processes, databases or clocks: time comes in as ``now``.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import TypeAlias

from context_bus.errors import WatchError
from context_bus.kernel.closing import Closing
from context_bus.kernel.feedback import Feedback
from context_bus.process.changes import FileChanges
from context_bus.watch.liveness import fair_age, next_change, pause_for, status_of
from context_bus.watch.values import TaskStatus

#: Bytes at the beginning and at the end of what was read by which it is known again when it grew.
WINDOW = 64 * 1024
#: Bytes read at a time.
CHUNK = 256 * 1024

#: By which a file is known to be another, or to have changed: device, inode, size, times in nanoseconds. The
#: time of the inode is one of them since programs can set the other, to the same as before.
_Signature: TypeAlias = tuple[int, int, int, int, int]


class FeedbackReader:
    """What a feedback file says; each time only what is new is read.

    A file that was replaced, truncated or written anew is read from its start. It is known again by its first
    and last bytes before the place that was reached. These are all of them up to twice the window; a greater
    file that is changed in its middle only is not noticed.

    Args:
        path: Of the file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin()

    def read(self) -> dict[str, str]:
        """The pairs that the file comes to now; none if it is missing, or no file that can be read."""
        descriptor = _open(self._path)
        if descriptor < 0:
            self._begin()
            return {}
        try:
            if not self._is_continued(descriptor):
                self._begin()
            while data := os.pread(descriptor, CHUNK, self._place):
                self._go_on(data)
        except OSError:  # of a file system that went away; what was read before still holds
            pass
        finally:
            os.close(descriptor)
        return self._feedback.values

    def _begin(self) -> None:
        self._feedback = Feedback()
        self._place = 0
        self._head = self._tail = b""

    def _is_continued(self, descriptor: int) -> bool:
        """Whether what was read is still there, however much more is."""
        tail_place = self._place - len(self._tail)
        return (
            os.pread(descriptor, len(self._tail), tail_place) == self._tail
            and os.pread(descriptor, len(self._head), 0) == self._head
        )

    def _go_on(self, data: bytes) -> None:
        self._feedback.feed(data)
        self._place += len(data)
        if len(self._head) < WINDOW:
            self._head += data[: WINDOW - len(self._head)]
        self._tail = (self._tail + data)[-WINDOW:]


class FeedbackFile(Closing):
    """The feedback file of a task that runs, for a loop that waits for many things at once.

    The loop calls `react` when the descriptor is readable and at `next_deadline`. Only changes that were seen
    count, by the monotonic clock: whatever times a program gives its file, and however the clock on the wall
    is put, none is ended by it and none kept. A file that is there already at the start is no change, nor is
    that one goes. After a look that comes far too late the task is left a quarter of its timeout.

    Args:
        path: Of the file; neither it nor its directory need be there.
        timeout: Seconds without a change that the task may live; infinite if no feedback is expected.
        now: Start of the task, in seconds on the monotonic clock.
        wants_content: Somebody follows what the file says, so that changes are to be told soon.
    """

    _status: TaskStatus | None
    _change: float

    def __init__(self, path: Path, timeout: float, now: float, *, wants_content: bool = False) -> None:
        self._path = path
        self._timeout = timeout
        self._since = now
        self._reader = FeedbackReader(path)
        self._changes = FileChanges(pause_for(timeout, wants_content=wants_content))
        if wants_content or timeout < math.inf:
            self._changes.watch(str(path))
        self._seen = _signature(path)
        self._judge(now)

    @property
    def status(self) -> TaskStatus | None:
        """How the task stood at the last `react`; None: it is beyond its timeout, and to be ended."""
        return self._status

    def age(self, now: float) -> float:
        """Seconds without a change, or since the start."""
        return now - self._since

    def fileno(self) -> int:
        """For a poll; readable at most about once in a pause, however often the file is written."""
        return self._changes.fileno()

    def react(self, now: float) -> bool:
        """Look at what has happened.

        Args:
            now: Seconds on the monotonic clock.

        Returns:
            Whether the file may say something else now.
        """
        was_touched = self._changes.take(now)
        seen = _signature(self._path)
        has_changed = was_touched or seen != self._seen
        self._seen = seen
        if has_changed and seen is not None:
            self._since = now
        elif (fair := fair_age(self.age(now), self._timeout)) < self.age(now):
            self._since = now - fair
        self._judge(now)
        return has_changed

    def next_deadline(self, now: float) -> float:
        """When to `react` at the latest, on the monotonic clock; now if that is overdue.

        Returns:
            Infinite: when the descriptor says so.
        """
        return max(now, min(self._changes.next_time, self._change))

    def read(self) -> dict[str, str]:
        """The pairs that the file comes to now; reads what is new."""
        return self._reader.read()

    def close(self) -> None:
        """Release the descriptors; the file stays."""
        self._changes.close()

    def _judge(self, now: float) -> None:
        self._status = status_of(self.age(now), self._timeout)
        self._change = now + next_change(self.age(now), self._timeout)


def parse_file(path: Path) -> dict[str, str]:
    """The pairs that a feedback comes to, which may also be a pipe.

    Args:
        path: If nothing is there, there are no pairs.

    Raises:
        WatchError: It cannot be read.
    """
    feedback = Feedback()
    try:
        with open(path, "rb", buffering=0) as file:
            while data := file.read(CHUNK):
                feedback.feed(data)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise WatchError(f"cannot read {path}: {error.strerror}; give a readable feedback file") from error
    return feedback.values


def set_aside(path: Path) -> bool:
    """Move a file left from earlier to a name that ends with ``.old``: it is no feedback of the next task.

    Returns:
        Whether there was one.

    Raises:
        OSError: It stays where it is.
    """
    try:
        os.replace(path, f"{path}.old")
    except FileNotFoundError:
        return False
    return True


def _open(path: Path) -> int:
    """Open a regular file; -1 if it is none: opening a pipe would change what its writer sees."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return -1
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return -1


def _signature(path: Path) -> _Signature | None:
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
