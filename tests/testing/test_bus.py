"""The local bus cleans up after itself and tells what it did; what it carries is tested in tests/bus."""

from __future__ import annotations

import asyncio

import pytest

from context_bus.errors import NotConnected
from context_bus.testing.bus import LocalBus


def test_two_local_buses_do_not_hear_each_other() -> None:
    """Each has ports of its own."""
    with LocalBus() as one, LocalBus() as two:
        listener = two.subscriber("t")
        publisher = one.publisher()
        assert {one.listen_on, one.publish_to}.isdisjoint({two.listen_on, two.publish_to})
        publisher.publish("t", 1)
        assert listener.receive(0.05) is None


def test_nodes_are_closed_with_the_bus() -> None:
    """All of them, and stopping again does nothing."""
    local = LocalBus()
    local.start()
    node, publisher = local.bus(service_id="ts_1"), local.publisher()
    local.subscriber("t")
    local.stop()
    local.stop()
    with pytest.raises(NotConnected):
        publisher.publish("t", 1)
    with pytest.raises(NotConnected):
        node.publish("t", 1)
    with pytest.raises(NotConnected):
        local.statistics()


def test_statistics_count_messages() -> None:
    """As those of the real one."""
    with LocalBus() as local:
        node = local.bus()
        node.subscribe("t", lambda _: node.stop())
        node.publish("t", 1)
        node.serve()
        assert (local.statistics().received, local.statistics().sent) == (1, 1)


def test_async_node_of_a_local_bus() -> None:
    """For ``async with``."""

    async def main() -> int:
        with LocalBus() as local:
            async with local.async_bus() as node:

                async def answer(content: int) -> int:
                    return content + 1

                node.subscribe("ask", answer)
                await node.barrier()
                served = asyncio.create_task(node.serve())
                result = await node.request("ask", 1, type=int)
                node.stop()
                await served
                return result

    assert asyncio.run(main()) == 2
