"""Rows of the checklist about what the tools print: record, generated transaction, display."""

from __future__ import annotations

import json
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.blackbox import Provider
from tests.e2e.project import TOOLS, Project, Service, the_error
from tests.e2e.wire import PATIENCE, Seen

SERVICES = (
    Service("ts_1", service_name="first_one", configuration={"device_action": "one"}),
    Service("ts_2", service_name="second_one", state="on_update"),
)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider with both services of its file started under transaction T1."""
    project = Project(tmp_path_factory.mktemp("project"))
    with Provider(project, project.write_context(SERVICES)) as running:
        assert running.ask("start", "T1")["verbs"][-1] == "done"
        yield running


def test_row_18_request_prints_the_record(started: Provider) -> None:
    """``--action=request`` prints id, name, pid, instance and state of each service."""
    ended = started.conf_command("--service_name=state", "--transaction=T1", "--action=request")
    assert ended.returncode == 0, ended
    for service, state in zip(SERVICES, ("started", "created"), strict=True):
        pid = started.wire.report(state, service.id, "T1").status["pid"]
        line = next(line for line in ended.stdout.splitlines() if re.search(rf"\b{service.id}\b", line))
        for word in (service.service_name, str(pid), "Actor", state):
            assert word in line, (word, line)


def test_row_18_request_prints_json(started: Provider) -> None:
    """With ``--json`` the same record is one JSON object with the fields of old."""
    ended = started.conf_command("--service_name=state", "--transaction=T1", "--action=request", "--json")
    assert ended.returncode == 0, ended
    record = json.loads(ended.stdout)
    tasks = {task["service_id"]: task for task in record["tasks"]}
    assert {"action", "instance", "pid", "serviceName", "service_id", "state", "task"} <= tasks["ts_1"].keys()
    assert tasks["ts_1"]["serviceName"] == "first_one"
    assert record["contextId"] == "context001"


def test_row_18_request_of_an_unknown_transaction_says_so(started: Provider) -> None:
    """Asking for what is not there ends with one line and a non-zero exit."""
    ended = started.conf_command("--service_name=state", "--transaction=NEVER", "--action=request")
    assert "NEVER" in the_error(ended)


def test_row_18_old_request_is_answered_on_topic_state(started: Provider) -> None:
    """The frame of an old tool gets ``reply_context`` with the record and its old fields."""
    record = started.record("T1")
    assert record["contextId"] == "context001"
    assert {"BackendBind", "BackendEndpoint", "FrontBind", "FrontEndEndpoint"} <= record[
        "configuration"
    ].keys()
    for task in record["tasks"]:
        assert {"action", "instance", "pid", "serviceName", "service_id", "state", "task"} <= task.keys()
        assert task["task"]["id"] == task["service_id"]


@pytest.mark.parametrize("given", ["--transaction=", None], ids=["empty", "absent"])
def test_row_23_transaction_is_generated_and_printed(project: Project, given: str | None) -> None:
    """Without a transaction, 20 characters [A-Z0-9] are made up and told, and they are the one used."""
    with Provider(project, project.write_context(SERVICES)) as provider:
        ended = provider.conf_command("--service_name=context", "--action=start", *([given] if given else []))
        assert ended.returncode == 0, ended
        printed = set(re.findall(r"\b[A-Z0-9]{20}\b", ended.stdout + ended.stderr))
        assert len(printed) == 1, ended
        provider.wire.report("started", "ts_1", printed.pop())


class _Display:
    """A display as a subprocess, its output read as it comes."""

    def __init__(self, provider: Provider, *args: str) -> None:
        listen_on = provider.project.listen_on
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(TOOLS / "display.py"), f"--endpoint={listen_on}", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.text = ""

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE)

    def read_until(self, word: str) -> str:
        """Read on until a word has been printed; returns everything printed so far."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while word not in self.text:
                assert selector.select(max(0.0, deadline - time.monotonic())), f"no {word!r} in:\n{self.text}"
                chunk = self.process.stdout.read1(65536)  # type: ignore[attr-defined]  # a BufferedReader
                assert chunk, f"display ended:\n{self.text}"
                self.text += chunk.decode()
        return self.text


def _is_context_info(seen: Seen) -> bool:
    return seen.status.get("device_action") == "context_info"


def _silent(project: Project, file: Path) -> Provider:
    """A provider whose recorder leaves the subscription to everything to the display."""
    return Provider(project, file, topics=(b"control", b"state"))


@pytest.mark.parametrize("verbose", [False, True], ids=["plain", "verbose"])
def test_row_27_display_prints_every_topic(project: Project, transaction: str, verbose: bool) -> None:
    """display prints all topics with pretty JSON; context_info is one line unless ``-v``."""
    with _silent(project, project.write_context(SERVICES)) as provider:
        with _Display(provider, *(["-v"] if verbose else [])) as display:
            provider.wire.wait_everything_listener()
            provider.command("start", transaction)
            provider.wire.report("started", "ts_1", transaction)
            provider.wire.wait_for(_is_context_info, "a broadcast")
            provider.record(transaction)
            provider.wire.send("custom", {"header": {}, "content": {"text": "the end"}})
            text = display.read_until("the end")
        for topic in ("context", "process", "control", "state", "custom"):
            assert f"[{topic}]" in text, topic
        assert '"device_action": "one"' in text
        assert ("Message with [context_info]" in text) != verbose
        assert ('"contextLogName": "Test"' in text.partition("[state]")[0]) == verbose


def test_row_27_display_never_crashes(project: Project) -> None:
    """Frames without content, without a separator, of bytes and of other types do not end it."""
    with _silent(project, project.write_context()) as provider, _Display(provider) as display:
        provider.wire.wait_everything_listener()
        for frame in (
            b'control @@@ {"header": {"action": "updated"}}',
            b"no separator at all",
            b"",
            b"control @@@ ",
            b"control @@@ null",
            b"control @@@ []",
            b'control @@@ {"content": {"status": []}}',
            b'control @@@ {"content": 7, "header": "text"}',
            b"\xff\xfe @@@ \xff",
            b"control @@@ \xc3\x28",
            b"context @@@ " + b"[" * 5000,
        ):
            provider.wire.raw(frame)
        provider.wire.send("custom", {"content": "still here"})
        assert "Traceback" not in display.read_until("still here")
        assert display.process.poll() is None
