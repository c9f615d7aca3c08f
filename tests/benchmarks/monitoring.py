"""What it costs to look at many processes once a second: our probe, and psutil for the same figures.

    python -m tests.benchmarks.monitoring                 (half a minute)

Processor time of the thread that looks, in percent of a core at one pass a second; passes are a second
apart, for one that follows another at once finds all it needs in the caches and costs two thirds. Programs
sleep and have one thread each. What a provider spends in all, publication included, is a row of
``tests.benchmarks.supervise`` (``--only statistics``).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping

import psutil

from context_bus.process.probe import Probe
from context_bus.process.usage import Options

#: Milliseconds of a second that are one percent of it.
PERCENT = 10.0


@contextlib.contextmanager
def sleepers(count: int) -> Iterator[dict[str, int]]:
    """Programs that sleep, by name."""
    running = [subprocess.Popen(["sleep", "600"]) for _ in range(count)]
    try:
        yield {f"p{each.pid}": each.pid for each in running}
    finally:
        for each in running:
            each.kill()
        for each in running:
            each.wait()


def by_psutil(services: Mapping[str, int], *, family: bool) -> list[dict[str, object]]:
    """The figures of a brief sample, as one gets them from psutil; without and with descendants."""
    rows = []
    for pid in services.values():
        process = psutil.Process(pid)
        with process.oneshot():
            rows.append(
                {
                    "status": process.status(),
                    "cpu": process.cpu_times(),
                    "memory": process.memory_info(),
                    "threads": process.num_threads(),
                    "descriptors": process.num_fds(),
                    "children": process.children(recursive=True) if family else [],
                }
            )
    return rows


def cost(look: Callable[[], object], passes: int, pause: float) -> float:
    """Median processor time of a pass, in milliseconds; the first one does not count."""
    look()
    spent = []
    for _ in range(passes):
        time.sleep(pause)
        began = time.thread_time()
        look()
        spent.append(1000 * (time.thread_time() - began))
    return statistics.median(spent)


def measure(count: int, passes: int, pause: float) -> Iterator[tuple[str, float]]:
    """Every row: what, and milliseconds a pass."""
    with sleepers(count) as services:
        probe, brief, full = Probe(), Options(details=False), Options()
        yield "ours, brief", cost(lambda: probe.sample(services, brief), passes, pause)
        yield "ours, rows of threads too", cost(lambda: probe.sample(services, full), passes, pause)
        yield "psutil, no descendants", cost(lambda: by_psutil(services, family=False), passes, pause)
        rare = max(1, passes // 4)
        yield "psutil, with descendants", cost(lambda: by_psutil(services, family=True), rare, pause)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--passes", type=int, default=8)
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"\n| {given.count} processes | ms a pass | % of a core at 1 Hz |\n|---|---:|---:|")
    for what, spent in measure(given.count, given.passes, 1.0):
        print(f"| {what} | {spent:.1f} | {spent / PERCENT:.2f} |", flush=True)


if __name__ == "__main__":
    main()
