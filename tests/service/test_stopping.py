from __future__ import annotations

import asyncio
import threading

from context_bus.service.stopping import Stopping


def test_wish_wakes_threads_and_loops() -> None:
    """Both kinds of waiters wake at once, and later ones do not wait at all."""
    stopping = Stopping()
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(stopping.wait(60)))
    thread.start()

    async def main() -> list[bool]:
        waiters = [asyncio.ensure_future(stopping.wait_async(60)) for _ in range(2)]
        await asyncio.sleep(0)
        stopping.set()
        return [*await asyncio.gather(*waiters), await stopping.wait_async(60)]

    assert asyncio.run(main()) == [True, True, True]
    thread.join(10)
    assert seen == [True]
    assert stopping.wait(60)


def test_rest_ends_by_itself_when_nobody_wants_a_stop() -> None:
    """Then it says so."""
    stopping = Stopping()
    assert not stopping.wait(0.01)
    assert not asyncio.run(stopping.wait_async(0.01))
    assert not stopping.is_set()


def test_loop_that_ended_meanwhile_does_not_spoil_the_wish() -> None:
    """The loop of the first waiter may be gone before the second is told."""
    stopping = Stopping()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(stopping.wait_async(60))
    loop.run_until_complete(asyncio.sleep(0))
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # it is left behind on purpose
    loop.close()
    stopping.set()
    assert stopping.is_set()
