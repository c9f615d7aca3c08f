"""What a process uses, as it is said on the wire. Pure values; must not know how they are measured.

The names of the document stand for what they always stood for: ``rss`` and ``vms`` in MiB, ``percent`` as
share of the machine's memory. Figures of the processor are new here and named so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

#: One open file, connection or memory map: objects with one field each, in a fixed order (wire format).
Fields = tuple[dict[str, object], ...]
#: Topic of figures that are published again and again.
MONITOR_TOPIC = "monitor"
#: Said of a process that is not there (any more).
GONE = "gone"
#: Said of a process that must not be looked at.
FORBIDDEN = "forbidden"

_encode = msgspec.json.Encoder().encode


class Options(msgspec.Struct, frozen=True):
    """What to look at besides the figures that are always given.

    Args:
        details: Rows of children and of threads.
        memory_maps: Memory maps, one entry a file; costs milliseconds a process.
        open_connections: Connections of the internet families, those that listen included.
        opened_files: Open regular files.
    """

    details: bool = True
    memory_maps: bool = False
    open_connections: bool = False
    opened_files: bool = False


class Total(msgspec.Struct, frozen=True, gc=False):
    """A process and all that descends from it.

    Args:
        percent: Share of the machine's memory, in percent; pages that several share count for each.
        rss: Resident memory in MiB, likewise.
        vms: Address space in MiB.
        cpu_percent: CPU time since the sample before, 100 for one core.
    """

    percent: float = 0.0
    rss: float = 0.0
    vms: float = 0.0
    cpu_percent: float = 0.0


class Row(msgspec.Struct, frozen=True, gc=False):
    """One child, or one thread: a thread shows the memory of its process.

    Args:
        status: As the kernel has it: ``running``, ``sleeping``, ``disk-sleep``, ``stopped``, ``zombie``...
        pid: Process id, or id of the thread.
        create_time: When it began, in seconds since the epoch.
        rss: Resident memory in MiB.
        vms: Address space in MiB.
        percent: Share of the machine's memory, in percent.
        cpu_percent: CPU time since the sample before, 100 for one core; 0 at its first.
        name: What it calls itself, at most 15 characters.
        kind: Child, or thread.
    """

    status: str
    pid: int
    create_time: float
    rss: float
    vms: float
    percent: float
    cpu_percent: float
    name: str
    kind: Literal["process", "thread"]


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one service uses.

    Args:
        serviceId: The service.
        status: As in `Row`; ``gone`` or ``forbidden`` where there are no figures.
        rss: Resident memory of its process in MiB.
        vms: Address space in MiB.
        percent: Share of the machine's memory, in percent.
        children: Direct children, then all threads, the main one included; empty if not asked for.
        total: The process and all its descendants.
        elapsed: Seconds that the look took.
        timestamp: When, in seconds since the epoch.
        pid: Its process.
        create_time: When that began, in seconds since the epoch.
        cpu_percent: CPU time since the sample before, 100 for one core; 0 at the first.
        cpu_seconds: CPU time of the process since it began, user and system.
        threads: Its threads.
        descriptors: Its open descriptors.
        processes: How many descend from it.
        gone: Why there are no figures; all are 0 then.
        denied: Which figures may not be read by us; these are 0 or empty.
        sharers: Services that live in this process, each shown with the figures of all: services of type
            Thread share one.
        connections: Each a list of one-field objects; absent if not asked for, as the next two.
        opened_files: See ``connections``.
        memory_map: See ``connections``; sizes in bytes.
    """

    serviceId: str
    status: str
    rss: float
    vms: float
    percent: float
    children: tuple[Row, ...]
    total: Total
    elapsed: float
    timestamp: float
    pid: int
    create_time: float
    cpu_percent: float
    cpu_seconds: float
    threads: int
    descriptors: int
    processes: int
    gone: str = ""
    denied: tuple[str, ...] = ()
    sharers: int = 1
    connections: tuple[Fields, ...] | UnsetType = UNSET
    opened_files: tuple[Fields, ...] | UnsetType = UNSET
    memory_map: tuple[Fields, ...] | UnsetType = UNSET


class Published(Usage, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one service uses, as an element of a message on topic ``monitor``.

    Args:
        action: Last action of the service, e.g. ``started``, as its record has it.
        state: What became of that: ``success``, ``in_progress`` or ``failure``.
    """

    action: str
    state: str


def published(transaction: str, rows: Iterable[tuple[Usage, str, str]]) -> bytes:
    """Make a message for topic ``monitor``: ``{"<transaction>": [element, ...]}``.

    Args:
        transaction: Whose services they are.
        rows: The figures of each, the action in its record, and what became of that.
    """
    elements = [
        Published(action=action, state=state, **msgspec.structs.asdict(usage))
        for usage, action, state in rows
    ]
    return _encode({transaction: elements})


def nothing(service_id: str, pid: int, status: str, reason: str, timestamp: float) -> Usage:
    """What is said of a process that has no figures.

    Args:
        service_id: The service.
        pid: Its process.
        status: ``gone`` or ``forbidden``.
        reason: Why, in words.
        timestamp: When, in seconds since the epoch.
    """
    return Usage(
        serviceId=service_id,
        status=status,
        rss=0.0,
        vms=0.0,
        percent=0.0,
        children=(),
        total=Total(),
        elapsed=0.0,
        timestamp=timestamp,
        pid=pid,
        create_time=0.0,
        cpu_percent=0.0,
        cpu_seconds=0.0,
        threads=0,
        descriptors=0,
        processes=0,
        gone=reason,
    )
