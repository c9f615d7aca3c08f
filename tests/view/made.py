"""Snapshots made by hand, for tests of how they are shown."""

from __future__ import annotations

from typing import Any

from context_bus.bus.insight import TopicRow
from context_bus.process.usage import Total, Usage
from context_bus.view.snapshot import ServiceView, Snapshot

#: When all of them were made.
NOW = 1_800_000_000.0


def usage(service_id: str, pid: int, cpu: float = 0.0, rss: float = 1.0, **more: Any) -> Usage:
    """What a service uses."""
    fields: dict[str, Any] = {
        "serviceId": service_id,
        "status": "sleeping",
        "rss": rss,
        "vms": 2 * rss,
        "percent": 0.1,
        "children": (),
        "total": Total(0.1, rss, 2 * rss, cpu),
        "elapsed": 0.0,
        "timestamp": NOW,
        "pid": pid,
        "create_time": NOW - 90,
        "cpu_percent": cpu,
        "cpu_seconds": 1.5,
        "threads": 2,
        "descriptors": 7,
        "processes": 0,
    }
    return Usage(**(fields | more))


def service(service_id: str, transaction: str = "T1", **more: Any) -> ServiceView:
    """A service that runs, unless something else is said."""
    pid = more.get("pid", 100)
    cpu, rss = more.get("cpu_percent", 0.0), more.get("rss", 1.0)
    fields: dict[str, Any] = {
        "transaction": transaction,
        "service_id": service_id,
        "name": f"name_of_{service_id}",
        "phase": "started",
        "pid": pid,
        "since": NOW - 60,
        "starts": 1,
        "wanted": True,
        "rss": rss,
        "threads": 2,
        "descriptors": 7,
        "usage": usage(service_id, pid, cpu, rss) if pid else None,
    }
    return ServiceView(**(fields | more))


def failed(service_id: str, error: str = "ended with exit code 3", **more: Any) -> ServiceView:
    """A service that has failed for good."""
    return service(service_id, phase="fatal", pid=None, last_error=error, wanted=False, **more)


def snapshot(*services: ServiceView, **more: Any) -> Snapshot:
    """A provider of these services."""
    provider = {"pid": 4242, "name": "Shop", "context_id": "context001", "started_at": NOW - 3600}
    return Snapshot(**({"at": NOW, "answered_at": NOW, "provider": provider, "services": services} | more))


def topic(name: str, sender: str, service_id: str = "", transaction: str = "", **more: Any) -> TopicRow:
    """A topic of a publisher."""
    fields: dict[str, Any] = {"messages": 0, "bytes": 0, "rate": 0.0, "bytes_per_second": 0.0}
    fields |= {"lost": 0, "rejected": 0} | more
    return TopicRow(name, sender, service_id, transaction, **fields)
