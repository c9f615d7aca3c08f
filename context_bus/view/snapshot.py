"""What is shown of a provider at one moment: its services with what they use, and its bus. Pure values."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from context_bus.bus.insight import Delivery, TopicRow, Traffic
from context_bus.client.asking import Services, Task
from context_bus.client.insight import ForwarderCounters
from context_bus.process.usage import Usage

#: Samples of a service that are kept for its curves: two minutes at one a second.
KEPT = 120
#: Ways to end that are nobody's error.
HARMLESS = frozenset({"", "stopped as told", "stopped", "exited"})
#: States in which a service has failed and is not (yet) being started again.
BROKEN = frozenset({"failed", "fatal", "backoff"})
#: States in which a service does its work.
RUNNING = frozenset({"started", "updated"})

#: What is the trouble with a provider that nobody has asked yet.
NOT_ASKED = "not asked yet"

#: Transaction and service id.
ServiceKey = tuple[str, str]


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """One service.

    Args:
        transaction: Its transaction.
        service_id: Its id, of an instance with its number.
        name: Name for people.
        instance: Instance of its class.
        state: Its state as older providers tell it: ``success``, ``in_progress`` or ``failure``.
        phase: Its exact state, a word of ``context.states.State``.
        pid: Its process; None if it has none.
        since: When it came to that state, in seconds since the epoch.
        starts: How many processes it has had.
        wanted: Whether it is to run.
        frozen: Whether its process is stopped by a signal.
        cpu_percent: CPU time of the process and all that descends from it, 100 for one core.
        rss: Resident memory of the same in MiB.
        threads: Threads of its process.
        descriptors: Open descriptors of its process.
        processes: How many processes descend from it.
        sharers: Services in the same process, all shown with the figures of that; 1 for its own.
        messages_per_second: Messages that it publishes.
        received_per_second: Messages that reach its handlers.
        last_error: What is wrong now, else how its last process ended badly; empty if neither.
        log: File of what it writes; empty if there is none.
        cpu_history: The last samples of ``cpu_percent``, newest last.
        rss_history: The last samples of ``rss``, newest last.
        usage: All that was measured; None if nothing was.
    """

    transaction: str
    service_id: str
    name: str = ""
    instance: str = ""
    state: str = ""
    phase: str = ""
    pid: int | None = None
    since: float = 0.0
    starts: int = 0
    wanted: bool = False
    frozen: bool = False
    cpu_percent: float = 0.0
    rss: float = 0.0
    threads: int = 0
    descriptors: int = 0
    processes: int = 0
    sharers: int = 1
    messages_per_second: float = 0.0
    received_per_second: float = 0.0
    last_error: str = ""
    log: str = ""
    cpu_history: tuple[float, ...] = ()
    rss_history: tuple[float, ...] = ()
    usage: Usage | None = None

    @property
    def key(self) -> ServiceKey:
        """Which one it is."""
        return self.transaction, self.service_id

    @property
    def restarts(self) -> int:
        """How many processes it has had after its first."""
        return max(0, self.starts - 1)

    def uptime(self, now: float) -> float | None:
        """Seconds since its process began; None if it has none."""
        if self.pid is None:
            return None
        began = self.usage.create_time if self.usage is not None and not self.usage.gone else 0.0
        return max(0.0, now - (began or self.since))


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A provider at one moment.

    Args:
        at: When, in seconds since the epoch.
        answered_at: When the provider answered last; 0 if it never has.
        provider: What it tells of itself: ``pid``, ``name``, ``context_id``, ``file``, ``version``...
        services: Its services; while it is gone, as they were when it answered last.
        bus: Topics of all senders.
        deliveries: Which service has got messages of which other, by topic.
        forwarder: What has passed the forwarder since it began; None if nobody knows.
        foreign: What passes it and no node reports to have sent, a second; None if nobody knows.
        trouble: Why it does not answer, in one line; empty if it does.
        notes: What it cannot tell, and why.
    """

    at: float
    answered_at: float = 0.0
    provider: dict[str, Any] = {}
    services: tuple[ServiceView, ...] = ()
    bus: tuple[TopicRow, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    forwarder: ForwarderCounters | None = None
    foreign: Traffic | None = None
    trouble: str = ""
    notes: tuple[str, ...] = ()

    @property
    def pid(self) -> int:
        """Process of the provider; 0 if it was never there."""
        pid = self.provider.get("pid")
        return pid if isinstance(pid, int) else 0

    def find(self, key: ServiceKey) -> ServiceView | None:
        """The service with this key; None if there is none."""
        return next((each for each in self.services if each.key == key), None)


class Totals(msgspec.Struct, frozen=True):
    """All services together.

    Args:
        services: How many there are.
        up: How many do their work.
        failed: How many have failed.
        cpu_percent: CPU time, 100 for one core.
        rss: Resident memory in MiB; pages that several share count for each.
        messages_per_second: Messages on the bus, of whomever.
        bytes_per_second: Their bytes.
        lost: Messages known to be missing.
    """

    services: int = 0
    up: int = 0
    failed: int = 0
    cpu_percent: float = 0.0
    rss: float = 0.0
    messages_per_second: float = 0.0
    bytes_per_second: float = 0.0
    lost: int = 0


def totals(services: Collection[ServiceView], bus: Iterable[TopicRow] = ()) -> Totals:
    """Sum up services and topics; a process that several services share counts once."""
    processes = {each.pid: each for each in services if each.pid is not None}.values()
    rows = tuple(bus)
    return Totals(
        services=len(services),
        up=sum(each.phase in RUNNING for each in services),
        failed=sum(each.phase in BROKEN for each in services),
        cpu_percent=sum(each.cpu_percent for each in processes),
        rss=sum(each.rss for each in processes),
        messages_per_second=sum(row.rate for row in rows),
        bytes_per_second=sum(row.bytes_per_second for row in rows),
        lost=sum(row.lost for row in rows),
    )


class Histories:
    """The last samples of each service."""

    def __init__(self) -> None:
        self._kept: dict[ServiceKey, tuple[deque[float], deque[float]]] = {}

    def add(self, sampled: Mapping[ServiceKey, Usage | None]) -> None:
        """Take in a sample; who has no process uses nothing, and who is not in it is forgotten."""
        self._kept = {key: self._kept.get(key) or (deque(maxlen=KEPT), deque(maxlen=KEPT)) for key in sampled}
        for key, usage in sampled.items():
            cpu, rss = self._kept[key]
            cpu.append(usage.total.cpu_percent if usage else 0.0)
            rss.append(usage.total.rss if usage else 0.0)

    def of(self, key: ServiceKey) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """CPU and memory of a service, newest last."""
        cpu, rss = self._kept.get(key, ((), ()))
        return tuple(cpu), tuple(rss)


class Rates(msgspec.Struct, frozen=True):
    """Messages a second of each service: those that it publishes, and those that reach it."""

    sent: Mapping[ServiceKey, float] = {}
    received: Mapping[ServiceKey, float] = {}


def views(
    found: Services, sampled: Mapping[ServiceKey, Usage | None], rates: Rates, histories: Histories
) -> tuple[ServiceView, ...]:
    """Put together what was told, measured and counted of each service."""
    return tuple(
        _view(each.name, task, sampled.get((each.name, task.service_id)), rates, histories)
        for each in found.transactions
        for task in each.tasks
    )


def _view(
    transaction: str, task: Task, usage: Usage | None, rates: Rates, histories: Histories
) -> ServiceView:
    key = transaction, task.service_id
    if usage is not None and (usage.gone or usage.pid != task.pid):  # it has another process by now, or none
        usage = None
    cpu, rss = histories.of(key)
    return ServiceView(
        transaction=transaction,
        service_id=task.service_id,
        name=task.serviceName,
        instance=task.instance,
        state=task.state,
        phase=task.phase or task.action,
        pid=task.pid,
        since=task.since,
        starts=task.starts,
        wanted=task.wanted,
        frozen=task.frozen,
        cpu_percent=usage.total.cpu_percent if usage else 0.0,
        rss=usage.total.rss if usage else 0.0,
        threads=usage.threads if usage else 0,
        descriptors=usage.descriptors if usage else 0,
        processes=usage.processes if usage else 0,
        sharers=usage.sharers if usage else 1,
        messages_per_second=rates.sent.get(key, 0.0),
        received_per_second=rates.received.get(key, 0.0),
        last_error=_error(task),
        log=task.log,
        cpu_history=cpu,
        rss_history=rss,
        usage=usage,
    )


def _error(task: Task) -> str:
    if task.frozen:
        return "frozen: stopped by a signal, does not run"
    now = task.complaint or task.reason
    return now or (task.last_end if task.last_end not in HARMLESS else "")
