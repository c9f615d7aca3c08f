"""Waiting in asyncio until a full queue has room again. Knows the event loop; must not know sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from context_bus.errors import SendTimeout


class Retries:
    """Sends of one node that were not taken yet.

    Args:
        endpoint: Where it publishes, for messages.
        timeout: Seconds after which a send is given up.
    """

    def __init__(self, endpoint: str, timeout: float) -> None:
        self._endpoint, self._timeout = endpoint, timeout
        self._senders: set[asyncio.Future[None]] = set()

    def moved(self) -> None:
        """Let all try again: the socket has moved."""
        for sender in self._senders:
            if not sender.done():
                sender.set_result(None)

    async def retry(self, send: Callable[[], object]) -> None:
        """Send again whenever the socket has moved, until it is taken. Raises SendTimeout."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        while True:
            moved: asyncio.Future[None] = loop.create_future()
            self._senders.add(moved)
            try:
                async with asyncio.timeout_at(deadline):
                    await moved
            except TimeoutError:
                raise SendTimeout(
                    f"the forwarder at {self._endpoint} took no message for {self._timeout} s; "
                    "this one was not sent"
                ) from None
            finally:
                self._senders.discard(moved)
            try:
                send()
            except SendTimeout:
                continue
            return
