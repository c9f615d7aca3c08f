"""Services that are threads: one process for those of a transaction. Must not know what a service means.

The process begins with the first and ends with the last of them. A thread cannot be killed: one that
does not heed a stop is cut off from the bus by its host; only if even that fails does its process go,
and take the others along.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from context_bus.config.model import Action
from context_bus.context.errands import Errands
from context_bus.context.events import ChildExited, ChildSpawned, Ending, Event, Key, SpawnFailed
from context_bus.context.instructions import EndChild, SpawnChild, TellService
from context_bus.context.preloading import SERVICE
from context_bus.context.site import Site
from context_bus.errors import ContextBusError, ServiceError
from context_bus.process import ending
from context_bus.process.spawn import warm_up
from context_bus.service.boot import Command, Outcome

if TYPE_CHECKING:
    from context_bus.service.threads import Carrier

_log = logging.getLogger(__name__)

#: Seconds beyond its grace after which a thread that its host could not cut off costs the process.
LAST_RESORT = 1.0


@dataclass(eq=False, slots=True)
class _Load:
    """A process and the services in it.

    Args:
        transaction: Whose services they are.
        made: The process, once there is one.
        orders: Services that are in it or will be, by id.
        unwanted: Those that need not come.
    """

    transaction: str
    made: asyncio.Future[Carrier]
    orders: dict[str, SpawnChild] = field(default_factory=dict)
    unwanted: set[str] = field(default_factory=set)

    @property
    def carrier(self) -> Carrier | None:
        """The process, if there is one."""
        return self.made.result() if self.made.done() and self.made.exception() is None else None


class Carriers:
    """Starts, tells and watches services that are threads.

    Args:
        site: What services have in common.
        post: Takes the events.
        pool: Where processes are made.
    """

    def __init__(self, site: Site, post: Callable[[Event], None], pool: Executor) -> None:
        self._site, self._post, self._pool = site, post, pool
        self._loads: dict[str, _Load] = {}
        self._errands = Errands()

    def spawn(self, order: SpawnChild) -> None:
        """Start a service in the process of its transaction, which is made if need be."""
        transaction, service_id = order.key
        load = self._loads.get(transaction)
        if load is None:
            load = _Load(transaction, asyncio.get_running_loop().create_future())
            self._loads[transaction] = load
            self._errands.start(self._carry(load))
        load.orders[service_id] = order
        self._errands.start(self._host(load, order))

    def tell(self, order: TellService) -> None:
        """Tell a service to run or to stop; one that is not there yet need not come to be stopped."""
        load = self._load_of(order.key, order.incarnation)
        if load is None:
            return
        if load.carrier is None:
            if order.action == Action.STOP:
                load.unwanted.add(order.key.service_id)
            return
        command = Command("stop" if order.action == Action.STOP else "start", order.key.service_id)
        try:
            load.carrier.tell(command)
        except ServiceError as error:
            _log.debug("not told: %s", error)

    def end(self, order: EndChild) -> None:
        """Give its host time to cut a service off; after that, end its process."""
        loop = asyncio.get_running_loop()
        loop.call_later(self._site.grace + LAST_RESORT, self._end_if_there, order.key, order.incarnation)

    async def close(self) -> None:
        """Kill what is left, at once, and release everything."""
        for load in list(self._loads.values()):
            load.unwanted.update(load.orders)
            await asyncio.wait([load.made])
            if load.carrier is not None:
                self._errands.start(self._kill(load.carrier))
        await self._errands.finish()

    # -- making --------------------------------------------------------------------------------

    async def _carry(self, load: _Load) -> None:
        """Make a process, and stay with it to its end."""
        loop = asyncio.get_running_loop()
        name = f"threads {load.transaction}"
        warm_up(SERVICE)
        from context_bus.service.threads import Carrier  # a provider of processes does without

        try:
            carrier = await loop.run_in_executor(self._pool, Carrier, name, self._site.prepare)
        except ContextBusError as error:
            load.made.set_exception(error)
            return
        child = carrier.child
        descriptor = child.channel.fileno()
        loop.add_reader(descriptor, self._hear, load, carrier)
        load.made.set_result(carrier)
        await asyncio.wait([child.exited()])
        self._hear(load, carrier)
        loop.remove_reader(descriptor)
        await asyncio.to_thread(ending.sweep, [child])
        code = child.exitcode or 0
        child.close()
        for service_id in list(load.orders):
            self._lost(load, service_id, code)

    async def _host(self, load: _Load, order: SpawnChild) -> None:
        key, number = order.key, order.incarnation
        await asyncio.wait([load.made])
        try:
            carrier = load.made.result()
            if key.service_id in load.unwanted:
                load.unwanted.discard(key.service_id)
                raise ServiceError("stopped before it had a thread")
            carrier.host(self._site.boot(order))
        except ContextBusError as error:
            self._drop(load, key.service_id)
            self._post(SpawnFailed(key, number, str(error)))
        else:
            self._post(ChildSpawned(key, number, carrier.child.pid, carrier.child.identity.ticks))

    # -- ending --------------------------------------------------------------------------------

    def _hear(self, load: _Load, carrier: Carrier) -> None:
        """Take what services tell of their end."""
        outcomes = carrier.outcomes()
        if not outcomes:  # readable without a word: the other end is gone
            asyncio.get_running_loop().remove_reader(carrier.child.channel.fileno())
        for outcome in outcomes:
            order = self._drop(load, outcome.service_id)
            if order is not None:
                self._post(_exited(order, outcome))

    def _lost(self, load: _Load, service_id: str, code: int) -> None:
        """Tell of a service that went with its process."""
        order = self._drop(load, service_id)
        assert order is not None
        exit_code, signal = (code, 0) if code >= 0 else (None, -code)
        self._post(
            ChildExited(order.key, order.incarnation, exit_code=exit_code, signal=signal, reported=False)
        )

    def _drop(self, load: _Load, service_id: str) -> SpawnChild | None:
        """Take a service off a process; the last one ends it."""
        order = load.orders.pop(service_id, None)
        if not load.orders and self._loads.get(load.transaction) is load:
            del self._loads[load.transaction]
            if load.carrier is not None and load.carrier.child.exitcode is None:
                self._errands.start(self._end(load.carrier))
        return order

    async def _end(self, carrier: Carrier) -> None:
        ask = Command("stop")  # without a name: the process itself
        await ending.end(ending.Ending(carrier.child, lambda: carrier.tell(ask), grace=self._site.grace))

    def _end_if_there(self, key: Key, incarnation: int) -> None:
        load = self._load_of(key, incarnation)
        if load is not None and load.carrier is not None:
            _log.warning("ended with all its threads: pid=%d for=%s", load.carrier.child.pid, key.service_id)
            self._errands.start(self._kill(load.carrier))

    @staticmethod
    async def _kill(carrier: Carrier) -> None:
        await ending.end(ending.Ending(carrier.child, grace=0.0))

    def _load_of(self, key: Key, incarnation: int) -> _Load | None:
        load = self._loads.get(key.transaction)
        order = load.orders.get(key.service_id) if load else None
        return load if order is not None and order.incarnation == incarnation else None


def _exited(order: SpawnChild, outcome: Outcome) -> ChildExited:
    return ChildExited(
        order.key,
        order.incarnation,
        Ending(outcome.kind),
        outcome.commanded,
        outcome.reason,
        outcome.where,
        0 if outcome.kind == "stopped" else 1,
        0,
        outcome.reported,
    )
