"""One life of a system under test: launched over some programs, looked at, ended, and nothing left.

Knows the adapters and the looks; the rows are built from it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import supervise_looks as looks
from tests.benchmarks.supervise_raw import Raw
from tests.benchmarks.supervise_systems import HERE, HOME, Load, Program, PythonServices, System, name_of

#: Environment variable by which everything that a trial starts is known, wherever it ends up.
VARIABLE = "CONTEXT_BUS_BENCHMARK"
#: Seconds that a launch or a shutdown may take.
PATIENCE = 60.0
#: Numbers that one trial may take.
ROOM = 2000
#: Programs whose processes belong to the services although their last argument is something else.
SERVICES = frozenset({b"sleep", b"yes", b"sh", b"setsid"})


class TrialError(Exception):
    """A system did not do what every row takes for granted; the row says so instead of a figure."""


class Trial:
    """One life.

    Args:
        kind: The system.
        work: A directory of its own.
    """

    def __init__(self, kind: type[System], work: Path) -> None:
        self.work = work
        self.system = kind(work)
        self.mark = 10**10 + secrets.randbelow(10**7) * ROOM
        self.finder = looks.Finder(self.mark, ROOM)
        self.programs = self.count = 0
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._word = f"{os.getpid()}-{self.mark}"
        self._raw: Raw | None = None

    # -- programs ----------------------------------------------------------------------------------

    def sleeper(self, index: int) -> Program:
        """A program that does nothing."""
        return Program(("sleep", str(self.mark + index)))

    def script(self, index: int, text: str, *numbers: int, logged: bool = False) -> Program:
        """A shell script; ``{0}`` and so on become the numbers by which these processes are found."""
        path = self.work / f"w{index}.sh"
        marks = [self.mark + number for number in numbers]
        path.write_text("#!/bin/sh\n" + text.format(*marks, work=self.work) + "\n")
        path.chmod(0o755)
        return Program((str(path),), logged=logged)

    def stubborn(self, index: int, seconds: float, stop_timeout: float | None) -> Program:
        """A program that needs so long to end; below zero it has to be killed."""
        words = (shutil.which("python3") or "python3", "-S", str(HERE / "supervise_stubborn.py"))
        file = str(self.work / f"told{index}")
        return Program((*words, file, f"{seconds:g}", str(self.mark + index)), stop_timeout)

    def was_told(self, index: int) -> bool:
        """Whether a stubborn program was asked to end."""
        return (self.work / f"told{index}").exists()

    def await_ready(self, *indexes: int) -> None:
        """Wait until these stubborn programs can be asked to end."""
        looks.wait_for(lambda: all(self.can_be_told(index) for index in indexes), PATIENCE)

    def await_told(self, index: int, patience: float) -> float | None:
        """When a stubborn program was asked to end."""
        return looks.wait_for(lambda: self.was_told(index), patience)

    def await_living(self, count: int, patience: float) -> bool:
        """Wait until so many of the numbers live."""
        return looks.wait_for(lambda: len(self.finder.living()) >= count, patience) is not None

    def can_be_told(self, index: int) -> bool:
        """Whether a stubborn program is there to be asked."""
        return (self.work / f"told{index}.ready").exists()

    # -- life --------------------------------------------------------------------------------------

    def configure(self, load: Load, count: int | None = None, *, statistics: bool = False) -> None:
        """Say what to keep alive, and how many numbers then live."""
        if self.system.only_python and not isinstance(load, PythonServices):
            raise TrialError("programs only")
        if isinstance(load, PythonServices):
            load.directory.mkdir(exist_ok=True)
            self.finder = looks.FileFinder(load.directory, ROOM)
        self.count = (
            (load.count if isinstance(load, PythonServices) else len(load)) if count is None else count
        )
        self.system.configure(load, statistics=statistics)

    def launch(self, *options: str, descriptors: int = 0) -> float:
        """Start the system; when, on the monotonic clock.

        Args:
            options: To be added to its command line.
            descriptors: How many a process may have, at most; 0 leaves it.
        """
        with open(self.work / "output", "ab") as output:
            begun = time.monotonic()
            limited = ["prlimit", f"--nofile={descriptors}"] if descriptors else []
            process = subprocess.Popen(
                [*limited, *self.system.launch(), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.work,
                env=self._environment(),
            )
        self._daemons.append(process)
        return begun

    def up(self, *options: str, patience: float = PATIENCE) -> float:
        """Launch, and wait until every program was executed; how long that took, in seconds."""
        begun = self.launch(*options)
        step = looks.STEP if self.count == 1 else looks.COARSE_STEP
        at = looks.wait_for(lambda: self.is_up() or self.daemon.poll() is not None, patience, step)
        if at is None or not self.is_up():
            last = (self.work / "output").read_text(errors="replace").strip().rpartition("\n")[2]
            raise TrialError(f"{len(self.finder.look())} of {self.count} came up; {last[:100]}")
        return at - begun

    def is_up(self) -> bool:
        """Whether every program was executed."""
        return len(self.finder.look()) >= self.count

    @property
    def daemon(self) -> subprocess.Popen[bytes]:
        """The system's first process, of its last launch."""
        return self._daemons[-1]

    def daemons(self) -> set[int]:
        """Living processes of the system itself."""
        found = looks.descendants(self.daemon.pid) - {
            pid for pids in self.finder.look().values() for pid in pids
        }
        return {pid for pid in found if looks.is_alive(pid) and not _is_service(pid)}

    def guardians(self) -> set[int]:
        """Parents of the programs that are not the system's first process."""
        parents = {looks.parent(pid) for pid in self.finder.all_living()}
        return parents & self.daemons() - {self.daemon.pid}

    def down(
        self, number: signal.Signals = signal.SIGTERM, patience: float = PATIENCE
    ) -> tuple[float | None, int]:
        """End the system; seconds until all were gone (None: never), and how many programs were left."""
        everything = {*self.finder.all_living(), self.daemon.pid}
        begun = time.monotonic()
        self.daemon.send_signal(number)
        at = looks.wait_gone(everything, patience)
        self.daemon.poll()
        left = len(self.finder.all_living())
        return (None if at is None or left else at - begun), left

    def settle(self, patience: float = PATIENCE / 3) -> None:
        """Wait until the living processes have stayed the same for a second."""
        end = time.monotonic() + patience
        seen, since = self.finder.all_living(), time.monotonic()
        while time.monotonic() < min(end, since + 1.0):
            time.sleep(looks.COARSE_STEP)
            now = self.finder.all_living()
            if now != seen:
                seen, since = now, time.monotonic()

    def kill_daemon(self) -> None:
        """End the system's first process without a warning."""
        self.daemon.kill()
        self.daemon.wait()

    # -- asking ------------------------------------------------------------------------------------

    @property
    def raw(self) -> Raw:
        """The raw client."""
        if self._raw is None:
            if not self.system.client:
                raise TrialError("no raw client")
            self._raw = Raw(self.system.python, self.system.client, self.system.address(), HOME)
            self._raw.ask("hello")
        return self._raw

    def command(self, verb: str, index: int = 0) -> subprocess.Popen[bytes]:
        """Start its command line; not waited for. What it prints goes to the file ``said``."""
        words = self.system.command(verb, name_of(index))
        if not words:
            raise TrialError("no command line")
        with open(self.work / "said", "wb") as said:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.work,
                env=self._environment(),
            )

    def ask_state(self) -> str:
        """What its command line calls the state of the first program."""
        self.command("status").wait(PATIENCE)
        return self.system.state((self.work / "said").read_text(errors="replace")) or "?"

    def run(
        self, verb: str, index: int = 0, effect: Callable[[], object] = lambda: True
    ) -> tuple[float, float]:
        """Run its command line; seconds until it had returned, and until an effect was seen.

        Raises:
            TrialError: It failed, or the effect did not come.
        """
        begun = time.monotonic()
        process = self.command(verb, index)
        returned = seen = 0.0

        def is_over() -> bool:
            nonlocal returned, seen
            if not returned and process.poll() is not None:
                returned = time.monotonic()
            if not seen and effect():
                seen = time.monotonic()
            return bool(returned and seen)

        if looks.wait_for(is_over, PATIENCE) is None:
            process.kill()
            process.wait()
            raise TrialError(f"{verb}: " + ("it never came to that" if returned else "it never returned"))
        if process.returncode != 0 and verb != "status":  # a query may tell a state by its exit code
            said = (self.work / "said").read_text(errors="replace").strip()
            raise TrialError(f"{verb} refused: {said.splitlines()[-1][:80] if said else process.returncode}")
        return returned - begun, seen - begun

    # -- the end -----------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return {**own, **self.system.environment, VARIABLE: self._word}

    def close(self) -> None:
        """Kill whatever this trial started, wherever it is now."""
        if self._raw is not None:
            self._raw.close()
        for _ in range(100):  # what is killed last may have started another
            for daemon in self._daemons:
                daemon.kill()
                daemon.wait()
            left = self.finder.all_living() | looks.marked(f"{VARIABLE}={self._word}")
            if not left:
                break
            looks.kill(left)
            looks.wait_gone(left, 1.0)


def _is_service(pid: int) -> bool:
    return os.path.basename(looks.arguments(pid)[0]) in SERVICES


@contextlib.contextmanager
def trial(kind: type[System]) -> Iterator[Trial]:
    """A trial with a directory of its own; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="supervise-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)  # whoever is refused must be so by the system under test
        life = Trial(kind, Path(directory))
        try:
            yield life
        finally:
            life.close()


@contextlib.contextmanager
def sleeping(kind: type[System], count: int) -> Iterator[Trial]:
    """A trial in which so many programs sleep."""
    with trial(kind) as life:
        life.configure(sleepers(life, count))
        life.up()
        yield life


def sleepers(life: Trial, count: int) -> Load:
    """Programs that do nothing; of a system that runs Python services only, such."""
    if life.system.only_python:
        return PythonServices(count, life.work / "up")
    return [life.sleeper(index) for index in range(count)]
