"""A context with all its looking on, for as long as wanted: what grows?

    python -m tests.benchmarks.soak [--minutes 20] [--services 50] [--json FILE]

Services publish and listen, one fails again and again, a Monitor samples and records once a second; meanwhile
one client asks for all figures once a second, and another one listens to the counters of the bus. Every ten
seconds each process of ours is looked at from outside, in /proc. A process is flat if the middle of its last
quarter is no more than 2 % or 0.5 MB above that of its second one, and its descriptors are as many. Exits
with 1 if one is not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks import supervise_looks as looks
from tests.benchmarks.supervise_ours import HEAD, PROGRAM
from tests.benchmarks.supervise_peers import free_ports
from tests.benchmarks.supervise_systems import HOME

#: Seconds between two looks.
EVERY = 10.0
#: Share, and MB, by which memory may differ and still be called flat.
SHARE, ROOM = 0.02, 0.5
#: Seconds that the first sample may take to come.
PATIENCE = 60.0

SERVICE = '''"""One that talks, and one that listens."""
from context_bus import Task, TaskService, subscribe


class Talking(Task):
    """Publishes a price 20 times a second."""

    def run(self) -> None:
        """Talk until told to stop."""
        number = 0
        while not self.wait(0.05):
            number += 1
            self.publish("prices", {"number": number, "text": "x" * 200})

    @subscribe("nobody.talks.here")
    def on_word(self, content: object) -> None:
        """Hear what never comes."""


class ServiceTalk(TaskService):
    """The same as a service."""

    task_class = Talking
'''
LISTENER = '''"""One that listens."""
from context_bus import Task, TaskService, subscribe


class Hearing(Task):
    """Counts prices."""

    count = 0

    @subscribe("prices")
    def on_price(self, content: object) -> None:
        """Count one."""
        self.count += 1


class ServiceHear(TaskService):
    """The same as a service."""

    task_class = Hearing
'''
PYTHON = """  <TaskService id="{name}" instance="{instance}" serviceType="Process" topic="process">
    <Task>
      <message>
        <header><action>start</action><service_name>{name}</service_name></header>
        <content><configuration><location>{location}</location></configuration></content>
      </message>
      <state type="on_start"/>
    </Task>
    <supervision><restart policy="always"/></supervision>
  </TaskService>
"""
FAILING = """  <TaskService id="failing" serviceType="Command">
    <command>sh -c 'sleep 5; exit 3'</command>
    <supervision><restart policy="always" delay="1" max_restarts="100000" window="3600"/></supervision>
  </TaskService>
"""
MONITOR = """  <TaskService id="ts000" instance="Monitor" serviceType="Process" topic="process">
    <Task>
      <message>
        <header><action>start</action><service_name>monitor</service_name></header>
        <content><configuration>
          <publisher>
            <endpoint>tcp://127.0.0.1:{port}</endpoint><frequency_s>1.0</frequency_s><type>pub</type>
          </publisher>
          <monitor_options><store_records>1</store_records></monitor_options>
        </configuration></content>
      </message>
      <state type="on_start"/>
    </Task>
  </TaskService>
"""


@dataclass(slots=True)
class Role:
    """One process over time: what it held at each look."""

    pid: int
    rss: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Look once."""
        cost = looks.cost([self.pid])
        self.rss.append(cost.rss)
        self.memory.append(looks.anonymous(self.pid))
        self.descriptors.append(cost.descriptors)
        self.cpu.append(cost.cpu)

    def row(self) -> dict[str, Any]:
        """What came of it: the middle of each quarter of memory, MB, and the descriptors of two of them."""
        memory, descriptors = _quarters(self.memory), _quarters([float(each) for each in self.descriptors])
        spent = (self.cpu[-1] - self.cpu[0]) / ((len(self.cpu) - 1) * EVERY)
        before, after = memory[1], memory[3]
        return {
            "rss": self.rss[-1],
            "memory": memory,
            "descriptors": [descriptors[1], descriptors[3]],
            "cpu_percent": 100 * spent,
            "flat": after <= max(before * (1 + SHARE), before + ROOM) and descriptors[3] <= descriptors[1],
            "every_look": self.memory,
        }


