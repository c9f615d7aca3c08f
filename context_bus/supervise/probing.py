"""Ask a child again and again whether it is ready, then whether it is alive.

Knows asyncio and the ways of asking; must not know what the child is. What the answers mean is decided in
``liveness``.
"""

from __future__ import annotations

import asyncio
import logging
import math
import zlib
from collections.abc import Callable, Coroutine

from context_bus.config.supervision import Liveness, LivenessKind, Probe, Readiness, ReadinessKind
from context_bus.kernel.surroundings import Surroundings
from context_bus.supervise.asking import ask_http, ask_tcp
from context_bus.supervise.executing import ask_command
from context_bus.supervise.liveness import Pulse

_log = logging.getLogger(__name__)

Kind = ReadinessKind | LivenessKind

#: Kinds that are asked; the others are told by the child, its output or the clock.
ASKED = frozenset({"tcp", "http", "command"})
#: Shortest period in seconds, whatever the file says: a loop that only asks does nothing else.
SHORTEST_PERIOD = 0.01


async def attempt(kind: Kind, probe: Probe, surroundings: Surroundings | None = None) -> str:
    """Ask once.

    Args:
        kind: How; one of ``ASKED``.
        probe: Whom, and how long one may take to answer.
        surroundings: What a command runs in.

    Returns:
        Why there was no good answer; nothing if there was one. Whoever cancels it leaves nothing behind.

    Raises:
        ValueError: The kind is not asked; a fault of the caller.
    """
    if kind not in ASKED:
        raise ValueError(f"{kind} is not asked; expected one of {', '.join(sorted(ASKED))}")
    try:
        async with asyncio.timeout(probe.timeout):
            if kind == "tcp":
                return await ask_tcp(probe.target)
            if kind == "http":
                return await ask_http(probe.target)
            return await ask_command(probe.command, surroundings)
    except TimeoutError:
        return f"no answer within {probe.timeout:g} s"


class Prober:
    """Asks one child, at its period and never twice at a time.

    Args:
        name: Whose; it gives the phase, so that many children are not all asked at the same moments.
        ready: Called once when the child is ready.
        lost: Called once, with the reason, when it counts as hung.
        surroundings: What a command runs in.
        complained: Called when the answer to an attempt at readiness is another reason than before.
    """

    def __init__(
        self,
        name: str,
        ready: Callable[[], None],
        lost: Callable[[str], None],
        surroundings: Surroundings | None = None,
        complained: Callable[[str], None] | None = None,
    ) -> None:
        self._name = name
        self._ready = ready
        self._lost = lost
        self._surroundings = surroundings
        self._complained = complained
        self._tasks: set[asyncio.Task[None]] = set()
        self._current: asyncio.Task[None] | None = None
        self._said = ""

    @property
    def said(self) -> str:
        """Why the last attempt had no good answer; nothing if it had one."""
        return self._said

    def seek(self, readiness: Readiness) -> None:
        """Ask from now on until the child is ready; call it when the process exists.

        Kinds that are told rather than asked (``message``, ``log``) end what was asked before, no more.
        """
        self.stop()
        if readiness.kind is ReadinessKind.TIME:
            self._begin(self._wait(readiness.after))
        elif readiness.kind in ASKED:
            self._begin(self._seek(readiness))

    def watch(self, liveness: Liveness) -> None:
        """Ask from now on whether the child is alive; call it when it is ready.

        A heartbeat is told rather than asked: it ends what was asked before, no more.
        """
        self.stop()
        if liveness.kind in ASKED:
            self._begin(self._watch(liveness))

    def stop(self) -> None:
        """Ask no more. Nothing is called after this; what runs is ended, see ``wait``."""
        if self._current is not None:
            self._current.cancel()
            self._current = None

    async def wait(self) -> None:
        """Wait until nothing is left of what was stopped, or of what ended by itself."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, rounds: Coroutine[None, None, None]) -> None:
        self._said = ""
        task = asyncio.get_running_loop().create_task(rounds, name=f"probe {self._name}")
        self._current = task
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("probing broke: name=%s", self._name, exc_info=error)

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._ready()

    async def _seek(self, readiness: Readiness) -> None:
        probe = readiness.probe
        rounds = _Rounds(self._name, probe.every, is_urgent=True)
        while True:
            await rounds.next()
            before, self._said = self._said, await attempt(readiness.kind, probe, self._surroundings)
            if not self._said:
                self._ready()
                return
            if self._said != before and self._complained is not None:
                self._complained(self._said)

    async def _watch(self, liveness: Liveness) -> None:
        loop, probe = asyncio.get_running_loop(), liveness.probe
        pulse = Pulse(liveness, loop.time())
        rounds = _Rounds(self._name, probe.every, is_urgent=False)
        while True:
            await rounds.next()
            said = await attempt(liveness.kind, probe, self._surroundings)
            self._note(said)
            if pulse.attempt(not said, loop.time()):
                self._lost(f"{pulse.failures} attempts in a row to ask it by {liveness.kind} failed: {said}")
                return

    def _note(self, said: str) -> None:
        if bool(said) != bool(self._said):
            _log.info("probed: name=%s %s", self._name, f"failure={said}" if said else "well again")
        self._said = said


class _Rounds:
    """When to ask next: at the period, shifted by the phase of the name.

    Args:
        name: Whose rounds.
        every: The period in seconds.
        is_urgent: The first round is at once; else it waits for its phase, too.
    """

    def __init__(self, name: str, every: float, *, is_urgent: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._every = max(every, SHORTEST_PERIOD)
        self._is_urgent = is_urgent
        # After an urgent one the second comes half a period to one and a half later: never at its heels, and
        # the phases still fill a period.
        self._due = self._loop.time() + self._every * (phase(name) + (0.5 if is_urgent else 0.0))

    async def next(self) -> None:
        """Wait for the next round; those that were missed since, as an attempt took so long, are left out."""
        if self._is_urgent:
            self._is_urgent = False
            return
        late = self._loop.time() - self._due
        if late > 0:
            self._due += self._every * math.ceil(late / self._every)
        await asyncio.sleep(self._due - self._loop.time())
        self._due += self._every


def phase(name: str) -> float:
    """Part of a period, from 0 up to 1, by which the attempts of this child are shifted."""
    return zlib.crc32(name.encode()) / 2**32
