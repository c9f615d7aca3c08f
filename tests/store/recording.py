"""Short words for the tests: recorders of a run, and changes with what does not matter filled in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from context_bus.store.address import Address
from context_bus.store.changes import EventHappened, ProcessBegan, StateChanged, Wanted, Wish
from context_bus.store.recorder import Listeners, Recorder
from context_bus.store.remembered import Remembered
from context_bus.store.run import Run
from context_bus.store.scribe import Limits

if TYPE_CHECKING:
    from context_bus.store.component import Contribution

T = TypeVar("T")

#: Quick enough for a test, slow enough to be seen.
QUICK = Limits(first_pause=0.01, longest_pause=0.05, leisure=0.0, linger=0.0)


@dataclass
class Heard:
    """What a recorder told its listeners."""

    troubles: list[str] = field(default_factory=list)
    recoveries: list[int] = field(default_factory=list)
    trouble: asyncio.Event = field(default_factory=asyncio.Event)
    recovery: asyncio.Event = field(default_factory=asyncio.Event)

    def listeners(self) -> Listeners:
        """Listeners that note what they hear."""
        return Listeners(self._trouble, self._recovered)

    def _trouble(self, reason: str) -> None:
        self.troubles.append(reason)
        self.trouble.set()

    def _recovered(self, dropped: int) -> None:
        self.recoveries.append(dropped)
        self.recovery.set()


@asynccontextmanager
async def recording(
    address: Address,
    heard: Heard | None = None,
    limits: Limits = QUICK,
    contributions: Sequence[Contribution] = (),
) -> AsyncIterator[tuple[Recorder, Remembered]]:
    """A recorder that is open, and what it found."""
    run = Run(pid=100, ticks=200, boot_id="boot", at=300.0)
    recorder = Recorder(address, run, (heard or Heard()).listeners(), contributions, limits)
    recorder.start()
    try:
        yield recorder, await recorder.opened()
    finally:
        await recorder.close()


def remembered(address: Address) -> Remembered:
    """What the next provider finds."""

    async def look() -> Remembered:
        async with recording(address) as (_, found):
            return found

    return run(look())


def run(main: Coroutine[object, object, T], timeout: float = 50.0) -> T:
    """Run a coroutine in a loop of its own, not for ever."""
    return asyncio.run(asyncio.wait_for(main, timeout))


def wanted(service: str, wish: Wish = Wish.UP, conf: str | None = None, at: float = 1.0) -> Wanted:
    """A wish in transaction T."""
    return Wanted("T", service, wish, at, conf)


def state(service: str, word: str, restarts: str | None = None, at: float = 2.0) -> StateChanged:
    """A state in transaction T."""
    return StateChanged("T", service, word, at, f"why {word}", restarts)


def began(name: str, service: str = "s1", at: float = 3.0) -> ProcessBegan:
    """A process in transaction T."""
    return ProcessBegan(name, "T", service, 0, 4000, 5000, "boot", 1, at)


def event(sequence: int) -> EventHappened:
    """An event in transaction T."""
    return EventHappened(sequence, 4.0, "child_exited", "T", "s1", '{"code":1}')
