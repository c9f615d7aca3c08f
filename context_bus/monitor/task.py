"""The monitor at work: looks at the processes of its transaction, tells, and keeps what it saw.

Knows the probe and what it is given; must not know the provider but by what it says on the bus.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from context_bus.bus.outlet import Outlet
from context_bus.config.monitor import MonitorConf
from context_bus.errors import BusError
from context_bus.kernel.beat import Beat
from context_bus.kernel.message import Frame
from context_bus.monitor.keeper import Keeper
from context_bus.monitor.roster import Entry, Record, roster_of
from context_bus.monitor.sample import sample_of
from context_bus.process.probe import Probe
from context_bus.process.usage import MONITOR_TOPIC, Options, published
from context_bus.service.subscription import subscribe
from context_bus.service.task import Task

#: Seconds the provider may take at the beginning to say who runs; its next broadcast says it, too.
ASKING = 1.0
#: Part of a period that a question may take later on: the next frame must not wait for it.
ASKING_PART = 0.5


class Monitor(Task):
    """Monitors the services of its transaction.

    Args:
        conf: What it is to do.
        keeper: Where samples are kept; None if they are not.
        insecure: Its endpoint may be one that other machines reach.
    """

    def __init__(self, conf: MonitorConf, keeper: Keeper | None = None, *, insecure: bool = False) -> None:
        self._conf, self._keeper, self._insecure = conf, keeper, insecure
        self._options = Options(
            memory_maps=conf.memory_maps,
            open_connections=conf.open_connections,
            opened_files=conf.opened_files,
        )
        self._probe = Probe()
        self._outlet: Outlet | None = None
        self._roster: Sequence[Entry] = ()
        #: Broadcasts that were heard; a reply to a question that was asked before is older than they are.
        self._heard = 0
        self._gone: frozenset[str] = frozenset()

    def setup(self) -> None:
        """Take the endpoint, so that one which is taken fails the start and not the first frame."""
        self._outlet = Outlet(self._conf.endpoint, insecure=self._insecure)
        if self._keeper is not None:
            self._keeper.start()

    def run(self) -> None:
        """Look, and rest until the next look is due; a stop ends the rest at once."""
        self._ask(ASKING)
        beat = Beat(self._conf.frequency, time.monotonic())
        while True:
            self._look()
            if self.wait(beat.left(time.monotonic())):
                return

    def close(self) -> None:
        """Free the endpoint, and keep what is not kept yet."""
        if self._outlet is not None:
            self._outlet.close()
        if self._keeper is not None:
            self._keeper.stop()

    @subscribe("control")
    def hear(self, frame: Frame) -> None:
        """Learn from the provider's broadcasts who runs."""
        roster = roster_of(frame.body, self.transaction)
        if roster is not None:
            self._heard += 1
            self._roster = roster

    # -- looking -----------------------------------------------------------------------------------

    def _look(self) -> None:
        assert self._outlet is not None
        roster = [entry for entry in self._roster if entry.has_process]
        measured = {entry.service_id for entry in roster if self._probe.knows(entry.service_id)}
        found = self._probe.sample({entry.service_id: entry.pid or 0 for entry in roster}, self._options)
        rows = [(found[entry.service_id], entry.action, entry.state) for entry in roster]
        self._outlet.send(MONITOR_TOPIC, published(self.transaction, rows))
        if self._keeper is not None and rows:
            at = time.time()
            self._keeper.keep(sample_of(at, usage, has_cpu=usage.serviceId in measured) for usage, *_ in rows)
        self._look_for_lost(frozenset(name for name, usage in found.items() if usage.gone))

    def _look_for_lost(self, gone: frozenset[str]) -> None:
        """Ask again for processes that stay away: what the provider said of their end may have been lost."""
        if gone & self._gone:
            self._ask(min(ASKING, ASKING_PART * self._conf.frequency))
        self._gone = gone

    def _ask(self, timeout: float) -> None:
        """Ask the provider who runs; what it broadcast meanwhile is newer than its answer."""
        heard = self._heard
        try:
            record = self.request("state", {"configuration": {}}, timeout=timeout, type=Record)
        except BusError as error:
            self.logger.info("not told who runs: reason=%s", error)
            return
        if self._heard == heard:
            self._roster = record.tasks
