"""The last values that the context file asks the provider to keep. Knows the bus; must not know services."""

from __future__ import annotations

import asyncio

from context_bus.bus.remembering import Memory
from context_bus.config.model import ContextConf


class LastValues:
    """Keeps what ``KeepLast`` names; without it, costs nothing.

    Args:
        conf: Names the endpoints and the topics.
    """

    def __init__(self, conf: ContextConf) -> None:
        self._conf = conf
        self._memory: Memory | None = None

    async def open(self, timeout: float) -> None:
        """Begin to keep; returns when nothing can be missed any more. Raises NotConnected."""
        if self._conf.keep_last:
            await asyncio.to_thread(self._make().start, timeout)

    def want(self, conf: ContextConf) -> None:
        """Keep what the file names now; what it still names stays kept."""
        if self._memory is not None:
            self._memory.want(conf.keep_last)
        elif conf.keep_last:
            self._conf = conf
            self._make().begin()

    def _make(self) -> Memory:
        conf = self._conf
        self._memory = Memory(conf.front_end_endpoint, conf.backend_endpoint, conf.keep_last)
        return self._memory

    async def close(self) -> None:
        """Keep nothing any more."""
        if self._memory is not None:
            await asyncio.to_thread(self._memory.close)
