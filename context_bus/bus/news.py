"""News of listeners for a thread that waits for something else. Knows audiences; must not wait itself.

Each listener that joins or leaves a bus is news to every node on it. A node that publishes reads them when
it sends; one that is idle reads the first at once, so that it hears of who watches the bus, and those of the
next second together: a thousand services that start must not wake each other a million times.
"""

from __future__ import annotations

import contextlib
import math
import select

from context_bus.bus.audience import Audience

#: Seconds for which news may wait after others were read.
WITHIN = 1.0


class News:
    """Has a thread's poll wake it for news, not too often.

    Args:
        audience: What the news are for.
    """

    def __init__(self, audience: Audience) -> None:
        self.descriptor = audience.descriptor
        self._audience = audience
        self._quiet_until = -math.inf

    def watch(self, poll: select.poll, now: float) -> float:
        """Have a poll tell of news, if they are not to wait; before each wait.

        Args:
            poll: The poll.
            now: Seconds on the monotonic clock.

        Returns:
            Seconds after which to call this again; infinity if the poll tells.
        """
        if now >= self._quiet_until:
            poll.register(self.descriptor, select.POLLIN)
            return math.inf
        with contextlib.suppress(KeyError):
            poll.unregister(self.descriptor)
        return self._quiet_until - now

    def read(self, now: float) -> None:
        """Read them: the poll has told of some."""
        self._quiet_until = now + WITHIN
        self._audience.refresh()
