"""What is kept of one look at one process: whole numbers, small enough to be kept by the million. Pure."""

from __future__ import annotations

import msgspec

from context_bus.process.usage import Usage

#: States of a process by their numbers in the records, for ever; those of psutil, after none at all.
STATES = (
    "gone",
    "running",
    "sleeping",
    "disk-sleep",
    "stopped",
    "tracing-stop",
    "zombie",
    "dead",
    "wake-kill",
    "waking",
    "idle",
    "locked",
    "waiting",
    "suspended",
    "parked",
    "other",
)
_NUMBERS = {word: number for number, word in enumerate(STATES)}
#: Parts of a percent that are kept.
CENTI = 100


class Sample(msgspec.Struct, frozen=True):
    """One look at one service; None where there is no figure.

    Args:
        service_id: Whose process.
        at: When, in milliseconds since the epoch.
        state: Number of its state.
        cpu: Hundredths of a percent of one processor since the look before, it and its descendants.
        rss: Resident memory in KiB, it and its descendants.
        vms: Virtual memory in KiB, likewise.
        threads: Its threads.
        descriptors: Its open descriptors.
        processes: Its descendants.
    """

    service_id: str
    at: int
    state: int
    cpu: int | None = None
    rss: int | None = None
    vms: int | None = None
    threads: int | None = None
    descriptors: int | None = None
    processes: int | None = None


def sample_of(at: float, usage: Usage, *, has_cpu: bool) -> Sample:
    """Make a sample of the figures of a service.

    Args:
        at: Seconds since the epoch.
        usage: The figures.
        has_cpu: Whether its CPU was measured: at the first look there is none before to measure since.
    """
    when = round(at * 1000)
    if usage.gone:
        return Sample(usage.serviceId, when, 0)
    total = usage.total
    return Sample(
        service_id=usage.serviceId,
        at=when,
        state=_NUMBERS.get(usage.status, len(STATES) - 1),
        cpu=round(total.cpu_percent * CENTI) if has_cpu else None,
        rss=round(total.rss * 1024),
        vms=round(total.vms * 1024),
        threads=usage.threads,
        descriptors=usage.descriptors,
        processes=usage.processes,
    )
