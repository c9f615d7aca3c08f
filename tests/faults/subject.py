"""The provider that suffers: started, commanded, killed and started again on the same file.

Drives ``python -m context_bus service-context`` and knows nothing of its inside; must not judge.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e import procs
from tests.e2e.project import CONTEXT_ID, ROOT, Project
from tests.e2e.wire import Wire
from tests.faults import looks
from tests.faults.actors import write_context
from tests.faults.events import Events

#: The one transaction of a run.
TRANSACTION = "FAULTS"
#: Seconds a provider may take to come up on a machine with far too much to do.
COMING = 30.0
#: Seconds for the answer to a command, asked again as often as it needs.
ANSWER = 30.0
#: Seconds after which a command is sent again: it may have been on its way when the forwarder died.
AGAIN = 2.0
#: A user whose processes are counted, which those of root are not.
NOBODY = 65532


@dataclass(frozen=True, slots=True)
class Manner:
    """How a provider is run.

    Args:
        keeps: Its services outlive it.
        is_poor: It has a small disk for its state and a user of its own, whose processes can be limited.
    """

    keeps: bool = False
    is_poor: bool = False


@dataclass(slots=True)
class Cast:
    """Who is who: pids, 0 where there is none."""

    provider: int = 0
    guardian: int = 0
    forwarder: int = 0
    writer: int = 0
    services: dict[str, int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)


class Subject:
    """A provider, from the first to the last of its lives.

    Args:
        directory: For its project, its state and what it prints.
        manner: How to run it.
    """

    def __init__(self, directory: Path, manner: Manner) -> None:
        self.manner = manner
        self.mark = secrets.token_hex(8)
        self.project = Project(directory)
        self.file = write_context(self.project)
        self.state = directory / "state"
        self.state.mkdir()
        self.is_mounted = manner.is_poor and _mount(self.state)
        self.errors = directory / "errors"
        self._is_other = manner.is_poor and os.geteuid() == 0
        if self._is_other:
            for place in (directory, *directory.rglob("*")):
                os.chown(place, NOBODY, NOBODY)
        self.wire = Wire(self.project.publish_to, self.project.listen_on, topics=(b"reply.",))
        self.process: subprocess.Popen[bytes] | None = None
        self.events: Events | None = None

    # -- coming and going ----------------------------------------------------------------------

    def start(self, *options: str) -> None:
        """Start it; returns when it hears commands."""
        command = [sys.executable, "-m", "context_bus", "service-context", str(self.file)]
        command += ["--json", f"--state={self.state}", "--log_level=info"]
        if self.manner.keeps:
            command.append("--keep_services")
        if self._is_other:
            command = [*_other_user(), *command]
        environment = os.environ | {procs.MARK: self.mark, "PYTHONPATH": str(ROOT)}
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, *options],
                cwd=self.project.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                process_group=0,
            )
        assert self.process.stdout is not None
        self.events = Events(self.process.stdout)
        ready = self.events.wait(lambda event: event["event"] == "ProviderReady", timeout=COMING)
        if ready is None:
            raise AssertionError(f"the provider does not come up:\n{self.tail()}")

    def kill(self, *others: int) -> float:
        """Kill it, and others with it, in one breath.

        Returns:
            Seconds until the last process is gone that is to go with it; at most a few.
        """
        assert self.process is not None
        with contextlib.ExitStack() as stack:
            watches = []
            for pid in looks.census(self.mark):
                with contextlib.suppress(ProcessLookupError):
                    watches.append(os.pidfd_open(pid))
                    stack.callback(os.close, watches[-1])
            began = time.monotonic()
            for pid in (self.process.pid, *others):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.reap()
            if not self.manner.keeps and not others:
                _wait_all(watches, 5.0)
                procs.wait_none_marked(self.mark, 5.0)
            return time.monotonic() - began

    def end(self, number: signal.Signals = signal.SIGTERM, timeout: float = 30.0) -> int | None:
        """End it in order; returns its exit code, None if it does not end."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._forget_process()
        return code

    def reap(self) -> None:
        """Take note of its death."""
        assert self.process is not None
        self.process.wait(10.0)
        self._forget_process()

    def _forget_process(self) -> None:
        # Nobody but the provider and, in keeping manner, who outlives it can have its output.
        if self.events is not None and not self.manner.keeps:
            self.events.join()

    def close(self) -> None:
        """Kill whatever is left, and take away what was made."""
        left = looks.census(self.mark)
        while left:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            procs.wait_gone(left, 5.0)
            left = looks.census(self.mark)
        if self.process is not None:
            self.process.wait(5.0)
        if self.events is not None:
            self.events.join()
        self.wire.close()
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.state)], check=False)

    # -- looking -------------------------------------------------------------------------------

    @property
    def store(self) -> Path:
        """Its database."""
        return next(self.state.glob("*/store.sqlite"), self.state / "none")

    def tail(self, lines: int = 30) -> str:
        """The last lines of what it logged."""
        return "\n".join(self.errors.read_text(errors="replace").splitlines()[-lines:])

    def cast(self, seen: dict[int, looks.Seen]) -> Cast:
        """Who is who among processes that were seen."""
        assert self.events is not None
        assert self.process is not None
        changes = self.events.services()
        cast = Cast(self.process.pid, forwarder=self.events.forwarder())
        cast.states = {name: event["new"] for name, event in changes.items()}
        cast.services = {name: event["pid"] for name, event in changes.items() if event["pid"]}
        python = {one.pid: one for one in seen.values() if one.is_python}
        parents = {one.parent for one in python.values()} & python.keys()
        cast.guardian = next((pid for pid in parents if python[pid].parent not in python), 0)
        if not cast.guardian:
            cast.guardian = next((pid for pid, one in python.items() if one.parent == cast.provider), 0)
        others = set(python) - {cast.guardian, cast.forwarder, *cast.services.values()}
        cast.writer = next((pid for pid in others if _writes(pid)), 0)
        return cast

    # -- commands ------------------------------------------------------------------------------

    def send(self, action: str, services: Iterable[str] = ()) -> str:
        """Send a command without waiting; returns its request id."""
        request = secrets.token_hex(8)
        header = {
            "action": action,
            "service_id": CONTEXT_ID,
            "service_name": "context",
            "service_transaction": TRANSACTION,
            "request_id": request,
            "reply_to": self.wire.inbox,
        }
        tasks = [{"id": name} for name in services]
        configuration = {"TaskService": tasks} if tasks else {}
        self.wire.send("context", {"content": {"configuration": configuration}, "header": header})
        return request

    def ask(self, action: str, services: Iterable[str] = ()) -> bool:
        """Send a command until it is answered; returns whether it was done."""
        chosen = tuple(services)
        deadline = time.monotonic() + ANSWER
        requests = []
        while time.monotonic() < deadline:
            requests.append(self.send(action, chosen))
            with contextlib.suppress(AssertionError):
                last = self.wire.wait_for(
                    lambda seen: (
                        seen.header.get("request_id") in requests
                        and seen.action in ("rejected", "done", "failed")
                    ),
                    timeout=AGAIN,
                )
                return last.action == "done"
        raise AssertionError(f"no answer to {action} {chosen} within {ANSWER} s")


def _writes(pid: int) -> bool:
    return any("/logs/" in name for name in looks.descriptors(pid))


def _other_user() -> list[str]:
    user, group = f"--reuid={NOBODY}", f"--regid={NOBODY}"
    may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    return ["setpriv", user, group, "--clear-groups", *may_read]


def _mount(place: Path) -> bool:
    """Put a small file system of its own at a place, if we may."""
    if os.geteuid() != 0:
        return False
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "faults", str(place)], capture_output=True, check=False
    )
    return tried.returncode == 0


def _wait_all(watches: list[int], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    for watch in watches:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
