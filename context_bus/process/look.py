"""One look at one process and what descends from it. Knows /proc by way of its room; see `probe` for many."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from context_bus.process import figures
from context_bus.process.family import Family
from context_bus.process.figures import TICKS, Figures, Memory
from context_bus.process.pace import Pace
from context_bus.process.usage import Options, Row, Total, Usage

#: What a file of a process that ended says.
ENDED = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all looks of a pass have in common.

    Args:
        pace: Remembers the CPU times.
        family: Who descends from whom.
        options: What to look at.
        booted: When the machine was booted, in seconds since the epoch.
    """

    pace: Pace
    family: Family
    options: Options
    booted: float


class Look:
    """One look.

    Args:
        around: What it has in common with others.
        pid: The process.
        since: When this service was sampled before, in seconds since boot; None if it was not.
    """

    def __init__(self, around: Surroundings, pid: int, since: float | None) -> None:
        self._around, self._pid, self._since = around, pid, since
        self._denied: list[str] = []

    def usage(self, service_id: str) -> Usage:
        """Everything about the process.

        Raises:
            FileNotFoundError: There is none (any more), or it is hidden from us.
            ProcessLookupError: It ended just now.
            PermissionError: It may not be looked at.
        """
        began, timestamp, options = time.perf_counter(), time.time(), self._around.options
        own = figures.read(f"/proc/{self._pid}")
        memory = figures.memory(self._pid)
        cpu = self._percent((self._pid, own.ticks), own)
        kin = [*self._descendants()] if self._around.family.children(self._pid) else []
        rows = [row for row, parent in kin if parent == self._pid]
        if options.details:
            rows += self._threads(memory)
        usage = Usage(
            serviceId=service_id,
            status=own.status,
            rss=memory.rss,
            vms=memory.vms,
            percent=memory.percent,
            children=tuple(rows) if options.details else (),
            total=_total(memory, cpu, kin),
            elapsed=time.perf_counter() - began,
            timestamp=timestamp,
            pid=self._pid,
            create_time=self._began(own),
            cpu_percent=cpu,
            cpu_seconds=own.cpu / TICKS,
            threads=own.threads,
            descriptors=self._descriptors(),
            processes=len(kin),
            denied=tuple(self._denied),
        )
        if options.memory_maps or options.open_connections or options.opened_files:
            # psutil costs more to import than all this.
            from context_bus.process.lists import with_lists

            usage = with_lists(usage, options)
        return usage

    def _descendants(self) -> Iterator[tuple[Row, int]]:
        """What descends from it, each with the id of its parent."""
        for pid, parent in self._around.family.descendants(self._pid):
            try:
                own = figures.read(f"/proc/{pid}")
                if own.parent != parent:  # another's meanwhile, or its pid has come again
                    self._around.family.forget(pid)
                    continue
                yield self._row(pid, own, figures.memory(pid)), parent
            except (*ENDED, PermissionError):
                continue

    def _threads(self, memory: Memory) -> Iterator[Row]:
        directory = f"/proc/{self._pid}/task"
        for name in sorted(os.listdir(directory), key=int):
            with contextlib.suppress(*ENDED):
                yield self._row(-int(name), figures.read(f"{directory}/{name}"), memory)

    def _row(self, number: int, own: Figures, memory: Memory) -> Row:
        """A child; or, by a negative number, a thread: its first has the pid of its process."""
        return Row(
            own.status,
            abs(number),
            self._began(own),
            memory.rss,
            memory.vms,
            memory.percent,
            self._percent((number, own.ticks), own),
            own.name,
            "process" if number > 0 else "thread",
        )

    def _percent(self, key: tuple[int, int], own: Figures) -> float:
        """CPU time since the sample before; the start time in the key tells apart who had the same pid."""
        before = self._around.pace.note(key, own.cpu, own.at)
        if before is not None:
            spent, span = own.cpu - before.spent, own.at - before.at
        elif self._since is not None and own.ticks / TICKS >= self._since:
            # It began after that sample: all that it has spent, it spent since.
            spent, span = own.cpu, own.at - self._since
        else:
            return 0.0
        return 100.0 * max(0.0, spent) / TICKS / span if span > 0 else 0.0

    def _began(self, own: Figures) -> float:
        return round(self._around.booted + own.ticks / TICKS, 2)

    def _descriptors(self) -> int:
        try:
            return figures.descriptors(self._pid)
        except PermissionError:
            self._denied.append("descriptors")
            return 0


def _total(memory: Memory, cpu: float, kin: list[tuple[Row, int]]) -> Total:
    if not kin:
        return Total(memory.percent, memory.rss, memory.vms, cpu)
    return Total(
        memory.percent + sum(row.percent for row, _ in kin),
        memory.rss + sum(row.rss for row, _ in kin),
        memory.vms + sum(row.vms for row, _ in kin),
        cpu + sum(row.cpu_percent for row, _ in kin),
    )
