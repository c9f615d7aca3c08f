"""Asks services whether they are ready and alive. Knows probes and heartbeats; must not know what follows.

One probe for each process of a service that wants one; all of it ends with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from context_bus.config.model import TaskServiceConf
from context_bus.config.supervision import Liveness, LivenessKind, Readiness, ReadinessKind
from context_bus.context.events import Event, Key, LifeLost, ProbeAnswered
from context_bus.context.feedback import Feedbacks
from context_bus.context.instructions import ProbeReadiness, WatchLife
from context_bus.kernel.surroundings import Surroundings
from context_bus.process.tail import follow
from context_bus.supervise.liveness import SILENCE, Pulse
from context_bus.supervise.logwatch import LogWatch
from context_bus.supervise.probing import Prober

_log = logging.getLogger(__name__)


class Probes:
    """Probes the processes of services.

    Args:
        post: Takes the events.
        surroundings: What the process of a service runs in; a program that asks for it runs in the same.
        feedbacks: Follows what programs say of themselves.
    """

    def __init__(
        self,
        post: Callable[[Event], None],
        surroundings: Callable[[Key, TaskServiceConf], Surroundings],
        feedbacks: Feedbacks,
    ) -> None:
        self._post, self._surroundings, self._feedbacks = post, surroundings, feedbacks
        self._probes: dict[tuple[Key, int], _Probe] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def prepare(
        self, key: Key, incarnation: int, conf: TaskServiceConf, logs: tuple[Path, ...]
    ) -> None:
        """Get ready for a process that is about to be made: no line that it writes may be missed.

        Raises:
            ServiceError: There is no place for its feedback.
        """
        self._feedbacks.prepare(key, incarnation, conf)
        if conf.supervision.readiness.kind is ReadinessKind.LOG and logs:
            await self._probe(key, incarnation, conf).read(logs, conf.supervision.readiness.probe.target)

    def adopt(self, key: Key, incarnation: int, conf: TaskServiceConf) -> None:
        """Get ready for a process that an earlier provider made."""
        self._feedbacks.adopt(key, incarnation, conf)

    def seek(self, order: ProbeReadiness) -> None:
        """Ask until a service is ready."""
        self._probe(order.key, order.incarnation, order.conf).seek(order.conf.supervision.readiness)

    def watch(self, order: WatchLife) -> None:
        """Ask from now on whether a service is alive."""
        self._feedbacks.watch(order.key, order.incarnation)
        if order.conf.supervision.liveness is not None:
            self._probe(order.key, order.incarnation, order.conf).watch(order.conf.supervision.liveness)

    def beat(self, key: Key, incarnation: int) -> None:
        """A service gave a sign of life."""
        probe = self._probes.get((key, incarnation))
        if probe is not None:
            probe.beat()

    def end(self, key: Key, incarnation: int) -> None:
        """The process is gone, and nobody asks it any more; its last word is told before its end is."""
        self._feedbacks.end(key, incarnation)
        probe = self._probes.pop((key, incarnation), None)
        if probe is not None:
            probe.stop()
            task = asyncio.create_task(probe.wait(), name="probe-end")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Ask nobody any more; returns when nothing is left of it."""
        for key, incarnation in list(self._probes):
            self.end(key, incarnation)
        self._feedbacks.close()
        while self._ending:
            await asyncio.wait(self._ending)

    def _probe(self, key: Key, incarnation: int, conf: TaskServiceConf) -> _Probe:
        found = self._probes.get((key, incarnation))
        if found is None:
            surroundings = self._surroundings(key, conf)
            found = self._probes[key, incarnation] = _Probe(key, incarnation, surroundings, self._post)
        return found


class _Probe:
    """What asks one process."""

    def __init__(
        self, key: Key, incarnation: int, surroundings: Surroundings, post: Callable[[Event], None]
    ) -> None:
        self._key, self._incarnation, self._post = key, incarnation, post
        name = "/".join(key)
        self._prober = Prober(name, self._ready, self._lost, surroundings, complained=self._complained)
        self._pulse: Pulse | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._reader: asyncio.Task[None] | None = None
        self._line_came = asyncio.Event()
        self._is_sought = False

    # -- readiness -----------------------------------------------------------------------------

    def seek(self, readiness: Readiness) -> None:
        self._is_sought = True
        if readiness.kind is not ReadinessKind.LOG:
            self._prober.seek(readiness)
        elif self._line_came.is_set():
            self._ready()

    async def read(self, logs: tuple[Path, ...], pattern: str) -> None:
        """Look for a line in what is written to files from now on; returns when none can be missed."""
        self._reader = asyncio.create_task(self._read(logs, LogWatch(pattern)), name="probe-log")
        await asyncio.sleep(0)  # it notes where the files end in its first step

    async def _read(self, logs: tuple[Path, ...], watch: LogWatch) -> None:
        async with contextlib.aclosing(follow({str(log): log for log in logs})) as stream:
            async for _, lines in stream:
                if any(watch.feed(line) for line in lines.splitlines()):
                    self._line_came.set()
                    if self._is_sought:
                        self._ready()
                    return

    def _ready(self) -> None:
        self._post(ProbeAnswered(self._key, self._incarnation))

    def _complained(self, reason: str) -> None:
        self._post(ProbeAnswered(self._key, self._incarnation, reason))

    # -- liveness ------------------------------------------------------------------------------

    def watch(self, liveness: Liveness) -> None:
        if liveness.kind is not LivenessKind.HEARTBEAT:
            self._prober.watch(liveness)
            return
        self._pulse = Pulse(liveness, asyncio.get_running_loop().time())
        self._silence = SILENCE * liveness.probe.every
        self._set_alarm()

    def beat(self) -> None:
        if self._pulse is not None:
            self._pulse.beat(asyncio.get_running_loop().time())

    def _set_alarm(self) -> None:
        assert self._pulse is not None
        self._alarm = asyncio.get_running_loop().call_at(self._pulse.deadline, self._look)

    def _look(self) -> None:
        assert self._pulse is not None
        if self._pulse.is_lost(asyncio.get_running_loop().time()):
            self._lost(f"no heartbeat for {self._silence:g} s")
        else:
            self._set_alarm()

    def _lost(self, reason: str) -> None:
        self._post(LifeLost(self._key, self._incarnation, reason))

    # -- the end -------------------------------------------------------------------------------

    def stop(self) -> None:
        self._prober.stop()
        if self._alarm is not None:
            self._alarm.cancel()
        if self._reader is not None:
            self._reader.cancel()

    async def wait(self) -> None:
        await self._prober.wait()
        if self._reader is not None:
            await asyncio.wait([self._reader])
            if not self._reader.cancelled() and (error := self._reader.exception()) is not None:
                _log.error("log not read: service=%s", self._key.service_id, exc_info=error)
