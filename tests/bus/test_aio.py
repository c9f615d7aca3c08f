"""The same promises in asyncio code; each test brings its own event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from context_bus.bus.aio import AsyncBus
from context_bus.bus.endpoint import free_endpoint
from context_bus.errors import (
    BusError,
    FrameError,
    NobodyListens,
    NotConnected,
    RequestFailed,
    RequestTimeout,
    SendTimeout,
)
from context_bus.kernel.message import Message
from context_bus.testing.bus import LocalBus

Ends = tuple[str, str]


class Price(msgspec.Struct):
    """A content."""

    symbol: str
    value: float


def test_async_and_plain_handlers_get_every_message_in_order(ends: Ends) -> None:
    """Handlers are awaited one after the other, whatever they await themselves."""

    async def main() -> None:
        heard: list[tuple[str, int]] = []
        async with AsyncBus(*ends) as node:

            async def slow(content: int) -> None:
                await asyncio.sleep(0)
                heard.append(("slow", content))

            def plain(message: Message[int]) -> None:
                heard.append(("plain", message.content))
                if message.content == 299:
                    node.stop()

            node.subscribe("t", slow)
            node.subscribe("t", plain)
            await node.barrier()
            await node.publish_many("t", range(150))
            for number in range(150, 300):
                await node.publish("t", number)
            await node.serve()
            assert [number for kind, number in heard if kind == "slow"] == list(range(300))
            assert [number for kind, number in heard if kind == "plain"] == list(range(300))
            assert (node.stats().received, node.stats().lost) == (300, 0)

    asyncio.run(main())


def test_plain_handler_may_return_what_nobody_asked_for(ends: Ends) -> None:
    """Its value answers requests; a message asks nothing."""

    async def main() -> None:
        async with AsyncBus(*ends) as node:

            def stop(content: int) -> int:
                node.stop()
                return content

            node.subscribe("t", stop)
            await node.barrier()
            await node.publish("t", 1)
            await node.serve()

    asyncio.run(main())


def test_subscribe_while_serving(ends: Ends) -> None:
    """A topic of the main socket and one of a socket of its own."""

    async def main() -> None:
        async with AsyncBus(*ends) as node, AsyncBus(*ends) as other:
            heard = asyncio.Event()
            served = asyncio.create_task(node.serve())
            await asyncio.sleep(0)

            async def on_latest(_: int) -> None:
                heard.set()

            node.subscribe("latest", on_latest, policy="conflate")
            await other.wait_for_subscriber("latest", 5)
            await other.publish("latest", 1)
            async with asyncio.timeout(10):
                await heard.wait()
            node.stop()
            await served

    asyncio.run(main())


def test_handler_that_raises_ends_serve(ends: Ends) -> None:
    """As in blocking code."""

    async def main() -> None:
        async with AsyncBus(*ends) as node:

            async def fail(content: int) -> None:
                raise ZeroDivisionError(content)

            node.subscribe("t", fail)
            await node.barrier()
            await node.publish("t", 1)
            with pytest.raises(ZeroDivisionError):
                await node.serve()

    asyncio.run(main())


def test_malformed_frames_do_not_end_serve(ends: Ends) -> None:
    """They are counted."""

    async def main() -> None:
        async with AsyncBus(*ends) as node:

            async def on_number(_: int) -> None:
                node.stop()

            node.subscribe("t", on_number)
            await node.barrier()
            for body in (b"", b"null", b'{"header":{},"content":"x"}', b"\xff"):
                node.publisher._send_frame(b"t @@@ " + body, 0.0, [0, 0])
            await node.publish("t", 1)
            await node.serve()
            assert node.stats().rejected == 4

    asyncio.run(main())


def test_request_is_answered_and_failures_are_told(ends: Ends) -> None:
    """The answer typed; the handler's error by its words; nobody there; no answer in time."""

    async def main() -> None:
        async with AsyncBus(*ends) as server, AsyncBus(*ends) as client:

            async def double(price: Price) -> Price:
                if price.value < 0:
                    raise ValueError("a price below zero")
                return Price(price.symbol, price.value * 2)

            def silent(_: Any) -> None:
                """Answer nothing."""

            server.subscribe("double", double)
            server.subscribe("silent", silent)
            await server.barrier()
            served = asyncio.create_task(server.serve())
            assert await client.request("double", Price("X", 2.0), type=Price) == Price("X", 4.0)
            assert await client.request("double", {"symbol": "Y", "value": 1}) == {
                "symbol": "Y",
                "value": 2.0,
            }
            answers = await asyncio.gather(*[client.request("double", Price("Z", i)) for i in range(200)])
            assert [answer["value"] for answer in answers] == [2.0 * i for i in range(200)]
            with pytest.raises(RequestFailed, match="a price below zero"):
                await client.request("double", Price("X", -1.0))
            with pytest.raises(RequestFailed, match="Expected `object`"):
                await client.request("double", "not a price")
            with pytest.raises(FrameError, match="not what was asked for"):
                await client.request("double", Price("X", 2.0), type=int)
            with pytest.raises(RequestTimeout, match="no reply"):
                await client.request("silent", 1, timeout=0.05)
            with pytest.raises(NobodyListens, match="nobody listens"):
                await client.request("nowhere", 1, timeout=0.05)
            server.stop()
            await served

    asyncio.run(main())


