"""The provider that suffers: started, commanded, killed and started again on the same file.

Drives ``python -m context_bus service-context`` and knows nothing of its inside; must not judge.
"""

from __future__ import annotations

import contextlib
import os
import resource
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
from tests.faults.events import Event, Events
from tests.faults.warden import Warden

#: The one transaction of a run.
TRANSACTION = "FAULTS"
#: Seconds a provider may take to come up on a machine with far too much to do.
COMING = 30.0
#: Seconds for the answer to a command, asked again as often as it needs.
ANSWER = 30.0
#: Seconds after which a command is sent again: it may have been on its way when the forwarder died.
AGAIN = 2.0
#: Seconds after which a question is asked again, which does no harm.
AGAIN_QUERY = 0.2
#: First of the users whose processes are counted, which those of root are not; a run has one to itself.
NOBODY = 70_000


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
    #: Writers of outputs; those of providers that are gone go on for services that outlived them.
    writers: set[int] = field(default_factory=set)
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
        self._warden = Warden(self.mark, directory)
        self.project = Project(directory)
        self.file = write_context(self.project)
        self.state = directory / "state"
        self.state.mkdir()
        self.is_mounted = manner.is_poor and _mount(self.state)
        self.errors = directory / "errors"
        self._user = NOBODY + secrets.randbelow(5000) if manner.is_poor and os.geteuid() == 0 else 0
        if self._user:
            for place in (directory, *directory.rglob("*")):
                os.chown(place, self._user, self._user)
        self.wire = Wire(self.project.publish_to, self.project.listen_on, topics=(b"reply.",))
        self.process: subprocess.Popen[bytes] | None = None
        self.events: Events | None = None
        #: What a provider said of the services it adopted, which it does not tell as an event.
        self._adopted: dict[str, Event] = {}
        #: Whether the provider that runs has adopted services.
        self.has_adopted = False

    # -- coming and going ----------------------------------------------------------------------

    def start(self, *options: str) -> None:
        """Start it; returns when it hears commands."""
        command = [sys.executable, "-m", "context_bus", "service-context", str(self.file)]
        command += ["--json", f"--state={self.state}", "--log_level=info"]
        if self.manner.keeps:
            command.append("--keep_services")
        if self._user:
            command = [*_other_user(self._user), *command]
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
        self._adopted = self.services() if self.manner.keeps else {}
        told = self.events.wait(
            lambda event: event["event"] in ("ContextResumed", "CommandHeard"), timeout=COMING
        )
        self.has_adopted = bool((told or {}).get("adopted"))

    def kill(self, *others: int, waits: bool = True) -> float:
        """Kill it, and others with it, in one breath.

        Args:
            others: Further processes; 0 is nobody.
            waits: Wait until what is to go with it is gone.

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
            for pid in filter(None, (self.process.pid, *others)):  # 0 would be ourselves
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(10.0)
            if waits:
                self._forget_process()
            if waits and not self.manner.keeps and not others:
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

    def _forget_process(self) -> None:
        # Nobody but the provider and, in keeping manner, who outlives it can have its output.
        if self.events is not None and not self.manner.keeps:
            self.events.join()

    def close(self) -> None:
        """Kill whatever is left, and take away what was made."""
        self._warden.close()
        if self.process is not None:
            self.process.wait(5.0)
        if self.events is not None:
            self.events.join()
        self.wire.close()

    def limit(self, pid: int, what: str, number: int | None) -> None:
        """Lower the limit of a process, or give it back what it had, as the user whose process it is.

        Args:
            pid: Of the process.
            what: Option of ``prlimit``.
            number: The new limit; None for what it may have at most.
        """
        resource_of = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}[what]
        hard = resource.getrlimit(resource_of)[1]
        highest = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
        command = ["prlimit", f"--pid={pid}", f"--{what}={highest if number is None else number}:{highest}"]
        done = subprocess.run(
            [*(_other_user(self._user) if self._user else ()), *command], capture_output=True, check=False
        )
        if done.returncode and Path(f"/proc/{pid}").exists():
            raise AssertionError(f"{command}: {done.stderr.decode()}")

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
        changes = self._adopted | self.events.services()
        cast = Cast(self.process.pid, forwarder=self.events.forwarder())
        cast.states = {name: event["new"] for name, event in changes.items()}
        cast.services = {name: event["pid"] for name, event in changes.items() if event["pid"]}
        python = {one.pid: one for one in seen.values() if one.is_python}
        parents = {one.parent for one in python.values()} & python.keys()
        cast.guardian = next((pid for pid in parents if python[pid].parent not in python), 0)
        if not cast.guardian:
            cast.guardian = next((pid for pid, one in python.items() if one.parent == cast.provider), 0)
        others = set(python) - {cast.guardian, cast.forwarder, *cast.services.values()}
        cast.writers = {pid for pid in others if _writes(pid)}
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

    def services(self) -> dict[str, Event]:
        """State and process of each service, as the provider answers it, asked again until it does.

        After this it hears us, and we it: what is asked while a forwarder is being replaced goes nowhere.
        """
        deadline = time.monotonic() + ANSWER
        while time.monotonic() < deadline:
            request = secrets.token_hex(8)
            header = {"action": "services", "service_name": "state", "request_id": request}
            header |= {"service_id": "", "service_transaction": "", "reply_to": self.wire.inbox}
            self.wire.send("state", {"content": {"configuration": {}}, "header": header})
            with contextlib.suppress(AssertionError):
                reply = self.wire.wait_for(
                    lambda seen, request=request: seen.header.get("request_id") == request,
                    timeout=AGAIN_QUERY,
                )
                rows = [row for one in reply.data["content"]["transactions"] for row in one["tasks"]]
                return {row["service_id"]: {"new": row["phase"], "pid": row["pid"]} for row in rows}
        raise AssertionError(f"no answer about the services within {ANSWER} s")

    def answers(self, request: str) -> list[str]:
        """How a command has been answered so far."""
        return [seen.action for seen in list(self.wire.seen) if seen.header.get("request_id") == request]

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
    """Whether this is a writer of outputs: it waits as one does, and is on no bus."""
    held = looks.descriptors(pid)
    return "anon_inode:[eventpoll]" in held and "anon_inode:[eventfd]" not in held


def _other_user(number: int) -> list[str]:
    user, group = f"--reuid={number}", f"--regid={number}"
    may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    return ["setpriv", user, group, "--clear-groups", *may_read]


def _mount(place: Path) -> bool:
    """Put a small file system of its own at a place, if we may."""
    if os.geteuid() != 0:
        return False
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "faults", str(place)], capture_output=True, check=False
    )
    return tried.returncode == 0


def _wait_all(watches: list[int], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    for watch in watches:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
