"""What a provider remembers, so that the next one can go on. Knows the store; must not decide anything.

Writing is another thread's business. What is answered to a commander waits for it; nothing else does.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import msgspec

from context_bus.config.image import service_from_image, service_to_image
from context_bus.config.model import ContextConf, TaskServiceConf
from context_bus.context.adopting import Adoption
from context_bus.context.card import leave_card, remove_card
from context_bus.context.commands import LoggedEvent
from context_bus.context.events import ChildExited, Found, Key, Resumed
from context_bus.context.instructions import Remember
from context_bus.context.trace import LeftoversEnded, ProviderEvent, StoreRecovered, StoreTroubled
from context_bus.errors import ConfigurationError
from context_bus.process import tree
from context_bus.process.child import Child
from context_bus.process.leftovers import end_leftovers
from context_bus.store.address import address_of
from context_bus.store.archive import Archive
from context_bus.store.changes import (
    Change,
    EventHappened,
    Forgotten,
    ProcessBegan,
    ProcessEnded,
    ProcessReady,
    StateChanged,
    TransactionOpened,
    Wanted,
    Wish,
)
from context_bus.store.lock import Lock, take
from context_bus.store.place import Place, prepare
from context_bus.store.recorder import Listeners, Recorder
from context_bus.store.remembered import Remembered, ServiceRow
from context_bus.store.run import Run
from context_bus.supervise.policy import Memory


@dataclass(frozen=True, slots=True)
class Keep:
    """Where a provider keeps what must survive it.

    Args:
        place: Directory of its state.
        url: Database instead of the file there; empty for that file.
        is_fresh: Forget what an earlier provider had running instead of bringing it back.
        outlives: Let services and forwarder outlive this provider, for the next one to adopt.
    """

    place: Place
    url: str = ""
    is_fresh: bool = False
    outlives: bool = False


#: Environment variable of all services, with the directory of the state that they belong to.
STATE_VARIABLE = "CONTEXT_BUS_STATE_DIRECTORY"


class Journal:
    """Records for one provider.

    Args:
        keep: Where.
        show: Told of trouble.
    """

    def __init__(self, keep: Keep, show: Callable[[ProviderEvent], None]) -> None:
        self._keep, self._show = keep, show
        self._lock: Lock | None = None
        self._recorder: Recorder | None = None
        #: What was recorded, to be read again; None before the beginning.
        self.archive: Archive | None = None
        self._run, self._has_card = 0, False
        #: Whether nothing can be recorded for the moment.
        self.is_troubled = False
        self._is_open = False
        self._confs: dict[Key, TaskServiceConf] = {}
        self._processes: dict[tuple[Key, int], str] = {}
        self._transactions: set[str] = set()
        self._me = tree.identify(os.getpid()) or tree.Identity(os.getpid(), 0)
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def begin(self) -> None:
        """Become the only provider of this state, and begin to open its store, in the running loop.

        Raises:
            StoreLocked: There is one already.
            StoreUnavailable: The state cannot be kept there.
        """
        prepare(self._keep.place)
        self._lock = take(self._keep.place)
        address = address_of(self._keep.place, self._keep.url)
        run = Run(self._me.pid, self._me.ticks, self._boot_id, time.time())
        listeners = Listeners(trouble=self._troubled, recovered=self._recovered)
        self._recorder = Recorder(address, run, listeners)
        self._recorder.start()
        self.archive = Archive(address, self._recorder.flushed)

    async def usable(self) -> None:
        """Wait until the store is open; nothing is changed that a refused provider must leave as it is.

        Raises:
            StoreError: The store cannot be used.
        """
        assert self._recorder is not None
        await self._recorder.opened()

    async def open(self, adoption: Adoption | None = None) -> tuple[Resumed | None, int]:
        """Open the store, and end what an earlier provider could not.

        Args:
            adoption: What it left in the care of its guardian, if it did.

        Returns:
            What is to be brought back, if anything; and the number of the next event.

        Raises:
            StoreError: The store cannot be used.
        """
        assert self._recorder is not None
        found = await self._recorder.opened()
        self._run = found.run
        adopted = adoption.services if adoption is not None else {}
        await self._end_leftovers(found, set(adopted))
        self._transactions = {row.name for row in found.transactions}
        is_wanted = adopted or any(row.wanted is Wish.UP for row in found.services)
        self._is_open = True
        if self._keep.is_fresh or not is_wanted:
            self._forget_all()
            return None, found.next_sequence
        return _resumed(found, adopted), found.next_sequence

    def _troubled(self, reason: str) -> None:
        self.is_troubled = True
        self._show(StoreTroubled(reason))

    def _recovered(self, dropped: int) -> None:
        self.is_troubled = False
        self._show(StoreRecovered(dropped))

    async def _end_leftovers(self, found: Remembered, adopted: Set[tuple[Key, int]]) -> None:
        rows = []
        for row in found.processes:
            key = Key(row.transaction, row.service_id)
            if (key, row.incarnation) in adopted:
                self._processes[key, row.incarnation] = row.id
            elif row.boot_id == self._boot_id:
                rows.append(row)
        identities = [tree.Identity(row.pid, row.ticks) for row in rows]
        # What was adopted, and what that started, has the same mark.
        mark = "" if adopted else f"{STATE_VARIABLE}={self._keep.place.directory}"
        killed = await asyncio.to_thread(end_leftovers, identities, mark)
        if killed:
            self._show(LeftoversEnded(killed))
        kept = set(self._processes.values())
        for row in (row for row in found.processes if row.id not in kept):
            self._record(ProcessEnded(row.id, time.time(), reason="its provider was killed"))

    def _forget_all(self) -> None:
        for name in self._transactions:
            self._record(Forgotten(name))
        self._transactions.clear()

    @property
    def directory(self) -> Path:
        """Where the state is."""
        return self._keep.place.directory

    @property
    def door(self) -> Path:
        """Where clients on this machine come in."""
        return self._keep.place.door

    def leave_card(self, conf: ContextConf) -> None:
        """Let commands find this provider."""
        leave_card(self._keep.place, conf, self._me.ticks)
        self._has_card = True

    # -- recording -----------------------------------------------------------------------------

    def remember(self, order: Remember, context_id: str, context_name: str) -> None:
        """Record what is wanted of a service and where it stands."""
        transaction, service_id = order.key
        now = time.time()
        if transaction not in self._transactions:
            self._transactions.add(transaction)
            self._record(TransactionOpened(transaction, context_id, context_name, now))
        wish = Wish.UP if order.is_wanted else Wish.DOWN
        self._record(Wanted(transaction, service_id, wish, now, self._image(order.key, order.conf)))
        restarts = msgspec.json.encode(order.restarts).decode()
        self._record(StateChanged(transaction, service_id, order.state, now, order.reason, restarts))

    def forget(self, key: Key) -> None:
        """A service does not belong to its transaction any more."""
        self._confs.pop(key, None)
        self._record(Forgotten(*key))

    def began(self, key: Key, incarnation: int, pid: int, ticks: int) -> None:
        """A service has a process."""
        name = f"{self._run}/{key.transaction}/{key.service_id}/{incarnation}"
        self._processes[key, incarnation] = name
        ids = (name, *key, incarnation, pid, ticks, self._boot_id, self._run)
        self._record(ProcessBegan(*ids, time.time()))

    def ready(self, key: Key, incarnation: int) -> None:
        """The process of a service can do its work."""
        name = self._processes.get((key, incarnation))
        if name is not None:
            self._record(ProcessReady(name, time.time()))

    def ended(self, event: ChildExited) -> None:
        """The process of a service is no more."""
        name = self._processes.pop((event.key, event.incarnation), None)
        if name is not None:
            end = ProcessEnded(name, time.time(), event.exit_code, event.signal, event.reason)
            self._record(end)

    def happened(self, event: LoggedEvent) -> None:
        """Something happened that somebody may ask for later."""
        data = msgspec.json.encode(event.data).decode()
        self._record(
            EventHappened(event.sequence, event.at, event.kind, event.transaction, event.service_id, data)
        )

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call back in the loop when all that was recorded so far is safe."""
        assert self._recorder is not None
        self._recorder.when_durable(callback)

    # -- the end -------------------------------------------------------------------------------

    async def close(self, how: str) -> None:
        """End in order: nothing is left to bring back."""
        if self._recorder is not None:
            self._forget_all()
            # Who never knew what there was to bring back has not forgotten it.
            await self._recorder.close(how, leaves_nothing=self._is_open)
            self._recorder = None
        if self._lock is not None:
            if self._has_card:  # else it is that of a provider whose services may run on
                remove_card(self._keep.place)
            self._lock.release()
            self._lock = None

    def _record(self, change: Change) -> None:
        if self._recorder is not None:
            self._recorder.record(change)

    def _image(self, key: Key, conf: TaskServiceConf) -> str | None:
        if self._confs.get(key) is conf:
            return None
        self._confs[key] = conf
        return msgspec.json.encode(service_to_image(conf)).decode()


def _resumed(found: Remembered, adopted: Mapping[tuple[Key, int], Child]) -> Resumed:
    transactions = tuple((row.name, row.context_id, row.context_name) for row in found.transactions)
    return Resumed(transactions, tuple(_found(found, adopted)))


def _found(remembered: Remembered, adopted: Mapping[tuple[Key, int], Child]) -> Iterator[Found]:
    living = {key: (incarnation, child.pid) for (key, incarnation), child in adopted.items()}
    for row in remembered.services:
        key = Key(row.transaction, row.service_id)
        yield Found(
            key,
            row.wanted is Wish.UP,
            row.state,
            _conf(row),
            msgspec.json.decode(row.restarts, type=Memory) if row.restarts else None,
            row.reason,
            *living.get(key, (0, 0)),
        )


def _conf(row: ServiceRow) -> TaskServiceConf | None:
    """The definition as it was; None if this version cannot read it any more."""
    if not row.conf:
        return None
    try:
        return service_from_image(msgspec.json.decode(row.conf), "store")
    except (ConfigurationError, msgspec.DecodeError):
        return None
