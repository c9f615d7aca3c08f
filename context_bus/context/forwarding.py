"""The forwarder as a supervised child. Knows processes and the bus; must not know services.

A forwarder that dies is replaced on the same endpoints at once; services and clients find it again by
themselves, so none is restarted. One that hangs is reported, not killed: what it holds would be lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from context_bus.bus.endpoint import check_bind
from context_bus.bus.forwarder import READY_TIMEOUT, SETTLE, STOP_TIMEOUT, Policy, Statistics
from context_bus.config.model import ContextConf
from context_bus.context.adopting import Note
from context_bus.context.forward import forward
from context_bus.context.trace import ForwarderChanged, ForwarderState
from context_bus.errors import ContextBusError, EndpointError, NotConnected
from context_bus.process.asked import Wish
from context_bus.process.child import Child
from context_bus.process.ending import Ending, end
from context_bus.process.freight import pack
from context_bus.process.spawn import begin

_log = logging.getLogger(__name__)

#: What the next provider finds on a forwarder that outlived this one.
_NOTE = Note("forwarder").text()
#: Seconds between attempts to replace a forwarder whose endpoints are taken for the moment.
RETRY = 0.5
#: Seconds it has to tell its counters.
ANSWER_TIMEOUT = 2.0


class ForwarderKeeper:
    """Keeps one forwarder alive.

    Args:
        conf: Names the endpoints to bind.
        insecure: Bind endpoints that others than this machine reach.
        policy: What happens to a slow listener.
        show: Told what becomes of it.
    """

    def __init__(
        self, conf: ContextConf, *, insecure: bool, policy: Policy, show: Callable[[ForwarderChanged], None]
    ) -> None:
        self._conf, self._policy, self._show = conf, policy, show
        #: Whether endpoints are bound that others than this machine reach.
        self.is_insecure = insecure
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        #: One asks for its counters at a time; and whom the last one has asked, in vain so far.
        self._asking = asyncio.Lock()
        self._asked: Child | None = None

    @property
    def pid(self) -> int:
        """Process of the forwarder; 0 if there is none."""
        return self._child.pid if self._child else 0

    @property
    def is_alive(self) -> bool:
        """Whether its process exists."""
        return self._child is not None and _lives(self._child)

    def check(self) -> None:
        """See that the endpoints are those that may be bound.

        Raises:
            EndpointError: One is not safe, or malformed.
        """
        check_bind(self._conf.front_bind, insecure=self.is_insecure)
        check_bind(self._conf.backend_bind, insecure=self.is_insecure)

    async def start(self, adopted: Child | None = None) -> None:
        """Start it, or go on with one that an earlier provider started; returns when it forwards.

        Raises:
            EndpointError: An endpoint is taken.
            BusError: It did not come up.
        """
        if adopted is None:
            await self._spawn(settle=0.0)
        else:
            self._attend(adopted)
        self._show(ForwarderChanged(ForwarderState.STARTED, self.pid))
        self._task = asyncio.create_task(self._keep(), name="forwarder-keeper")

    async def stop(self) -> None:
        """End it in order; kill it if it does not end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        child, self._child = self._child, None
        if child is None:
            return
        try:
            child.channel.send("stop")
        except OSError:
            _log.debug("forwarder is gone already: pid=%d", child.pid)
        await asyncio.wait([child.exited()], timeout=STOP_TIMEOUT)
        await _discard(child)

    async def statistics(self) -> Statistics:
        """What has passed the forwarder since it began.

        Raises:
            NotConnected: There is none at the moment, or it does not answer.
        """
        async with self._asking:
            child = self._child
            if child is None or child.is_stopped or not _lives(child):
                raise NotConnected("the forwarder does not answer")
            try:
                if self._asked is not child:  # else its answer to the one before is still to come
                    child.channel.send("statistics")
                    self._asked = child
                answer = await _word(child, ANSWER_TIMEOUT)
            except (TimeoutError, EOFError, OSError):
                raise NotConnected("the forwarder does not answer") from None
            self._asked = None
            return Statistics(*answer)

    async def _keep(self) -> None:
        """Replace it whenever it dies."""
        while True:
            dead = self._child
            assert dead is not None
            await asyncio.wait([dead.exited()])
            self._show(ForwarderChanged(ForwarderState.DIED, dead.pid, dead.ending))
            _log.warning("forwarder died: pid=%d how=%s", dead.pid, dead.ending)
            while not self.is_alive:
                try:
                    await _discard(dead)
                    await self._spawn(settle=SETTLE)
                except (ContextBusError, OSError, RuntimeError) as error:  # the last two: no means for it
                    _log.error("forwarder not replaced: reason=%s", error)
                    await asyncio.sleep(RETRY)
            self._show(ForwarderChanged(ForwarderState.RESPAWNED, self.pid))

    def _attend(self, child: Child) -> None:
        """Tell when it is stopped by a signal and does not answer, and when it answers again."""
        self._child = child
        child.on_stopped(lambda is_stopped: self._frozen(child.pid, is_stopped))

    def _frozen(self, pid: int, is_stopped: bool) -> None:
        if pid != self.pid:
            return
        if is_stopped:
            _log.warning("forwarder hangs: pid=%d", pid)
            self._show(ForwarderChanged(ForwarderState.FROZEN, pid, "it does not answer"))
        else:
            self._show(ForwarderChanged(ForwarderState.THAWED, pid))

    async def _spawn(self, settle: float) -> None:
        conf = self._conf
        arguments = (conf.front_bind, conf.backend_bind, self.is_insecure, settle, self._policy)
        # Without a thread: a pool that gets none keeps the order, for when nobody wants it any more.
        child = await asyncio.wrap_future(
            begin(Wish("forwarder", freight=pack(forward, arguments), note=_NOTE))
        )
        self._attend(child)
        try:
            answer = await _first_word(child)
        except BaseException:
            await _discard(child)
            raise
        if answer[0] != "ready":
            await _discard(child)
            raise EndpointError(answer[1])


def _lives(child: Child) -> bool:
    return child.exitcode is None


async def _first_word(child: Child) -> tuple[str, ...]:
    """Wait for what the new forwarder says.

    Raises:
        NotConnected: It ended, or said nothing in time.
    """
    try:
        answer: tuple[str, ...] = await _word(child, READY_TIMEOUT)
    except (TimeoutError, EOFError, OSError):
        raise NotConnected(f"the forwarder did not come up: {child.ending}") from None
    return answer


async def _word(child: Child, timeout: float) -> Any:
    """Wait for what a forwarder says next; raises TimeoutError, or what reading from its channel does."""
    loop = asyncio.get_running_loop()
    spoke = asyncio.Event()
    fd = child.channel.fileno()
    loop.add_reader(fd, spoke.set)
    try:
        async with asyncio.timeout(timeout):
            await spoke.wait()
        return child.channel.recv()
    finally:
        loop.remove_reader(fd)


async def _discard(child: Child) -> None:
    """Make sure that a child is gone, and release it."""
    if _lives(child):
        await end(Ending(child, grace=0.0))
    if not _lives(child):
        child.close()
