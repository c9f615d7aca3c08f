"""What signals mean to a provider. Knows the loop and the terminal; must not know services."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reactions:
    """What a provider does on signals.

    Args:
        leave: End in order, for a reason.
        leave_now: End at once, for a reason.
        reload: Read the context file again.
        is_leaving: Whether the end has begun.
    """

    leave: Callable[[str], None]
    leave_now: Callable[[str], None]
    reload: Callable[[], None]
    is_leaving: Callable[[], bool]


class Signals:
    """Reacts to signals.

    SIGINT and SIGTERM end in order, the second one at once. SIGHUP reloads the context file, unless it
    came since the terminal was closed: then it ends, too.

    Args:
        reactions: What to do.
    """

    def __init__(self, reactions: Reactions) -> None:
        self._do = reactions
        self._is_signalled = False
        self._had_terminal = False

    def watch(self, stack: contextlib.AsyncExitStack) -> None:
        """React in the running loop, until the stack unwinds."""
        loop = asyncio.get_running_loop()
        self._had_terminal = _has_terminal()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number)
            stack.callback(loop.remove_signal_handler, number)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        stack.callback(loop.remove_signal_handler, signal.SIGHUP)

    def _end(self, number: signal.Signals) -> None:
        if self._do.is_leaving() or self._is_signalled:
            self._do.leave_now(f"{number.name} again")
        else:
            self._is_signalled = True
            self._do.leave(number.name)

    def _hang_up(self) -> None:
        if self._had_terminal and not _has_terminal():
            self._end(signal.SIGHUP)
        else:
            self._do.reload()


def _has_terminal() -> bool:
    """Whether there is a controlling terminal; one that was closed is none any more."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
