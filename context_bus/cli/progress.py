"""One line on a terminal that says how far something is, and is gone afterwards. Knows stderr only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Self

#: Seconds between two looks at a line.
INTERVAL = 0.2
#: Back to the beginning of the line, and clear it.
_CLEAR = "\r\x1b[K"


class Progress:
    """Shows a line on standard error, where that is a terminal; else nothing."""

    def __init__(self) -> None:
        #: Seconds between two looks; None where nobody looks.
        self.interval = INTERVAL if sys.stderr.isatty() else None
        self._next = 0.0

    def show(self, line: Callable[[], str]) -> None:
        """Show a line, if the last one is old enough."""
        if self.interval is not None and (now := time.monotonic()) >= self._next:
            self._next = now + self.interval
            sys.stderr.write(_CLEAR + line())
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away, before something else is said."""
        if self._next:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
