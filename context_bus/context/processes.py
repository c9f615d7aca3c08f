"""Services that have a process of their own: made, watched, ended. Must not know what a service means.

Processes are ordered in a thread, since the guardian may be busy, and all that are wanted at the same time
are made at the same time. The end of a
process is an event of the loop; before it is told to anybody, what the process left behind is swept, so
that its successor finds ports and files free.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from context_bus.config.model import Action, ServiceType
from context_bus.context.errands import Errands
from context_bus.context.events import (
    ChildExited,
    ChildFrozen,
    ChildSpawned,
    Ending,
    Event,
    Key,
    SpawnFailed,
)
from context_bus.context.instructions import EndChild, SpawnChild, TellService
from context_bus.context.probes import Probes
from context_bus.context.site import Site
from context_bus.errors import ContextBusError, ServiceError
from context_bus.process import ending, tree
from context_bus.process.child import Child
from context_bus.process.output import Outputs
from context_bus.service.boot import BEAT, Command, Outcome

_log = logging.getLogger(__name__)

#: Seconds until that is tried again which the machine refused: it has no descriptor left, or no thread.
AGAIN = 0.05
#: What it says then. That no thread can be started is a RuntimeError.
_REFUSED = (OSError, RuntimeError)


@dataclass(eq=False, slots=True)
class _Process:
    """One process of one service, from the wish for it."""

    order: SpawnChild
    child: Child | None = None
    is_unwanted: bool = False
    told: list[TellService] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)


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
        outputs: Takes what they write.
        probes: Asks whether they are ready and alive.
    """

    def __init__(
        self, site: Site, post: Callable[[Event], None], pool: Executor, outputs: Outputs, probes: Probes
    ) -> None:
        self._site, self._post, self._pool = site, post, pool
        self._outputs, self._probes = outputs, probes
        #: Whose output is shown under which name; a plain id belongs to the first transaction that uses it.
        self._names: dict[str, Key] = {}
        self._processes: dict[tuple[Key, int], _Process] = {}
        self._errands = Errands()
        self._endings = _Endings()
        self._reaper: asyncio.Task[None] | None = None
        self._is_closing = False

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
            if order.action == Action.STOP:
                process.is_unwanted = True
            else:  # it has reported already: whoever makes it has not told us yet
                process.told.append(order)
            return
        if order.conf.service_type is ServiceType.COMMAND:
            if order.action == Action.STOP:
                number = signal.Signals[order.conf.supervision.stop.signal]
                tree.signal_group(process.child.identity, number)
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
        self._is_closing = True
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
        stdout, stderr = self._site.logs.sinks(key, order.conf)
        try:
            await self._probes.prepare(key, number, order.conf, self._site.logs.files(key, order.conf))
            opened = self._outputs.open(self._name_of(key), stdout=stdout, stderr=stderr)
            with contextlib.closing(opened) as pipes:
                child = await self._spawn(process, pipes.stdout_fd, pipes.stderr_fd)
        except (ContextBusError, *_REFUSED) as error:
            # A pool that gets no thread keeps the order all the same, for a thread that it has.
            process.is_unwanted = True
            del self._processes[key, number]
            self._outputs.release(self._name_of(key))
            self._post(SpawnFailed(key, number, str(error)))
            return
        self._attend(process, child)
        for told in process.told:
            self.tell(told)
        self._post(ChildSpawned(key, number, child.pid, child.identity.ticks))
        if process.is_unwanted:
            await self._kill([child])

    def adopt(self, order: SpawnChild, child: Child) -> None:
        """Go on with a process that an earlier provider made; it may have ended since."""
        process = self._processes[order.key, order.incarnation] = _Process(order)
        self._name_of(order.key)
        self._attend(process, child)

    def _attend(self, process: _Process, child: Child) -> None:
        key, number = process.order.key, process.order.incarnation
        process.child = child
        child.exited().add_done_callback(lambda _: self._ended(process))
        child.on_stopped(lambda is_frozen: self._post(ChildFrozen(key, number, is_frozen)))
        self._listen(process)

    async def _spawn(self, process: _Process, stdout: int, stderr: int) -> Child:
        """Order a process, beside the loop since the guardian may be busy, and wait for it."""
        outcome: Future[Child] = Future()
        outcome.set_running_or_notify_cancel()
        self._pool.submit(self._order, process, stdout, stderr, outcome)
        return await asyncio.wrap_future(outcome)

    def _order(self, process: _Process, stdout: int, stderr: int, outcome: Future[Child]) -> None:
        try:
            if process.is_unwanted:
                raise ServiceError("stopped before it had a process")
            asked = self._site.begin(process.order, stdout, stderr)
        except BaseException as error:  # noqa: BLE001  # raised by who waits
            outcome.set_exception(error)
        else:
            asked.add_done_callback(lambda done: _pass_on(done, outcome))

    def _name_of(self, key: Key) -> str:
        """Under which name the output of a service is shown."""
        if self._names.setdefault(key.service_id, key) == key:
            return key.service_id
        return "/".join(key)

    # -- hearing -------------------------------------------------------------------------------

    def _listen(self, process: _Process) -> None:
        """Hear heartbeats as they come; what else a service says can wait for its end."""
        child, order = process.child, process.order
        assert child is not None
        if self._site.beats(order.conf):
            loop = asyncio.get_running_loop()
            loop.add_reader(child.channel.fileno(), self._hear, process, loop)

    def _hear(self, process: _Process, loop: asyncio.AbstractEventLoop) -> None:
        assert process.child is not None
        messages = process.child.messages()
        if not messages:  # readable without a word: the other end is gone
            loop.remove_reader(process.child.channel.fileno())
        process.said += [message for message in messages if message != BEAT]
        if BEAT in messages:
            self._probes.beat(process.order.key, process.order.incarnation)

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
            if not all(child.is_clean for child in children):
                # Nobody may follow before that is done, however long the machine refuses it.
                await self._insist(lambda children=children: self._sweep(children))  # type: ignore[misc]
            for process in batch:
                self._tell(process)

    async def _sweep(self, children: list[Child]) -> None:
        swept = await asyncio.to_thread(ending.sweep, children)
        if swept:
            _log.warning("left behind and killed: processes=%d", sum(swept.values()))

    async def _insist(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do what must be done, again and again if the machine has no means for it; at the end of all, once.

        The guardian, which ends after us, kills whoever is left.
        """
        while True:
            try:
                await work()
                return
            except _REFUSED as error:
                _log.warning("not done yet: reason=%s", error)
                if self._is_closing:
                    return
            await asyncio.sleep(AGAIN)

    def _tell(self, process: _Process) -> None:
        order, child = process.order, process.child
        assert child is not None
        code = child.exitcode
        assert code is not None
        outcome = _outcome(child, [*process.said, *child.messages()])
        del self._processes[order.key, order.incarnation]
        if self._site.beats(order.conf):
            asyncio.get_running_loop().remove_reader(child.channel.fileno())
        child.close()
        self._outputs.release(self._name_of(order.key))
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
            await self._insist(
                lambda: ending.end_all([ending.Ending(child, grace=0.0) for child in children])
            )


def _pass_on(asked: Future[Child], outcome: Future[Child]) -> None:
    error = asked.exception()
    if error is None:
        outcome.set_result(asked.result())
    else:
        outcome.set_exception(error)


def _outcome(child: Child, said: list[bytes]) -> Outcome | None:
    """The last word of a process; None if it had none."""
    for message in reversed([message for message in said if message != BEAT]):
        try:
            return Outcome.decode(message)
        except ServiceError as error:
            _log.warning("unreadable outcome: name=%s pid=%d reason=%s", child.name, child.pid, error)
    return None
