"""How fast a context starts and stops, and what its services weigh, beside bare forkserver processes.

    python -m tests.benchmarks.context [--counts 1,20,200] [--runs 3]

Both sides are measured in one run, in turn. *Ours*: from the ``start`` command, sent by a raw socket,
until every service has reported ``started`` on the bus; stop until every one is gone. *Bare*:
``multiprocessing`` forkserver with zmq preloaded, each child connects one socket and says ready.
Memory is USS: what is private to one process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psutil
import zmq

HOME = Path(__file__).resolve().parents[2]
SERVICE = """
from context_bus import Task, TaskService


class Waiting(Task):
    def run(self) -> None:
        self.wait(3600)


class ServiceIdle(TaskService):
    task_class = Waiting
"""
HEAD = """<Context><FrontEndEndpoint>tcp://127.0.0.1:{sub}</FrontEndEndpoint>
<BackendEndpoint>tcp://127.0.0.1:{pub}</BackendEndpoint><FrontBind>tcp://127.0.0.1:{pub}</FrontBind>
<BackendBind>tcp://127.0.0.1:{sub}</BackendBind><ContextID>context001</ContextID><TaskLogName>Bench</TaskLogName>"""
ONE = """<TaskService id="ts{n}" instance="Idle" serviceType="Process" topic="process"><Task><message>
<header><action>start</action><service_name>idle{n}</service_name></header>
<content><configuration><location>{location}</location></configuration></content></message>
<state type="on_start"/></Task></TaskService>"""


class Bus:
    """A raw client: an XPUB that sees the provider's subscriptions, a SUB on the reports."""

    def __init__(self, sub: int, pub: int) -> None:
        self.context = zmq.Context()
        self.reports = self.context.socket(zmq.SUB)
        self.reports.setsockopt(zmq.RCVHWM, 0)
        self.reports.subscribe(b"control @@@ ")
        self.reports.connect(f"tcp://127.0.0.1:{sub}")
        self.commands = self.context.socket(zmq.XPUB)
        self.commands.connect(f"tcp://127.0.0.1:{pub}")
        self.reports.subscribe(b"barrier")
        wanted = {b"\x01context @@@ ", b"\x01control @@@ ", b"\x01barrier"}
        while wanted:
            if not self.commands.poll(20_000):
                raise SystemExit(f"the provider never subscribed to {wanted}")
            wanted.discard(self.commands.recv())

    def command(self, action: str, transaction: str) -> None:
        header = {
            "action": action,
            "service_id": "context001",
            "service_name": "context",
            "service_transaction": transaction,
        }
        body = json.dumps({"header": header, "content": {"configuration": {}}}).encode()
        self.commands.send(b"context @@@ " + body)

    def gather(self, action: str, count: int) -> dict[str, int]:
        """Pids of the services that reported ``action``, once ``count`` have."""
        seen: dict[str, int] = {}
        while len(seen) < count:
            if not self.reports.poll(60_000):
                raise SystemExit(f"only {len(seen)} of {count} reported {action}")
            message = json.loads(self.reports.recv().partition(b"@@@")[2])
            if message["header"]["action"] == action:
                seen[message["header"]["service_id"]] = message["content"]["status"].get("pid", 0)
        return seen

    def close(self) -> None:
        self.context.destroy(0)


def free_ports() -> tuple[int, int]:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        return a.getsockname()[1], b.getsockname()[1]


@contextlib.contextmanager
def provider(count: int) -> Iterator[tuple[Bus, psutil.Process]]:
    """A provider over a file of ``count`` idle services."""
    with tempfile.TemporaryDirectory() as directory:
        service = Path(directory, "Services", "Idle")
        service.mkdir(parents=True)
        (service / "__init__.py").write_text("")
        (service / "ServiceIdle.py").write_text(SERVICE)
        sub, pub = free_ports()
        file = Path(directory, "Context-Bench.xml")
        services = "".join(ONE.format(n=n, location=service.parent) for n in range(count))
        file.write_text(HEAD.format(sub=sub, pub=pub) + services + "</Context>")
        process = subprocess.Popen(
            [sys.executable, str(HOME / "tools/service_context.py"), str(file), "--quiet"]
        )
        bus = Bus(sub, pub)
        try:
            yield bus, psutil.Process(process.pid)
        finally:
            bus.command("exit", "T1")
            process.wait(30)
            bus.close()


def await_ends(pids: list[int]) -> None:
    """Return when all these processes have ended."""
    with contextlib.ExitStack() as stack:
        poller = select.poll()
        left = 0
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                fd = os.pidfd_open(pid)
                stack.callback(os.close, fd)
                poller.register(fd, select.POLLIN)
                left += 1
        while left:
            for fd, _ in poller.poll():
                poller.unregister(fd)
                left -= 1


def ours(count: int) -> dict[str, float]:
    with provider(count) as (bus, process):
        begun = time.perf_counter()
        bus.command("start", "T1")
        pids = list(bus.gather("started", count).values())
        ready = time.perf_counter() - begun
        private = statistics.median(psutil.Process(pid).memory_full_info().uss for pid in pids) / 1e6
        weight = process.memory_full_info().uss / 1e6
        begun = time.perf_counter()
        bus.command("stop", "T1")
        await_ends(pids)
        stopped = time.perf_counter() - begun
    return {"ready": ready, "stop": stopped, "private": private, "provider": weight}


def bare(count: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(HOME / "tests/benchmarks/bare_children.py"), str(count)],
        stdout=subprocess.PIPE,
        check=True,
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", default="1,20,200")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"{date.today()}, Python {platform.python_version()}, {os.cpu_count()} cores, {options.runs} runs")
    print()
    columns = [
        "services",
        "start to all ready, s",
        "bare",
        "ratio",
        "stop all, s",
        "bare",
        "private MB each",
        "bare",
    ]
    print("| " + " | ".join([*columns, "provider MB"]) + " |")
    print("|---:" * (len(columns) + 1) + "|")
    for count in map(int, options.counts.split(",")):
        runs = [(ours(count), bare(count)) for _ in range(options.runs)]
        o = {key: statistics.median(run[0][key] for run in runs) for key in runs[0][0]}
        b = {key: statistics.median(run[1][key] for run in runs) for key in runs[0][1]}
        cells = [
            f"{o['ready']:.3f}",
            f"{b['ready']:.3f}",
            f"{o['ready'] / b['ready']:.2f}",
            f"{o['stop']:.3f}",
            f"{b['stop']:.3f}",
            f"{o['private']:.1f}",
            f"{b['private']:.1f}",
            f"{o['provider']:.1f}",
        ]
        print(f"| {count} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
