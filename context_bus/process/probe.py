"""Measures what services use, many in one pass. Knows /proc by way of its room; must not know the wire.

A process that ends while it is looked at, or that must not be looked at, is a row that says so: nothing is
raised for a process. Nothing is kept open between two passes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import msgspec

from context_bus.process import figures
from context_bus.process.family import Family
from context_bus.process.look import ENDED, Look, Surroundings
from context_bus.process.pace import Pace
from context_bus.process.usage import FORBIDDEN, GONE, Options, Usage, nothing

#: What is looked at unless something else is asked for.
DEFAULT = Options()
#: Seconds by which the clock must have been set for start times to be told by the new one; a process keeps
#: the start time that was told of it, for many know it by that.
CLOCK_SET = 0.05


class Probe:
    """Measures again and again, and remembers what it takes to say what was spent meanwhile.

    Not for several threads at once.

    Args:
        apart: Seconds that a sample has to be old for CPU percentages to be measured since it.
        keep: Seconds after which a sample is too old for that; None for the sample before, however old.
        family: Who descends from whom, for several probes of one thread.
    """

    def __init__(self, apart: float = 0.0, keep: float | None = None, family: Family | None = None) -> None:
        self._pace = Pace(apart, keep)
        self._family = family or Family()
        self._booted = 0.0

    def knows(self, service_id: str) -> bool:
        """Whether CPU time of this service could be measured now, since a sample before."""
        return self._pace.earlier(service_id, figures.now()) is not None

    def sample(self, services: Mapping[str, int], options: Options = DEFAULT) -> dict[str, Usage]:
        """Look at all these services in one pass.

        Args:
            services: Process ids by service; services may share a process.
            options: What to look at besides the figures that are always given.

        Returns:
            What each uses; what could not be measured says so. A process that began after the sample
            before is measured since that, any other one of which there is no sample shows 0 % CPU.
        """
        began = figures.now()
        self._family.look(began)
        booted = figures.boot_time()
        if abs(booted - self._booted) > CLOCK_SET:
            self._booted = booted
        around = Surroundings(self._pace, self._family, options, self._booted)
        seen: dict[int, Usage] = {}
        found: dict[str, Usage] = {}
        sharers = Counter(services.values())
        for service_id, pid in services.items():
            usage = seen.get(pid)
            if usage is None:
                before = self._pace.earlier(service_id, began)
                usage = seen[pid] = _look(around, service_id, pid, None if before is None else before.at)
            if sharers[pid] > 1:
                usage = msgspec.structs.replace(usage, serviceId=service_id, sharers=sharers[pid])
            found[service_id] = usage
        for service_id in services:
            self._pace.note(service_id, 0.0, began)
        self._pace.end_round(began)
        return found


def _look(around: Surroundings, service_id: str, pid: int, since: float | None) -> Usage:
    timestamp = time.time()
    try:
        return Look(around, pid, since).usage(service_id)
    except ENDED:
        return nothing(service_id, pid, GONE, f"there is no process {pid} any more", timestamp)
    except PermissionError:
        return nothing(service_id, pid, FORBIDDEN, f"process {pid} may not be looked at", timestamp)
