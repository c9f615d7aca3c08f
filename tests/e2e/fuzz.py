"""A provider under a rain of bad frames, a bystander beside it, and a table of what became of both.

    python -m tests.e2e.fuzz --frames 1000000 --seed 1

Every few thousand frames a command is sent and its answer awaited: the answer proves that everything
before it has been taken, so the rain is as dense as the provider can take and nothing hides in a queue.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e import procs
from tests.e2e.blackbox import Provider
from tests.e2e.frames import FrameMaker
from tests.e2e.project import Project, Service, new_transaction
from tests.e2e.wire import Seen

#: Frames between two commands whose answers are awaited.
BATCH = 2_000
#: What the recorder hears besides the answers to its commands.
HEARD = (b"heartbeat @@@ ",)

_BYSTANDER = '''
"""A service that only wants to live, and hears what others throw at it."""

from msgspec import Struct

from context_bus import ControlContent, Message, Task, TaskService, subscribe


class Price(Struct):
    """What its handler takes."""

    symbol: str
    value: float


class Living(Task):
    """Says a number every hundredth of a second."""

    _prices: int = 0
    _reports: int = 0

    def on_control(self, report: Message[ControlContent]) -> None:
        self._reports += 1

    @subscribe("prices")
    def on_price(self, price: Price) -> None:
        self._prices += 1

    def run(self) -> None:
        number = 0
        while not self.wait(0.01):
            number += 1
            self.publish("heartbeat", {"number": number, "prices": self._prices, "reports": self._reports})


class ServiceBystander(TaskService):
    """The service around it."""

    task_class = Living
'''


@dataclass
class Outcome:
    """What became of provider and bystander."""

    seed: int
    frames: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    provider_alive: bool = False
    same_bystander: bool = False
    heartbeats: int = 0
    heartbeats_lost: int = 0
    taken: tuple[int, int] = (0, 0)
    answers: int = 0
    last_command: str = ""
    newcomers: dict[int, str] = field(default_factory=dict)
    rss: dict[str, tuple[int, int]] = field(default_factory=dict)
    output: str = ""

    def faults(self) -> list[str]:
        """What is wrong with it; empty if nothing is."""
        found = {
            "the provider died": not self.provider_alive,
            "the bystander died or was restarted": not self.same_bystander,
            "heartbeats were lost": self.heartbeats_lost > 0,
            "the bystander went silent": self.heartbeats == 0,
            "a valid command was not carried out": self.last_command != "done",
            "processes were left": bool(self.newcomers),
            "something was raised inside": bool(self.raised()),
        }
        return [text for text, is_so in found.items() if is_so]

    def raised(self) -> list[str]:
        """Last lines of the tracebacks that were printed, each kind once."""
        ends = re.findall(r"^[A-Za-z_.]*(?:Error|Exception)\b.*", self.output, re.MULTILINE)
        return sorted({end[:110] for end in ends}) if "Traceback" in self.output else []

    def table(self) -> str:
        """For people."""
        rows = [("seed", self.seed), ("frames sent", f"{self.frames:,}")]
        rows += [(f"  {kind}", f"{count:,}") for kind, count in self.kinds.items()]
        rows += [
            ("seconds", f"{self.seconds:.1f} ({self.frames / max(self.seconds, 0.001):,.0f} frames/s)"),
            ("provider alive, same pid", self.provider_alive),
            ("bystander alive, same pid", self.same_bystander),
            ("commands answered meanwhile", self.answers),
            ("heartbeats heard", f"{self.heartbeats:,}"),
            ("heartbeats lost", self.heartbeats_lost),
            ("prices, reports that its handlers could read", f"{self.taken[0]:,}, {self.taken[1]:,}"),
            ("valid command at the end", self.last_command),
            ("processes left", ", ".join(map(str, self.newcomers)) or "none"),
        ]
        rows += [(f"RSS {who}", f"{_mib(a)} -> {_mib(b)} MiB") for who, (a, b) in self.rss.items()]
        rows += [("raised inside", end) for end in self.raised()]
        rows += [("verdict", ", ".join(self.faults()) or "unharmed")]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f}"


def run(directory: Path, frames: int, seed: int, show: Callable[[str], None] = lambda _: None) -> Outcome:
    """Let it rain on a provider of its own, in a directory of its own."""
    project = Project(directory)
    project.write_service("Bystander", _BYSTANDER)
    outcome = Outcome(seed)
    with Provider(project, project.write_context(), topics=HEARD) as provider:
        transaction = new_transaction()
        answer = provider.ask("start", transaction, [Service("ts_life", "Bystander")])
        pid = answer["services"][0]["pid"]
        provider.wire.wait_for(_is_heartbeat, "a heartbeat")
        before, sizes = provider.processes(), _sizes(provider, pid)
        maker = FrameMaker(seed)
        start = time.monotonic()
        _rain(provider, maker, frames, outcome, show)
        outcome.seconds = time.monotonic() - start
        outcome.kinds = maker.counts
        _judge(provider, pid, outcome)
        outcome.newcomers = {pid: name for pid, name in provider.processes().items() if pid not in before}
        outcome.rss = {name: (size, procs.rss(who)) for name, (who, size) in sizes.items()}
        outcome.output = provider.output
    return outcome


def _sizes(provider: Provider, bystander: int) -> dict[str, tuple[int, int]]:
    """Name -> pid and resident size of everything there is."""
    names = {provider.process.pid: "provider", bystander: "bystander"}
    pids = [provider.process.pid, bystander, *(set(provider.processes()) - names.keys())]
    return {names.get(pid, f"process {pid}"): (pid, procs.rss(pid)) for pid in pids}


def _is_heartbeat(seen: Seen) -> bool:
    return seen.topic == "heartbeat"


def _rain(
    provider: Provider, maker: FrameMaker, frames: int, outcome: Outcome, show: Callable[[str], None]
) -> None:
    for frame in maker.frames(frames):
        provider.wire.raw(frame)
        outcome.frames += 1
        if outcome.frames % BATCH == 0 or outcome.frames == frames:
            provider.ask("stop", "NEVERSTARTED00000000")
            outcome.answers += 1
            provider.wire.forget_others(_is_heartbeat)
            show(f"{outcome.frames:,} frames")


def _judge(provider: Provider, pid: int, outcome: Outcome) -> None:
    """Ask everything that must still work, then count what was heard."""
    since = provider.wire.now
    outcome.provider_alive = provider.process.poll() is None
    # Some frames come out as commands to start a service that does not exist; its restarts end with this.
    provider.ask("stop", "FUZZ", name="all")
    outcome.last_command = _start_and_stop(provider)
    last = provider.wire.wait_for(_is_heartbeat, "a heartbeat after the rain", since)
    heard = [seen for seen in provider.wire.seen if _is_heartbeat(seen)]
    outcome.same_bystander = (
        procs.state(pid) not in ("", "Z") and len({one.header["sender"] for one in heard}) == 1
    )
    numbers = [seen.data["content"]["number"] for seen in heard]
    outcome.heartbeats = len(numbers)
    outcome.heartbeats_lost = numbers[-1] - numbers[0] + 1 - len(numbers)
    outcome.taken = (last.data["content"]["prices"], last.data["content"]["reports"])


def _start_and_stop(provider: Provider) -> str:
    """What becomes of two valid commands."""
    transaction = new_transaction()
    started = provider.ask("start", transaction, [Service("ts_new")])["verbs"][-1]
    return started if started != "done" else str(provider.ask("stop", transaction)["verbs"][-1])


def main() -> int:
    """Run the long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="directory to work in, kept with all that the provider printed")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        directory = given.keep or stack.enter_context(tempfile.TemporaryDirectory())
        outcome = run(Path(directory), given.frames, given.seed, lambda text: print(text, file=sys.stderr))
    print(outcome.table())
    return 1 if outcome.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
