"""A forwarder that comes, freezes and goes is noticed."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from context_bus.bus.endpoint import free_endpoint
from context_bus.bus.events import Link, LinkWatch
from context_bus.bus.forwarder import Forwarder


def test_frozen_forwarder_is_noticed() -> None:
    """Goal 20: by heartbeats, although its kernel still takes connections; and that it is back."""
    with Forwarder() as forwarder, LinkWatch(forwarder.listen_on) as watch:
        assert watch.wait(Link.CONNECTED, 5)
        os.kill(forwarder.pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            assert watch.wait(Link.DISCONNECTED, 10)
            assert time.monotonic() - begin < 3  # 0.30 s when the machine is ours; the benchmark measures it
            assert not watch.is_connected
            assert not watch.wait(Link.CONNECTED, 0.2)
        finally:
            os.kill(forwarder.pid, signal.SIGCONT)
        assert watch.wait(Link.CONNECTED, 10)
        assert watch.is_connected


def test_killed_forwarder_is_noticed_in_asyncio() -> None:
    """And so is its successor on the same address."""

    async def main() -> None:
        forwarder = Forwarder(free_endpoint(), free_endpoint())
        with LinkWatch(forwarder.listen_on) as watch:
            forwarder.start()
            async with asyncio.timeout(20):
                assert Link.CONNECTED in await watch.change()
                forwarder.kill()
                assert Link.DISCONNECTED in await watch.change()
                forwarder.start()
                assert Link.CONNECTED in await watch.change()
                forwarder.stop()

    asyncio.run(main())
