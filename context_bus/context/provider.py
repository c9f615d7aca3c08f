"""The context provider: carries out what the engine decides. Knows everything of this room.

One event loop holds the bus, the forwarder, the processes and the signals; each brings events to the
engine, and the engine's instructions are carried out at once and in order. Nothing here decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from context_bus.bus.aio import AsyncBus
from context_bus.bus.forwarder import Policy
from context_bus.config.model import ContextConf, TaskServiceConf
from context_bus.context.acting import Acting, Calls, Hands
from context_bus.context.commands import LoggedEvent
from context_bus.context.doorway import Doorway
from context_bus.context.engine import Engine
from context_bus.context.eventlog import EventLog
from context_bus.context.events import (
    ChildExited,
    ChildSpawned,
    ClockSet,
    CommandReceived,
    Event,
    LeaveAsked,
    ReloadAsked,
    RestartAsked,
    Resumed,
)
from context_bus.context.feedback import FeedbackFiles
from context_bus.context.forwarding import ForwarderKeeper
from context_bus.context.heritage import Heritage
from context_bus.context.instructions import SpawnChild
from context_bus.context.journal import Journal, Keep
from context_bus.context.lastvalues import LastValues
from context_bus.context.listening import Ears
from context_bus.context.logs import Logs
from context_bus.context.member import Limits
from context_bus.context.preloading import preload_for
from context_bus.context.reload import CodeWatcher
from context_bus.context.roots import Roots
from context_bus.context.signals import Reactions, Signals
from context_bus.context.site import EARLIER, Site
from context_bus.context.spawner import Spawner
from context_bus.context.speaking import Voice
from context_bus.context.trace import (
    CodeChanged,
    ContextResumed,
    OutputTroubled,
    ProviderEnded,
    ProviderEvent,
    ProviderReady,
    StoreTroubled,
)
from context_bus.process.orders import Recovered, Trouble
from context_bus.process.output import Outputs
from context_bus.process.spawn import shut_down
from context_bus.supervise.clockwatch import ClockWatch

_log = logging.getLogger(__name__)

#: Seconds that the bus may take to come up.
CONNECT_TIMEOUT = 10.0


class Provider:
    """Provides one context.

    Args:
        conf: The context file.
        insecure: Bind endpoints that others than this machine reach.
        allowed: Directories that services may come from, besides those the file names.
        on_event: Told of everything that is worth a look, in the loop; must not block.
        transaction: Start the services of the file under this transaction as soon as the bus is up.
        limits: Deadlines and bounds.
        policy: What the forwarder does with a slow listener: ``drop`` or ``block``.
        prepare: Called first of all in each process of a service, e.g. to configure logging; must pickle.
        reload: Restart services whose files are edited; needs the extra ``reload``.
        signals: Leave in order on SIGINT and SIGTERM, at once on the second; reload the file on SIGHUP.
        keep: Where to keep what must survive; None keeps nothing, and services write where we write.
        terminal: Descriptor on which the output of services is shown; None shows none.
    """

    #: Providers that run in this process: the last one to end takes the guardian along.
    _running = 0

    def __init__(
        self,
        conf: ContextConf,
        *,
        insecure: bool = False,
        allowed: Iterable[str | Path] = (),
        on_event: Callable[[ProviderEvent], None] | None = None,
        transaction: str = "",
        limits: Limits | None = None,
        policy: Policy = "drop",
        prepare: Callable[[], None] | None = None,
        reload: bool = False,
        signals: bool = True,
        keep: Keep | None = None,
        terminal: int | None = None,
    ) -> None:
        self.conf = conf
        self._on_event = on_event or (lambda event: None)
        self._transaction, self._reload = transaction, reload
        limits = limits or Limits()
        self._roots = Roots(conf, allowed)
        self._journal = Journal(keep, self._show) if keep is not None else None
        self._heritage = Heritage(keep, self._journal)
        self._engine = Engine(conf, limits, wall=_wall)
        self._log = EventLog(time.time, self._logged)
        self._logs = Logs(conf, keep.place.logs if keep is not None else None)
        self._keeper = ForwarderKeeper(conf, insecure=insecure, policy=policy, show=self._show)
        self._last_values = LastValues(conf)
        self._outputs = Outputs(terminal, lambda report: self._show(_trouble(report)))
        if keep is not None and keep.outlives:
            self._outputs.keep()
        site = _site_of(conf, keep, self._roots, self._logs, limits, prepare, insecure=insecure)
        self._spawner = Spawner(site, self._post, self._outputs)
        self._clock = ClockWatch(lambda: self._post(ClockSet()))
        self._acting: Acting | None = None
        self._voice: Voice | None = None
        self._watcher: CodeWatcher | None = None
        reactions = Reactions(self.leave, self.leave_now, self.reload, lambda: self._engine.is_leaving)
        self._signals = Signals(reactions) if signals else None
        self._reason = "an error"
        self._inbox: deque[Event] = deque()
        # Nothing is decided before there is a voice to say it with.
        self._is_busy = True
        self._finished: asyncio.Future[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- for callers ---------------------------------------------------------------------------

    async def run(self) -> str:
        """Provide the context until it is told to leave; then nothing is left of it.

        Returns:
            Why it left.

        Raises:
            EndpointError: An endpoint is not safe to bind, malformed, or taken (a second provider).
            ConfigurationError: ``reload`` without the extra.
            BusError: The bus did not come up.
            StoreError: Another provider has this state, or it cannot be kept.
        """
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        self._watcher = CodeWatcher(self.restart_services) if self._reload else None
        self._keeper.check()
        async with contextlib.AsyncExitStack() as stack:
            if self._signals is not None:
                self._signals.watch(stack)
            if self._journal is not None:
                stack.push_async_callback(self._close_journal)
                self._journal.begin()
            Provider._running += 1
            stack.push_async_callback(self._release_guardian)
            await self._heritage.find_guardian(self.conf)
            stack.push_async_callback(self._keeper.stop)
            await self._keeper.start(self._heritage.forwarder)
            preload_for(self.conf)
            await self._serve(stack)
            self._reason = await self._finished
        self._voice = None
        self._show(ProviderEnded(self._reason))
        return self._reason

    def leave(self, reason: str) -> None:
        """Stop every service, then the provider; from the loop."""
        self._post(LeaveAsked(reason))

    def leave_now(self, reason: str) -> None:
        """Kill every service and end; from the loop."""
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(reason)

    def reload(self) -> None:
        """Apply the context file as it is now; from the loop."""
        self._post(ReloadAsked())

    def restart_services(self, instances: Iterable[str], files: Iterable[str] = ()) -> None:
        """Restart what stems from these service directories and is up or has failed; from the loop."""
        names = tuple(instances)
        self._show(CodeChanged(names, tuple(files)))
        self._post(RestartAsked(frozenset(names)))

    # -- coming and going ----------------------------------------------------------------------

    async def _serve(self, stack: contextlib.AsyncExitStack) -> None:
        conf = self.conf
        speaking = AsyncBus(conf.front_end_endpoint, conf.backend_endpoint, service_name="context")
        hearing = AsyncBus(conf.front_end_endpoint, conf.backend_endpoint, service_name="context")
        stack.push_async_callback(speaking.close)
        stack.push_async_callback(hearing.close)
        await speaking.connect(CONNECT_TIMEOUT)
        await hearing.connect(CONNECT_TIMEOUT)
        stack.push_async_callback(self._last_values.close)
        await self._last_values.open(CONNECT_TIMEOUT)
        await self._heritage.usable()  # before there is anybody to say a last word
        doorway = Doorway(self._journal.door if self._journal is not None else None)
        voice = self._voice = Voice(speaking, conf, self._engine.table, doorway)
        ears = Ears(speaking, hearing, self._roots, self._post, self._show, doorway)
        # In the order of leaving, backwards: services end, the last is said, then nothing is heard.
        stack.push_async_callback(ears.close)
        stack.push_async_callback(voice.finish)
        hands = Hands(self._engine, voice, self._spawner, self._journal, self._log, self._logs, self._keeper)
        self._acting = Acting(
            hands, Calls(self._post, self._show, self.leave_now, self._watch_spawned, self._file_read)
        )
        stack.push_async_callback(self._acting.finish)
        stack.push_async_callback(self._outputs.close)
        self._spawner.start()
        stack.push_async_callback(self._spawner.close)
        self._clock.start()
        stack.callback(self._clock.stop)
        self._watch_code(stack)
        resumed = await self._heritage.open(self._log, self._spawner, self.conf)
        await ears.open()
        if self._journal is not None:
            self._journal.leave_card(self.conf)
        self._show(
            ProviderReady(
                conf.context_id,
                conf.task_log_name,
                conf.backend_endpoint,
                conf.front_end_endpoint,
                len(conf.services),
                self._keeper.pid,
            )
        )
        if resumed is not None:
            self._show(_told(resumed))
            # Before what has become of adopted processes meanwhile.
            self._inbox.appendleft(resumed)
        elif self._transaction:
            self._inbox.append(CommandReceived("start", self._transaction, conf.context_id))
        self._decide()

    async def _close_journal(self) -> None:
        assert self._journal is not None
        await self._journal.close(self._reason)

    async def _release_guardian(self) -> None:
        Provider._running -= 1
        if not Provider._running:
            await asyncio.to_thread(shut_down)

    def _watch_code(self, stack: contextlib.AsyncExitStack) -> None:
        if self._watcher is None:
            return
        for service in self.conf.services:
            self._watch_service(service)
        task = asyncio.create_task(self._watcher.watch(), name="code-watcher")
        stack.push_async_callback(_cancel, task)

    def _watch_spawned(self, order: SpawnChild) -> None:
        self._watch_service(order.conf)

    def _file_read(self, conf: ContextConf) -> None:
        """The file was edited, and what it says now is trusted."""
        self.conf = conf
        self._roots.trust(conf)
        self._last_values.want(conf)

    def _watch_service(self, service: TaskServiceConf) -> None:
        if self._watcher is not None and service.location:
            self._watcher.add(self._roots.resolve(service) / service.instance, service.instance)

    # -- events and instructions ---------------------------------------------------------------

    def _show(self, event: ProviderEvent) -> None:
        self._log.add(event)
        if isinstance(event, StoreTroubled) and self._acting is not None:
            self._acting.do_all()
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001  # the border to a hook
            _log.exception("a hook failed: event=%s", type(event).__name__)

    def _logged(self, event: LoggedEvent) -> None:
        if self._journal is not None:
            self._journal.happened(event)
        if self._voice is not None:
            self._voice.event(event)

    def _post(self, event: Event) -> None:
        """Let the engine take an event in, after those that came before."""
        if self._journal is not None:
            match event:
                case ChildSpawned(key, number, pid, ticks):
                    self._journal.began(key, number, pid, ticks)
                case ChildExited():
                    self._journal.ended(event)
        self._inbox.append(event)
        if not self._is_busy:
            self._decide()

    def _decide(self) -> None:
        """Let the engine take in what has come, and carry out what it says."""
        assert self._loop is not None
        assert self._acting is not None
        self._is_busy = True
        try:
            while self._inbox:
                for instruction in self._engine.handle(self._inbox.popleft(), self._loop.time()):
                    try:
                        self._acting.carry_out(instruction)
                    except Exception:  # noqa: BLE001  # one that fails must not take the rest along
                        _log.exception("not carried out: instruction=%s", type(instruction).__name__)
        finally:
            self._is_busy = False


def _site_of(
    conf: ContextConf,
    keep: Keep | None,
    roots: Roots,
    logs: Logs,
    limits: Limits,
    prepare: Callable[[], None] | None,
    *,
    insecure: bool,
) -> Site:
    """What all services have in common."""
    grace = max(0.1, limits.grace - EARLIER)
    state, store = (str(keep.place.directory), keep.url) if keep is not None else ("", "")
    ends = (conf.front_end_endpoint, conf.backend_endpoint)
    return Site(*ends, roots, logs, grace, prepare, state, store, insecure, FeedbackFiles(state))


def _trouble(report: Trouble | Recovered) -> OutputTroubled:
    if isinstance(report, Trouble):
        return OutputTroubled(report.name, report.reason)
    return OutputTroubled(report.name, lost=report.lost)


def _told(resumed: Resumed) -> ContextResumed:
    wanted = sum(found.is_wanted for found in resumed.services)
    adopted = sum(found.pid > 0 for found in resumed.services)
    return ContextResumed(tuple(name for name, _, _ in resumed.transactions), wanted, adopted)


def _wall(now: float) -> float:
    """The time on the wall when the loop's clock shows ``now``."""
    return time.time() + now - time.monotonic()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
