"""What a store costs: run as ``python -m tests.store.measure``; figures on stdout, nothing is asserted."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from context_bus.store.address import Address
from context_bus.store.changes import Wanted, Wish
from tests.store.recording import began, event, recording, run, state, wanted

_OPEN = """
import sys, time
from pathlib import Path
t0 = time.perf_counter()
import sqlalchemy, context_bus.store.writer, context_bus.store.schema
from context_bus.store.engine import make_engine
from context_bus.store.address import Address
from context_bus.store.run import Run
import sqlalchemy.dialects.sqlite
t1 = time.perf_counter()
address, core = Address("main.xml", Path(sys.argv[1])), context_bus.store.schema.core()
writer = context_bus.store.writer.Writer(address, [core])
found = writer.begin(Run(1, 2, "boot", 3.0))
t2 = time.perf_counter()
print((t1 - t0) * 1e3, (t2 - t1) * 1e3, len(found.services))
"""


async def fill(address: Address) -> None:
    """A thousand services with images of 2 KB, a thousand processes, and what the rates are."""
    async with recording(address) as (recorder, found):
        recorder.record(event(found.next_sequence))
        await recorder.flushed()
        start = time.perf_counter()
        for number in range(1000):
            recorder.record(Wanted("T", f"s{number}", Wish.UP, 1.0, "x" * 2000))
            recorder.record(began(f"p{number}", f"s{number}"))
        took = (time.perf_counter() - start) / 2000
        await recorder.flushed()
        print(
            f"record(): {took * 1e6:.1f} us a call; 2,000 durable after {time.perf_counter() - start:.3f} s"
        )

        start = time.perf_counter()
        for number in range(20_000):
            recorder.record(event(found.next_sequence + 1 + number))
            if number % 1000 == 999:
                await recorder.flushed()
        print(f"events: {20_000 / (time.perf_counter() - start):,.0f} /s, batches of 1,000")

        start = time.perf_counter()
        for number in range(20_000):
            recorder.record(state(f"s{number % 1000}", "started", "[]"))
            if number % 1000 == 999:
                await recorder.flushed()
        print(f"states: {20_000 / (time.perf_counter() - start):,.0f} /s, batches of 1,000")

        times = []
        for _ in range(500):
            start = time.perf_counter()
            recorder.record(wanted("s1"))
            await recorder.flushed()
            times.append(time.perf_counter() - start)
        middle = statistics.median(times)
        print(f"one change until durable: {middle * 1e6:.0f} us; {1 / statistics.mean(times):,.0f} commits/s")


async def stall(address: Address) -> None:
    """How long the loop is held up while the thread imports and opens; in a process without SQLAlchemy."""
    worst, done = 0.0, False

    async def tick() -> None:
        nonlocal worst
        while not done:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - start - 0.001)

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    worst = 0.0
    start = time.perf_counter()
    async with recording(address):
        took = time.perf_counter() - start
    done = True
    await ticker
    print(
        f"opened() in a cold provider: {took * 1e3:.0f} ms; its loop was held up {worst * 1e3:.1f} ms at most"
    )


def main() -> None:
    """Fill a store, then open it in cold processes."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "store.sqlite")
        if len(sys.argv) > 1:
            run(stall(Address("main.xml", Path(sys.argv[1]))))
            return
        run(fill(Address("main.xml", path)))
        rows = []
        for _ in range(7):
            done = subprocess.run(
                [sys.executable, "-c", _OPEN, path], capture_output=True, text=True, check=True
            )
            rows.append([float(word) for word in done.stdout.split()])
        imports, opening, services = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"cold: imports {imports:.0f} ms, open, check and load {services:.0f} services {opening:.1f} ms"
        )
        subprocess.run([sys.executable, "-m", "tests.store.measure", path], check=True)
        warm(Address("main.xml", path))


def warm(address: Address) -> None:
    """`load` by itself."""
    from context_bus.store.records import Reader

    with Reader(address) as reader:
        reader.load()
        start = time.perf_counter()
        services = len(reader.load().services)
        print(f"load() again: {services} services in {(time.perf_counter() - start) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
