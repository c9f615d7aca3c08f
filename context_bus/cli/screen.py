"""A stream for whoever must not wait until it is read: a supervisor on a terminal that was paused.

Knows descriptors and one thread; must not know what is written.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from collections import deque
from typing import TextIO

#: Characters that may wait to be written; what is said beyond that is counted and not shown.
WAITING = 256 * 1024
#: Seconds that the last words have at the end.
LAST_WORDS = 0.5


class Screen:
    """Writes as a stream does, without ever waiting for its reader.

    A terminal on which somebody has pressed Ctrl-S, or a pager that shows its first page, takes nothing for
    as long as it likes; meanwhile services end and are to be started again. So a thread of its own writes.

    Args:
        stream: Where it goes; nothing else is to write there from now on, and it is not closed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._fd = stream.fileno()
        self._texts: deque[str] = deque()
        self._waiting = self._unseen = 0
        self._is_gone = self._is_closing = False
        self._changed = threading.Condition()
        # The interpreter does not wait for it at its end: it may be stuck in a write for ever.
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)
        self._thread.start()

    @staticmethod
    def is_needed(stream: TextIO) -> bool:
        """Whether a stream can keep its writer waiting; a file cannot, and one of Python's own has no end."""
        try:
            return not stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
        except (OSError, ValueError):
            return False

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Have a text written, at once if there is somebody who reads."""
        with self._changed:
            # What comes after what is not shown is not shown either, until that was said in its place.
            if self._unseen or self._waiting + len(text) > WAITING:
                self._unseen += text.count("\n")
            elif not self._is_gone:
                self._texts.append(text)
                self._waiting += len(text)
                self._changed.notify()
        return len(text)

    def flush(self) -> None:
        """Do nothing: what was written is on its way."""

    def close(self, deadline: float = LAST_WORDS) -> None:
        """Let it write what waits.

        Args:
            deadline: Seconds it may take; what is not written then is lost.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(deadline)

    def _run(self) -> None:
        while text := self._next():
            try:
                self._write(text.encode(self._stream.encoding, "backslashreplace"))
            except OSError:  # hung up: from now on there is nobody to say anything to
                with self._changed:
                    self._is_gone = True
                    self._texts.clear()
                return

    def _next(self) -> str:
        """What is to be written next; empty when it is over."""
        with self._changed:
            while not self._texts and not self._unseen and not self._is_closing:
                self._changed.wait()
            if self._texts:
                text = self._texts.popleft()
                self._waiting -= len(text)
                return text
            unseen, self._unseen = self._unseen, 0
        return f"... {unseen} line{'' if unseen == 1 else 's'} not shown\n" if unseen else ""

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # somebody else of the same terminal has made it so
                select.select([], [self._fd], [])
