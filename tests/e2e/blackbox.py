"""A provider as a process and an old client beside it: the black box and its handles.

Starts ``tools/service_context.py`` as a subprocess and speaks to its endpoints by hand; imports nothing of
context_bus. What a test needs to know about the inside, it reads from the bus or from /proc.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.e2e import procs
from tests.e2e.project import CONTEXT_ID, TOOLS, Project, Service, run_tool
from tests.e2e.wire import PATIENCE, Json, Seen, Wire

#: Seconds in which what ends because its provider has ended is gone.
MOMENT = 3.0
#: Seconds a provider may take to come up on a machine with far too much to do.
START_PATIENCE = 30.0


class Provider:
    """``service_context.py`` as a process, with an old client connected to its bus.

    Use as a context manager; what is left at its end is killed, and is a failure of the test unless
    the test said that it ended the provider itself.
    """

    def __init__(
        self,
        project: Project,
        context_file: Path,
        *args: str,
        topics: Sequence[bytes] = (b"",),
        terminal: int | None = None,
    ) -> None:
        self.project = project
        self.context_file = context_file
        self.mark = secrets.token_hex(8)
        self._args = args
        self._topics = topics
        self._terminal = terminal
        self._out = project.directory / f"provider-{self.mark}.out"
        self._err = project.directory / f"provider-{self.mark}.err"

    def __enter__(self) -> Provider:
        self.wire = Wire(self.project.publish_to, self.project.listen_on, self._topics)
        command = [sys.executable, str(TOOLS / "service_context.py"), str(self.context_file), *self._args]
        place = {"cwd": self.project.directory, "env": os.environ | {procs.MARK: self.mark}}
        with self._out.open("w") as out, self._err.open("w") as err:
            if self._terminal is not None:
                streams = dict.fromkeys(("stdin", "stdout", "stderr"), self._terminal)
                self.process = subprocess.Popen(["setsid", "--ctty", *command], **streams, **place)  # type: ignore[call-overload]
            else:
                nothing = subprocess.DEVNULL
                self.process = subprocess.Popen(  # type: ignore[call-overload]
                    command, stdin=nothing, stdout=out, stderr=err, process_group=0, **place
                )
        try:
            self._wait_ready()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is not None:
                error.add_note(self.output)
            elif self.process.poll() is None:
                self.end(signal.SIGTERM)
        finally:
            self._clean_up()

    def _wait_ready(self) -> None:
        watch = os.pidfd_open(self.process.pid)
        try:
            self.wire.wait_listener(b"context", START_PATIENCE, watch)
            self.wire.wait_recorder()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None
        finally:
            os.close(watch)

    def _clean_up(self) -> None:
        left = procs.marked(self.mark)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        procs.wait_gone(left, PATIENCE)
        self.wire.close()

    @property
    def output(self) -> str:
        """What it printed so far, on both streams."""
        return f"--- stdout\n{self._out.read_text()}\n--- stderr\n{self._err.read_text()}"

    @property
    def errors(self) -> str:
        """What it printed on stderr so far."""
        return self._err.read_text()

    def processes(self) -> dict[int, str]:
        """Every living process that came from it, itself included."""
        return procs.marked(self.mark)

    def wait_end(self, timeout: float = PATIENCE) -> int:
        """Wait for the provider's end and check that it left nothing: processes, ports."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the provider did not end within {timeout} s\n{self.output}") from None
        # The tracker of multiprocessing ends itself at the end of its pipe, a moment after us.
        left = procs.wait_none_marked(self.mark, MOMENT)
        assert not left, f"left behind: {left}\n{self.output}"
        assert self.project.ports_free(), "the ports are still held"
        return code

    def end(self, number: signal.Signals, timeout: float = PATIENCE) -> None:
        """End it by a signal and check that it went in order."""
        self.process.send_signal(number)
        code = self.wait_end(timeout)
        assert code in (0, 128 + number), f"exit code {code}\n{self.output}"

    # -- commands of an old client ---------------------------------------------------------------

    def images(self, services: Sequence[Service]) -> list[Json]:
        """TaskService objects of services of this project."""
        return [service.image(self.project.services) for service in services]

    def command(
        self,
        action: str,
        transaction: str,
        services: Sequence[Service] | None = None,
        *,
        name: str = "context",
        context_id: str = CONTEXT_ID,
        **header: str,
    ) -> None:
        """Send a command on topic ``context``, in the shape of the original's README form.

        Args:
            services: Their objects as TaskService; None for an empty configuration, as the original
                sent with ``stop``.
        """
        configuration: Json = {}
        if services is not None:
            configuration = {
                "BackendBind": self.project.listen_on,
                "BackendEndpoint": self.project.publish_to,
                "ContextID": CONTEXT_ID,
                "FrontBind": self.project.publish_to,
                "FrontEndEndpoint": self.project.listen_on,
                "TaskLogName": "Test",
                "TaskService": self.images(services),
            }
        head = {"action": action, "service_id": context_id, "service_name": name} | header
        head["service_transaction"] = transaction
        self.wire.send("context", {"content": {"configuration": configuration}, "header": head})

    def ask(
        self, action: str, transaction: str, services: Sequence[Service] | None = None, **more: str
    ) -> Json:
        """Send a command and wait for its outcome.

        Returns:
            Content of the last answer, with the verbs of all answers so far as ``verbs``.
        """
        request = secrets.token_hex(8)
        since = self.wire.now
        self.command(action, transaction, services, request_id=request, reply_to=self.wire.inbox, **more)
        last = self.wire.wait_for(
            lambda seen: _answers(seen, request) and seen.action in ("rejected", "done", "failed"),
            f"answer to {action}",
            since,
        )
        answers = [seen for seen in self.wire.seen[since:] if _answers(seen, request)]
        return dict(last.data["content"]) | {"verbs": [seen.action for seen in answers]}

    def process_message(self, action: str, transaction: str, service: Service) -> None:
        """Send a process message for one service, as any client of the original may."""
        image = service.image(self.project.services)
        image["Task"]["message"]["header"] |= {
            "action": action, "service_id": service.id, "transaction": transaction
        }  # fmt: skip
        self.wire.send("process", image)

    def record(self, transaction: str) -> Json:
        """Ask for the record of a transaction over the wire, as ``--action=request`` does."""
        since = self.wire.now
        header = {"action": "request", "service_id": "", "service_name": "state"}
        message = {"content": {"configuration": {}}, "header": header | {"service_transaction": transaction}}
        self.wire.send("state", message)
        reply = self.wire.wait_for(
            lambda seen: (
                seen.topic == "state" and seen.action == "reply_context" and seen.transaction == transaction
            ),
            f"reply_context of {transaction}",
            since,
        )
        return dict(reply.data["content"])

    def wait_until_recorded(
        self, transaction: str, condition: Callable[[dict[str, Json]], bool], since: int = 0, what: str = ""
    ) -> dict[str, Json]:
        """Wait for a broadcast in which the task records of a transaction, by id, are as wanted.

        What a client hears of a service is on its way to the provider, too; this waits until it is there.
        """

        def tasks(seen: Seen) -> dict[str, Json]:
            data = seen.status.get("data", [])
            return next((tasks_of(entry[transaction]) for entry in data if transaction in entry), {})

        found = self.wire.wait_for(
            lambda seen: seen.topic == "control" and bool(tasks(seen)) and condition(tasks(seen)),
            what or f"record of {transaction} as wanted",
            since,
        )
        return tasks(found)

    def wait_recorded(self, action: str, service_id: str, transaction: str, since: int = 0) -> Json:
        """Wait for a broadcast in which the record of a service shows that action; returns the record."""
        tasks = self.wait_until_recorded(
            transaction,
            lambda tasks: tasks.get(service_id, {}).get("action") == action,
            since,
            f"record of {service_id} with {action}",
        )
        return tasks[service_id]

    def conf_command(self, *args: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``conf_command.py`` at this provider's endpoint."""
        return run_tool(
            "conf_command.py",
            f"--endpoint={self.project.publish_to}",
            f"--context_file={self.context_file}",
            *args,
            cwd=self.project.directory,
            **options,
        )


def _answers(seen: Seen, request: str) -> bool:
    return seen.topic.startswith("reply.") and seen.header.get("request_id") == request


def tasks_of(record: Json) -> dict[str, Json]:
    """The task records of a transaction's record, by id."""
    return {task["service_id"]: task for task in record["tasks"]}
