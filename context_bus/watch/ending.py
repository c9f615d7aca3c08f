"""Ends all that descends from this process: asks, waits, kills. Knows the process table; must not know tasks.

Whoever uses it is a subreaper: what a command leaves behind comes to it, daemons too, so that its children
are gone only when the whole tree is.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal

from context_bus.process import tree

#: Seconds after which the table is read again for what was born while others died.
LOOK_AGAIN = 0.2
#: How often it is read before giving up on processes that even SIGKILL does not end.
LOOKS = 25


class TreeEnd:
    """The end of all descendants of this process.

    Args:
        spared: A child that somebody else reaps; 0 for none.
    """

    def __init__(self, spared: int = 0) -> None:
        self._me, self._spared = os.getpid(), spared
        self._kill_at = math.inf
        self._looks = 0

    @property
    def next_time(self) -> float:
        """When to `go_on`, on the monotonic clock; infinite while there is nothing to do."""
        return self._kill_at

    @property
    def is_begun(self) -> bool:
        """Whether descendants have been asked to end."""
        return self._kill_at < math.inf

    @property
    def has_given_up(self) -> bool:
        """Whether there are some that cannot be ended: the kernel does not let go of them."""
        return self._looks >= LOOKS

    def begin(self, number: int, grace: float, now: float) -> None:
        """Send a signal to all, and kill who is left after the grace; a second call can only hasten it.

        Args:
            number: The signal.
            grace: Seconds.
            now: On the monotonic clock.
        """
        if number == signal.SIGKILL or grace <= 0:
            self._kill_at = now
            self.go_on(now)
            return
        self._kill_at = min(self._kill_at, now + grace)
        for row in self._living():
            tree.send_signal(row.identity, _known(number))
            if row.state == "T":  # what is stopped would hear of it only when somebody lets it go on
                tree.send_signal(row.identity, signal.SIGCONT)

    def go_on(self, now: float) -> None:
        """Kill who is left, if it is time; to be called again at `next_time`."""
        if now < self._kill_at:
            return
        for row in self._living():
            tree.send_signal(row.identity, signal.SIGKILL)
        self._looks += 1
        self._kill_at = now + LOOK_AGAIN

    def reap(self) -> int:
        """Reap what has ended, but not who is spared.

        Returns:
            How many children have not ended; orphans come to us, so 0 is none of the whole tree.
        """
        while True:
            children = self._children() - {self._spared}
            left = [pid for pid in children if not _has_ended(pid)]
            if len(left) == len(children):
                return len(left)
            # Who has just ended may have left us children of its own, which came after the look.

    def _living(self) -> list[tree.Row]:
        return [row for row in tree.descendants([self._me], tree.read_table()) if not tree.is_gone(row)]

    def _children(self) -> set[int]:
        found = tree.children(self._me)
        if found is None:  # a kernel that does not say
            found = {row.pid for row in tree.read_table().values() if row.parent == self._me}
        return found


def _has_ended(pid: int) -> bool:
    """Reap a child, if it has ended."""
    with contextlib.suppress(ChildProcessError):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is not None
    return True


def _known(number: int) -> signal.Signals:
    """A signal as the process table takes it; those without a name are passed as they are."""
    try:
        return signal.Signals(number)
    except ValueError:
        return number  # type: ignore[return-value]
