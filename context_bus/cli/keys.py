"""Single keys of a terminal, without Enter. Knows termios; elsewhere there are none."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from typing import Self


class Keys:
    """Keys that are pressed while this is entered; none where standard input is no terminal of ours."""

    def __init__(self) -> None:
        self._before: list[int | list[bytes | int]] | None = None
        self._fd = -1

    @property
    def is_there(self) -> bool:
        """Whether anybody can press any."""
        return self._before is not None

    def fileno(self) -> int:
        """What is readable when a key was pressed; -1 where nobody can."""
        return self._fd if self.is_there else -1

    def pressed(self, timeout: float) -> str:
        """Wait so many seconds for a key; empty if none was pressed."""
        if select.select([self._fd], [], [], timeout)[0]:
            key = os.read(self._fd, 1)
            if not key:  # the terminal is gone: it would be readable for ever
                self.__exit__()
            return key.decode(errors="replace")
        return ""

    def __enter__(self) -> Self:
        if sys.stdin is not None and sys.stdin.isatty():
            self._fd = sys.stdin.fileno()
            # A job in the background that touched its terminal would be stopped; and the terminal may be
            # that of another session.
            with contextlib.suppress(OSError, termios.error):
                if os.tcgetpgrp(self._fd) == os.getpgrp():
                    before = termios.tcgetattr(self._fd)
                    tty.setcbreak(self._fd)
                    self._before = before
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            with contextlib.suppress(termios.error):  # hung up
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            self._before = None
