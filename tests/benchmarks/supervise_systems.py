"""What the supervision benchmark asks of a system under test, and the bare floor as the smallest one.

An adapter knows how its system is configured, launched and commanded, and nothing of what is measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: The checkout; clients of the systems are imported from here.
HOME = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Program:
    """One program to keep alive.

    Args:
        argv: What to execute.
        stop_timeout: Seconds from the stop to SIGKILL; None leaves it to the system.
        logged: Whether its output has to go to a file with rotation, which some do by themselves.
    """

    argv: tuple[str, ...]
    stop_timeout: float | None = None
    logged: bool = False


@dataclass(frozen=True, slots=True)
class PythonServices:
    """So many services written in Python, each of which says ``INDEX.PID`` in a directory when it is up."""

    count: int
    directory: Path


#: What a system is to keep alive: programs called w0, w1 and so on, or Python services likewise.
Load = Sequence[Program] | PythonServices


def name_of(index: int) -> str:
    """What the program with an index is called."""
    return f"w{index}"


def by_interpreter(services: PythonServices) -> list[Program]:
    """Python services for a system that can do no more than execute an interpreter for each."""
    script = str(HERE / "supervise_service.py")
    argv = (sys.executable, script, str(services.directory))
    return [Program((*argv, str(index))) for index in range(services.count)]


def as_programs(load: Load) -> Sequence[Program]:
    """Programs of any load."""
    return by_interpreter(load) if isinstance(load, PythonServices) else load


class System:
    """A system under test, in a working directory of its own.

    Args:
        work: Directory for its files.
    """

    #: What it is called in the table.
    name = ""
    #: Seconds between two looks of its own at its processes; kills come at a random phase of that.
    tick = 0.2
    #: Class of a raw client, as ``MODULE:CLASS``; empty if it has none.
    client = ""
    #: Python that runs the client.
    python = Path(sys.executable)
    #: How to let the services live on without it and find them again; None if it cannot.
    keep: tuple[str, ...] | None = None
    #: How it comes to publish figures of all programs every second: ``no``, ``configured`` or ``asked``.
    statistics = "no"
    #: Whether it runs services written in Python only.
    only_python = False
    #: Class of a listener to its events, as ``MODULE:CLASS``; empty if it has none.
    listener = ""
    #: Why it has none.
    no_listener = "cannot be subscribed to"
    #: What its processes find in their environment besides ours.
    environment: Mapping[str, str] = {}

    def __init__(self, work: Path) -> None:
        self.work = work

    def configure(self, load: Load, *, statistics: bool = False) -> None:
        """Write the files that say what to keep alive."""
        raise NotImplementedError

    def launch(self) -> list[str]:
        """Argv that runs it in the foreground."""
        raise NotImplementedError

    def address(self) -> str:
        """Where a raw client finds it."""
        return ""

    def command(self, verb: str, name: str) -> list[str]:
        """Argv of its command line for ``status``, ``stop``, ``start`` or ``restart`` of a program.

        Empty if it has none.
        """
        return []

    def state(self, output: str) -> str:
        """The state in what ``status`` printed, as the system calls it."""
        return output.strip()


class BareSystem(System):
    """The raw limit in this run."""

    name = "bare"
    client = "tests.benchmarks.supervise_clients:BareClient"
    environment: Mapping[str, str] = {"PYTHONPATH": str(HOME)}

    def configure(self, load: Load, *, statistics: bool = False) -> None:
        programs = as_programs(load)
        conf: dict[str, object] = {
            "socket": self.address(),
            "programs": {
                name_of(index): [program.argv, program.stop_timeout or 10.0]
                for index, program in enumerate(programs)
            },
        }
        if isinstance(load, PythonServices):
            conf["python"] = str(HERE / "supervise_service.py")
            conf["programs"] = {
                name_of(index): [[str(load.directory), str(index)], 10.0] for index in range(load.count)
            }
        (self.work / "bare.json").write_text(json.dumps(conf))

    def launch(self) -> list[str]:
        return [sys.executable, str(HERE / "supervise_bare.py"), str(self.work / "bare.json")]

    def address(self) -> str:
        return str(self.work / "bare.sock")

    def command(self, verb: str, name: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "tests.benchmarks.supervise_raw",
            self.client,
            self.address(),
            verb,
            name,
        ]
