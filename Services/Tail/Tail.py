"""The task of service Tail."""

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from context_bus import Task


class Line(msgspec.Struct):
    """One line of the file; numbers are consecutive, so that a reader sees what it missed."""

    number: int
    text: str


class Tailing(Task):
    """Follows a growing file through rotation and truncation"""

    file: Path
    #: Seconds between two looks at the file.
    period: float = 0.2

    def setup(self) -> None:
        """Open the file before the service is called started: from then on no line is missed."""
        self._follower = Follower(self.file)

    def run(self) -> None:
        """Publish every line that is added from now on, until the service is stopped."""
        number = 0
        while not self.wait(self.period):
            for text in self._follower.lines():
                number += 1
                self.publish("access.line", Line(number, text))

    def close(self) -> None:
        """Close the file."""
        self._follower.close()


class Follower:
    """Reads what is appended to a file, whatever happens to the file meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: BinaryIO | None = None
        self._rest = b""
        if path.exists():
            self._open().seek(0, os.SEEK_END)

    def lines(self) -> list[str]:
        """The complete lines since the last call; of a file that was rotated, the old end comes first."""
        data = self._read()
        if self._is_replaced():
            data += self._open().read()
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def _read(self) -> bytes:
        """What was appended to the file that is open."""
        if self._stream is None:
            return b""
        if os.fstat(self._stream.fileno()).st_size < self._stream.tell():
            self._stream.seek(0)  # somebody truncated it
            self._rest = b""
        return self._stream.read()

    def _is_replaced(self) -> bool:
        """Whether the path leads to another file than the one that is open."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        return self._stream is None or not os.path.samestat(there, os.fstat(self._stream.fileno()))

    def _open(self) -> BinaryIO:
        self.close()
        self._stream = self.path.open("rb")
        return self._stream

    def close(self) -> None:
        """Close the file that is open."""
        if self._stream is not None:
            self._stream.close()
