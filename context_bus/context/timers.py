"""Deadlines of services as timers of the loop, for each service one of a kind. Must not decide anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from context_bus.context.events import DeadlineReached, Key, Timer
from context_bus.context.instructions import SetTimer


class Timers:
    """The timers of one provider.

    Args:
        post: Takes the deadlines that are reached.
    """

    def __init__(self, post: Callable[[DeadlineReached], None]) -> None:
        self._post = post
        self._set: dict[tuple[Key, Timer], asyncio.TimerHandle] = {}

    def set(self, order: SetTimer) -> None:
        """Set one; it replaces the earlier one of its kind.

        That one would mean nothing any more, and the loop would hold it for all of its time: a minute for
        each start of a service that is restarted a hundred times a second.
        """
        name = (order.key, order.timer)
        if (earlier := self._set.get(name)) is not None:
            earlier.cancel()
        self._set[name] = asyncio.get_running_loop().call_at(order.at, self._reached, name, order)

    def _reached(self, name: tuple[Key, Timer], order: SetTimer) -> None:
        del self._set[name]
        self._post(DeadlineReached(order.key, order.incarnation, order.timer))