def test_handler_may_request(ends: Ends) -> None:
    """A request inside a handler is answered although its own node is busy."""

    async def main() -> None:
        async with AsyncBus(*ends) as first, AsyncBus(*ends) as second:

            async def relay(content: int) -> int:
                return int(await first.request("add", content)) * 10

            async def add(content: int) -> int:
                return content + 1

            first.subscribe("relay", relay)
            second.subscribe("add", add)
            await asyncio.gather(first.barrier(), second.barrier())
            tasks = [asyncio.create_task(first.serve()), asyncio.create_task(second.serve())]
            assert await second.request("relay", 1) == 20
            first.stop()
            second.stop()
            await asyncio.gather(*tasks)

    asyncio.run(main())


def test_publish_waits_for_room_without_holding_the_loop() -> None:
    """Under ``block`` a reader that does not read holds up the publisher's task alone, then times out."""

    async def main() -> None:
        with LocalBus(policy="block", hwm=10) as local:
            reader = local.subscriber("t", hwm=10)
            node = AsyncBus(local.listen_on, local.publish_to, send_timeout=0.2, send_hwm=10)
            node.publisher.wait_for_subscriber("t", 5)
            async with node:
                turns = 0

                async def count_turns() -> None:
                    nonlocal turns
                    while True:
                        turns += 1
                        await asyncio.sleep(0.001)

                counting = asyncio.create_task(count_turns())
                sent = 0

                async def flood() -> None:
                    nonlocal sent
                    while True:
                        await node.publish("t", "x" * 10_000)
                        sent += 1

                with pytest.raises(SendTimeout, match="took no message"):
                    await flood()
                assert turns > 20
                counting.cancel()
                while reader.receive(0.5):
                    pass
                await node.publish("t", "again")
                assert reader.receive(5) is not None
                assert (reader.received, reader.lost) == (sent + 1, 0)

    asyncio.run(main())


def test_connect_without_a_forwarder_says_so() -> None:
    """In the time given, and nothing left open."""

    async def main() -> None:
        node = AsyncBus(free_endpoint(), free_endpoint())
        with pytest.raises(NotConnected, match="is the context provider running"):
            await node.connect(timeout=0.1)
        await node.close()

    asyncio.run(main())


def test_second_task_may_not_serve(ends: Ends) -> None:
    """Order would be lost."""

    async def main() -> None:
        async with AsyncBus(*ends) as node:
            served = asyncio.create_task(node.serve())
            await asyncio.sleep(0)
            with pytest.raises(BusError, match="served by another task"):
                await node.serve()
            node.stop()
            await served

    asyncio.run(main())


def test_close_lets_go_of_waiting_requests(ends: Ends) -> None:
    """They do not wait for their timeout."""

    async def main() -> None:
        async with AsyncBus(*ends) as node:
            node.subscribe("t", lambda _: None)
            await node.barrier()
            asked = asyncio.create_task(node.request("t", 1, timeout=60))
            served = asyncio.create_task(node.serve())
            while node.stats().received == 0:
                await asyncio.sleep(0.001)
        with pytest.raises(NotConnected, match="closed"):
            await asked
        await served

    asyncio.run(main())