def _quarters(values: list[float]) -> list[float]:
    size = max(1, len(values) // 4)
    return [statistics.median(values[number * size : (number + 1) * size]) for number in range(4)]


def write_context(work: Path, services: int) -> Path:
    """Write a context of so many services into a directory."""
    ports = free_ports(3)
    location = work / "Services"
    for instance, text in (("Talk", SERVICE), ("Hear", LISTENER)):
        package = location / instance
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / f"Service{instance}.py").write_text(text)
    text = HEAD.format(listen=ports, publish=ports + 1) + MONITOR.format(port=ports + 2) + FAILING
    for number in range(services - 2):
        instance = "Hear" if number % 10 == 0 else "Talk"
        text += PYTHON.format(name=f"w{number}", instance=instance, location=location)
    file = work / "Context-Soak.xml"
    file.write_text(text + "</Context>\n")
    return file


@contextlib.contextmanager
def provider(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A provider of a context, with everything started."""
    command = [*PROGRAM, "service-context", str(file), "--start=SOAK", "--quiet"]
    with subprocess.Popen(command, cwd=file.parent, env={**_environment()}) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _environment() -> Mapping[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(HOME)}


def soak(minutes: float, services: int, work: Path) -> dict[str, dict[str, Any]]:
    """Run it; what became of each process of ours."""
    from context_bus.client import asking
    from context_bus.client.insight import BusWatch
    from context_bus.client.sampling import top
    from context_bus.client.whereabouts import endpoints_of

    file = write_context(work, services)
    with provider(file) as process:
        looks.wait_for(lambda: _card(file) or process.poll() is not None, PATIENCE)
        endpoints = endpoints_of(file, None, None)
        with asking.open_conversation(endpoints) as conversation, BusWatch(endpoints) as watch:
            looks.wait_for(lambda: _started(asking.services(conversation)) >= services - 1, PATIENCE)
            found = asking.services(conversation)
            monitor = next(
                task.pid for each in found.transactions for task in each.tasks if task.service_id == "ts000"
            )
            forwarder = int(found.provider["forwarder_pid"])
            roles = {
                "provider": Role(process.pid),
                "forwarder": Role(forwarder),
                "guardian": Role(looks.parent(forwarder)),
                "monitor": Role(monitor or 0),
                "a service": Role(
                    next(t.pid or 0 for e in found.transactions for t in e.tasks if t.service_id == "w1")
                ),
            }
            end = time.monotonic() + 60 * minutes
            next_look = time.monotonic()
            while (now := time.monotonic()) < end:
                if now >= next_look:
                    next_look += EVERY
                    for role in roles.values():
                        role.look()
                top(conversation, "SOAK", brief=True)
                while (left := now + 1.0 - time.monotonic()) > 0:
                    watch.read(left)
            return {name: role.row() for name, role in roles.items()}


def _card(file: Path) -> bool:
    return any(file.parent.glob(".context_bus/*/provider.json"))


def _started(found: object) -> int:
    from context_bus.client.asking import Services

    assert isinstance(found, Services)
    return sum(
        task.state == "started" or task.action in {"started", "updated"}
        for each in found.transactions
        for task in each.tasks
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--services", type=int, default=50)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as work:
        rows = soak(options.minutes, options.services, Path(work))
    print(f"{options.minutes:g} minutes, {options.services} services; memory by quarters, no files, in MB")
    print(f"{'process':<10} {'RSS':>6} {'memory':>27} {'fds':>9} {'CPU %':>6}")
    for name, row in rows.items():
        memory = " ".join(f"{each:6.2f}" for each in row["memory"])
        descriptors = " ".join(f"{each:g}" for each in row["descriptors"])
        grows = "" if row["flat"] else "GROWS"
        print(f"{name:<10} {row['rss']:6.1f} {memory} {descriptors:>9} {row['cpu_percent']:6.2f}  {grows}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))
    sys.exit(0 if all(row["flat"] for row in rows.values()) else 1)


if __name__ == "__main__":
    main()
