"""Samples and usages for the tests of this room."""

from __future__ import annotations

from context_bus.monitor.sample import Sample
from context_bus.process.usage import Total, Usage


def sample(
    service_id: str = "a", at: float = 0.0, cpu: int | None = 100, rss: int | None = 1024, state: int = 2
) -> Sample:
    """A sample; times in seconds."""
    return Sample(service_id, round(at * 1000), state, cpu, rss, 4096, 3, 12, 1)


def usage(service_id: str = "a", **changes: object) -> Usage:
    """The figures of a service."""
    fields: dict[str, object] = {
        "serviceId": service_id,
        "status": "sleeping",
        "rss": 10.0,
        "vms": 100.0,
        "percent": 0.1,
        "children": (),
        "total": Total(0.2, 20.5, 200.0, 33.3),
        "elapsed": 0.001,
        "timestamp": 1000.0,
        "pid": 77,
        "create_time": 900.0,
        "cpu_percent": 11.1,
        "cpu_seconds": 5.0,
        "threads": 4,
        "descriptors": 9,
        "processes": 2,
    }
    return Usage(**(fields | changes))  # type: ignore[arg-type]  # by name, as given
