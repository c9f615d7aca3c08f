"""Read in a loop what a recorder has written, without ever holding the loop up.

Knows threads; must not import a database, which takes longer than a provider needs to start: the thread does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from context_bus.errors import StoreUnavailable
from context_bus.store.address import Address

if TYPE_CHECKING:
    from context_bus.store.records import Reader

T = TypeVar("T")

#: Seconds that a look may take, waiting for looks before it included.
PATIENCE = 2.0


class Archive:
    """Looks into one store, for one loop.

    Args:
        address: Which database.
        flushed: Waits until the database has all that was recorded so far.
        patience: Seconds that a look may take.
    """

    def __init__(
        self, address: Address, flushed: Callable[[], Awaitable[None]], patience: float = PATIENCE
    ) -> None:
        self._address, self._flushed, self._patience = address, flushed, patience
        self._looking: asyncio.Future[None] | None = None

    async def look(self, read: Callable[[Reader], T], *, whole: bool = False) -> T | None:
        """Read something.

        Args:
            read: Reads; in a thread of its own.
            whole: Wait first until the database has all that was recorded so far.

        Returns:
            What was read; None if there is no store yet.

        Raises:
            StoreError: It cannot be read now.
        """
        try:
            async with asyncio.timeout(self._patience):
                if whole:
                    await self._flushed()
                # One at a time: a server that hangs must not be given one thread for each question.
                while self._looking is not None:
                    await asyncio.wait([self._looking])
                return await asyncio.shield(self._begin(read))
        except TimeoutError:
            raise StoreUnavailable(
                f"{self._address.context}: {self._address} does not answer within {self._patience:g} s"
            ) from None

    def _begin(self, read: Callable[[Reader], T]) -> asyncio.Future[T | None]:
        loop = asyncio.get_running_loop()
        self._looking, found = loop.create_future(), loop.create_future()
        # Who is not waited for any more need not be told by the garbage collector.
        found.add_done_callback(lambda future: future.exception())

        def tell(call: Callable[[], object]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(call)

        def work() -> None:
            try:
                result = self._read(read)
            except Exception as error:  # noqa: BLE001  # border of the thread: told to who waits
                failure = error
                tell(lambda: found.set_exception(failure))
            else:
                tell(lambda: found.set_result(result))
            finally:
                tell(self._end)

        # No executor's: those are waited for when the interpreter ends, however long a server hangs.
        threading.Thread(target=work, name="archive", daemon=True).start()
        return found

    def _read(self, read: Callable[[Reader], T]) -> T | None:
        if self._address.is_new:
            return None
        from context_bus.store.records import Reader

        with Reader(self._address) as reader:
            return read(reader)

    def _end(self) -> None:
        looking, self._looking = self._looking, None
        assert looking is not None
        looking.set_result(None)
