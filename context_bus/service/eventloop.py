"""An event loop in a thread of its own, for tasks that are ``async``. Knows asyncio only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines and plain functions in one event loop, for callers in other threads.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Callable[[], T]:
        """Begin a coroutine; the result is a function that waits for its end."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function, or await what it gives, in the loop's thread; wait for the result."""

        async def at_home() -> Any:
            result = function()
            return await result if asyncio.iscoroutine(result) else result

        return self.submit(at_home())()

    def close(self) -> None:
        """Cancel what still runs, and end."""
        if self.loop.is_closed():
            return
        self.submit(_cancel_all())()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


async def _cancel_all() -> None:
    """Cancel all tasks of the loop but this one, and let them end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
