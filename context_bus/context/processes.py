"""Services that have a process of their own: made, watched, ended. Must not know what a service means.

Making a process waits for the forkserver, so it happens in a thread, one after the other. The end of a
process is an event of the loop; before it is told to anybody, what the process left behind is swept, so
that its successor finds ports and files free.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from context_bus.config.model import Action
from context_bus.context.errands import Errands
from context_bus.context.events import ChildExited, ChildSpawned, Ending, Event, Key, SpawnFailed
from context_bus.context.instructions import EndChild, SpawnChild, TellService
from context_bus.context.site import Site
from context_bus.errors import ContextBusError, ServiceError
from context_bus.process import ending
from context_bus.process.child import Child
from context_bus.process.spawn import spawn
from context_bus.service.boot import Boot, Command, Outcome
from context_bus.service.host import run_service

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Process:
    """One process of one service, from the wish for it."""

    order: SpawnChild
    child: Child | None = None
    is_unwanted: bool = False


@dataclass(eq=False, slots=True)
class _Endings:
    """Processes that have ended and not been told of."""

    waiting: list[_Process] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Processes:
    """Makes and watches services that have a process of their own.

    Args:
        site: What they have in common.
        post: Takes the events.
        pool: Where processes are made.
    """

    def __init__(self, site: Site, post: Callable[[Event], None], pool: Executor) -> None:
        self._site, self._post, self._pool = site, post, pool
        self._processes: dict[tuple[Key, int], _Process] = {}
        self._errands = Errands()
        self._endings = _Endings()
        self._reaper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch, in the running loop."""
        self._reaper = asyncio.create_task(self._reap(), name="reaper")

    def spawn(self, order: SpawnChild) -> None:
        """Make a process; its existence or its absence follows as an event."""
        process = _Process(order)
        self._processes[order.key, order.incarnation] = process
        self._errands.start(self._make(process))

    def tell(self, order: TellService) -> None:
        """Tell a process to run or to stop; one that does not exist yet need not be made to be stopped."""
        process = self._processes.get((order.key, order.incarnation))
        if process is None:
            return
        if process.child is None:
            process.is_unwanted = process.is_unwanted or order.action == Action.STOP
            return
        command = Command("stop" if order.action == Action.STOP else "start", order.key.service_id)
        try:
            process.child.channel.send_bytes(command.encode())
        except OSError as error:
            _log.debug("not told: name=%s action=%s reason=%s", process.child.name, order.action, error)

    def end(self, order: EndChild) -> None:
        """Kill a process and all it spawned."""
        process = self._processes.get((order.key, order.incarnation))
        if process is not None:
            process.is_unwanted = True
            if process.child is not None:
                self._errands.start(self._kill([process.child]))

    async def close(self) -> None:
        """Kill what is left, at once, and release everything."""
        for process in self._processes.values():
            process.is_unwanted = True
        await self._kill([process.child for process in self._processes.values() if process.child])
        await self._errands.finish()
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.wait([self._reaper])
        for process in self._processes.values():
            if process.child is not None and process.child.exitcode is not None:
                process.child.close()
        self._processes.clear()

    # -- making --------------------------------------------------------------------------------

    async def _make(self, process: _Process) -> None:
        order = process.order
        key, number = order.key, order.incarnation
        try:
            boot = self._site.boot(order)
            loop = asyncio.get_running_loop()
            child = await loop.run_in_executor(self._pool, self._spawn, process, boot)
        except ContextBusError as error:
            del self._processes[key, number]
            self._post(SpawnFailed(key, number, str(error)))
            return
        process.child = child
        child.exited().add_done_callback(lambda _: self._ended(process))
        self._post(ChildSpawned(key, number, child.pid))
        if process.is_unwanted:
            await self._kill([child])

    @staticmethod
    def _spawn(process: _Process, boot: Boot) -> Child:
        if process.is_unwanted:
            raise ServiceError("stopped before it had a process")
        return spawn(boot.conf.id, run_service, boot)

    # -- ending --------------------------------------------------------------------------------

    def _ended(self, process: _Process) -> None:
        self._endings.waiting.append(process)
        self._endings.arrived.set()

    async def _reap(self) -> None:
        """Tell of ended processes, those that ended together at once."""
        while True:
            await self._endings.arrived.wait()
            self._endings.arrived.clear()
            batch, self._endings.waiting = self._endings.waiting, []
            children = [process.child for process in batch if process.child is not None]
            swept = await asyncio.to_thread(ending.sweep, children)
            if swept:
                _log.warning("left behind and killed: processes=%d", sum(swept.values()))
            for process in batch:
                self._tell(process)

    def _tell(self, process: _Process) -> None:
        order, child = process.order, process.child
        assert child is not None
        code = child.exitcode
        assert code is not None
        outcome = _outcome(child)
        del self._processes[order.key, order.incarnation]
        child.close()
        self._post(
            ChildExited(
                order.key,
                order.incarnation,
                Ending(outcome.kind) if outcome else Ending.SILENT,
                outcome.commanded if outcome else False,
                outcome.reason if outcome else "",
                outcome.where if outcome else "",
                code if code >= 0 else None,
                -code if code < 0 else 0,
                outcome.reported if outcome else False,
            )
        )

    async def _kill(self, children: list[Child]) -> None:
        if children:
            await ending.end_all([ending.Ending(child, grace=0.0) for child in children])


def _outcome(child: Child) -> Outcome | None:
    """The last word of a process; None if it had none."""
    for message in reversed(child.messages()):
        try:
            return Outcome.decode(message)
        except ServiceError as error:
            _log.warning("unreadable outcome: name=%s pid=%d reason=%s", child.name, child.pid, error)
    return None
