"""Where a command's output goes: to files of its own, or through pipes into files that are rotated.

Knows files and pipes; must not know commands. Pipes are made before front and watcher part, so that each can
go on reading when the other was killed, and the command never writes into a pipe that nobody reads.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, NamedTuple

from context_bus.errors import WatchError

if TYPE_CHECKING:
    from context_bus.process.logfile import LogFile

#: Bytes taken out of a pipe in one turn.
_TURN = 256 * 1024


class _Pipe(NamedTuple):
    """The two ends of a pipe between the command and who watches it."""

    read: int
    write: int


class Outputs:
    """Where standard output and standard error of one command go.

    Args:
        has_output: There is a file for output, and for errors that have no file of their own.
        has_error: There is a file for errors alone.
        max_bytes: Size at which files are rotated; 0: the command gets the files themselves.
        backups: Rotated files to keep.
    """

    def __init__(self, has_output: bool, has_error: bool, max_bytes: int, backups: int) -> None:
        self._limits = max_bytes, backups
        names = [name for name, has in (("stdout", has_output), ("stderr", has_error)) if has]
        self._pipes = {name: _Pipe(*os.pipe()) for name in names if max_bytes}
        self._given: dict[str, int] = {}
        self._files: dict[int, LogFile] = {}

    def give(self, output: str | None, error: str | None) -> dict[str, int]:
        """Descriptors for the command, by what they are to it.

        Args:
            output: File for output, if it has one.
            error: File for errors alone, if they have one.

        Raises:
            WatchError: A file cannot be opened.
        """
        for name, path in (("stdout", output), ("stderr", error)):
            if path and name not in self._pipes:
                self._given[name] = _append(path)
        given = self._given | {name: pipe.write for name, pipe in self._pipes.items()}
        if "stdout" in given:
            given.setdefault("stderr", given["stdout"])
        return given

    def part(self) -> None:
        """Close what only the command is to have, so that its end can be seen."""
        for descriptor in [*self._given.values(), *(pipe.write for pipe in self._pipes.values())]:
            os.close(descriptor)

    # -- for who reads the pipes -----------------------------------------------------------------

    def open(self, output: str | None, error: str | None) -> list[int]:
        """Begin to move what comes out of the pipes into files; returns the descriptors to poll."""
        if self._pipes:
            from context_bus.process.logfile import LogFile

            for name, path in (("stdout", output), ("stderr", error)):
                if path and (pipe := self._pipes.get(name)):
                    os.set_blocking(pipe.read, False)
                    self._files[pipe.read] = LogFile(path, *self._limits, _unheard)
        return [*self._files]

    def move(self, descriptor: int, now: float) -> bool:
        """Move what is in a pipe into its file, a turn's worth; False at its end, when it is closed.

        Args:
            descriptor: The pipe.
            now: Seconds on the monotonic clock.
        """
        return self._take(descriptor, now) != b""

    @property
    def next_time(self) -> float:
        """When to `retry` what could not be written; infinite if all is well."""
        times = [file.retry_at for file in self._files.values() if file.retry_at is not None]
        return min(times, default=math.inf)

    def retry(self, now: float) -> None:
        """Try again to write, if it is time."""
        for file in self._files.values():
            if file.retry_at is not None and file.retry_at <= now:
                file.retry(now)

    def finish(self, now: float) -> None:
        """Move what is left, and close all; somebody whom nobody can end may still have the other ends."""
        for descriptor in list(self._files):
            while self._take(descriptor, now):
                pass
        for descriptor in list(self._files):
            self._let_go(descriptor, now)

    def _take(self, descriptor: int, now: float) -> bytes | None:
        """Move a turn's worth; returns it, nothing at the end of the pipe, None if there is nothing yet."""
        try:
            data = os.read(descriptor, _TURN)
        except BlockingIOError:
            return None
        if data:
            self._files[descriptor].write(data, now)
        else:
            self._let_go(descriptor, now)
        return data

    def _let_go(self, descriptor: int, now: float) -> None:
        os.close(descriptor)
        self._files.pop(descriptor).close(now)


def _append(path: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, 0o644)
    except OSError as error:
        raise WatchError(f"output cannot be written to {path}: {error.strerror}") from error


def _unheard(_reason: str, _lost: int) -> None:
    """Trouble with a file is told in the file itself, when it takes something again."""
