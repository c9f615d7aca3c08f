"""Row 19 of the checklist, what services use, and 7.3 from the provider itself: held against /proc."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from tests.e2e import procs
from tests.e2e.blackbox import Provider
from tests.e2e.project import Project, Service, free_ports, is_free, the_error
from tests.e2e.wire import Json

#: What the services here use.
HELD_MIB, OPENED = 100, 50
#: A task for each of the acceptance tests.
HEAVY = '''
"""A task that uses something."""

import os
import subprocess
import threading

from context_bus import Task, TaskService


class Using(Task):
    """Uses memory, files, a core or other processes, and says when it does."""

    uses: str = ""
    directory: str = ""

    def run(self) -> None:
        held = getattr(self, self.uses)()
        self.notify("updated", result="success", items={})
        while not self.wait(3600.0):
            pass
        if isinstance(held, subprocess.Popen):
            held.kill()
            held.wait()

    def nothing(self):
        return None

    def memory(self):
        return b"x" * (%d << 20)

    def files(self):
        return [open(os.path.join(self.directory, f"file-{number}"), "w") for number in range(%d)]

    def core(self):
        def spin():
            while True:
                pass
        threading.Thread(target=spin, daemon=True).start()

    def child(self):
        return subprocess.Popen(["sleep", "300"])


class ServiceHeavy(TaskService):
    """The service around it."""

    task_class = Using
''' % (HELD_MIB, OPENED)  # noqa: UP031  # braces are many in it

USES = ("nothing", "memory", "files", "core", "child")
FLAGS = ("--memory_maps", "--open_connections", "--opened_files")
TX = "T1"


@pytest.fixture(scope="module")
def using(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider whose services use what they are called after, and two threads that share a process."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.write_service("Heavy", HEAVY)
    directory = str(tmp_path_factory.mktemp("files"))
    services = [
        Service(each, "Heavy", configuration={"uses": each, "directory": directory}) for each in USES
    ] + [
        Service(each, "Heavy", service_type="Thread", configuration={"uses": "nothing"})
        for each in ("one", "two")
    ]
    context = project.write_context([*services, Service("later", state="on_update", instance="Heavy")])
    with Provider(project, context) as running:
        assert running.ask("start", TX)["verbs"][-1] == "done"
        for each in services:
            running.wire.report("updated", each.id, TX)
        running.command("stop", TX, [Service("later", instance="Heavy")])
        running.wire.report("stopped", "later", TX)
        yield running


def top(provider: Provider, *args: str) -> subprocess.CompletedProcess[str]:
    """``conf_command ... --action=top``."""
    return provider.conf_command("--service_name=state", f"--transaction={TX}", "--action=top", *args)


def rows(provider: Provider, *args: str) -> dict[str, Json]:
    """The same with ``--json``: rows by service."""
    ended = top(provider, "--json", *args)
    assert ended.returncode == 0, ended
    return {row["service_id"]: row for row in json.loads(ended.stdout)}


def test_row_19_top_prints_a_row_for_each_service(using: Provider) -> None:
    """State, pid, CPU, memory, children and threads; what has no process has no figures."""
    ended = top(using)
    assert ended.returncode == 0, ended
    lines = [line.split() for line in ended.stdout.splitlines() if not line.startswith("    +")]
    assert lines[0] == [
        "ID", "NAME", "STATE", "PID", "CPU%", "RSS", "VMS", "MEM%", "CHILDREN", "THREADS", "NOTE"
    ]  # fmt: skip
    by_id = {words[0]: words for words in lines[1:] if words}
    assert by_id.keys() >= {*USES, "one", "two", "later"}
    pid = _pid(using, "memory")
    assert by_id["memory"][:4] == ["memory", "name_of_memory", "updated", str(pid)]
    assert float(by_id["memory"][5]) == pytest.approx(procs.rss(pid) / 2**20, rel=0.05)
    assert by_id["child"][8] == "1"
    assert by_id["later"][2:5] == ["stopped", "-", "-"]
    assert "process shared by 2 services" in " ".join(by_id["one"])
    assert f"together {len(USES) + 2} processes" in ended.stdout


def test_row_19_figures_are_those_of_proc(using: Provider) -> None:
    """100 MB, 50 files and a core are shown as such within 5 %, in the fields of old and the new ones."""
    first = rows(using)["core"]["memory"]
    before = _ticks(using, "core")
    _wait(lambda: _ticks(using, "core") - before >= os.sysconf("SC_CLK_TCK"))
    least = _ticks(using, "core")
    found = rows(using)
    core, most = found["core"]["memory"], _ticks(using, "core")
    for name in USES:
        memory, pid = found[name]["memory"], found[name]["pid"]
        assert memory["serviceId"] == name
        assert memory["rss"] == pytest.approx(procs.rss(pid) / 2**20, rel=0.05)
        assert memory["descriptors"] == pytest.approx(len(os.listdir(f"/proc/{pid}/fd")), abs=2)
        assert memory["threads"] == len(os.listdir(f"/proc/{pid}/task"))
    assert found["memory"]["memory"]["rss"] - found["nothing"]["memory"]["rss"] >= 0.95 * HELD_MIB
    opened = found["files"]["memory"]["descriptors"] - found["nothing"]["memory"]["descriptors"]
    assert opened == pytest.approx(OPENED, rel=0.05)
    assert least <= core["cpu_seconds"] * os.sysconf("SC_CLK_TCK") <= most
    spent, span = core["cpu_seconds"] - first["cpu_seconds"], core["timestamp"] - first["timestamp"]
    assert core["cpu_percent"] == pytest.approx(100 * spent / span, rel=0.05)
    assert found["nothing"]["memory"]["cpu_percent"] < 5.0
    kinds = [row["kind"] for row in found["child"]["memory"]["children"]]
    assert kinds[0] == "process"
    assert set(kinds[1:]) == {"thread"}
    total = found["child"]["memory"]["total"]
    assert total.keys() == {"percent", "rss", "vms", "cpu_percent"}
    assert total["rss"] > found["child"]["memory"]["rss"]
    assert found["later"]["memory"] is None


def _pid(provider: Provider, service_id: str) -> int:
    pid = provider.wire.report("started", service_id, TX).status["pid"]
    assert isinstance(pid, int)
    return pid


def _ticks(provider: Provider, service_id: str) -> int:
    words = Path(f"/proc/{_pid(provider, service_id)}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_row_19_lists_are_given_if_asked_for(using: Provider) -> None:
    """Below the table, a list for each service; in JSON in the form of old."""
    ended = top(using, *FLAGS)
    assert ended.returncode == 0, ended
    assert f"open files of files: {OPENED}" in ended.stdout
    assert "file-49" in ended.stdout
    assert "memory maps of nothing: " in ended.stdout
    assert "connections of nothing: " in ended.stdout
    memory = rows(using, *FLAGS)["files"]["memory"]
    paths = [entry[0]["path"] for entry in memory["opened_files"]]
    assert sum("file-" in path for path in paths) == OPENED
    assert [next(iter(field)) for field in memory["connections"][0]] == [
        "fd", "family", "type", "laddr", "raddr", "status"
    ]  # fmt: skip
    assert {"path", "rss", "size"} <= {name for field in memory["memory_map"][0] for name in field}
    assert not {"connections", "opened_files", "memory_map"} & rows(using)["files"]["memory"].keys()


def test_row_19_unknown_transaction_is_refused(using: Provider) -> None:
    """With those that are known."""
    ended = using.conf_command("--service_name=state", "--transaction=NEVER", "--action=top")
    assert the_error(ended).endswith("transaction NEVER is not known here; known: T1")


def test_row_19_frame_of_old_is_answered_on_topic_state(using: Provider) -> None:
    """Flags as text, no address for the answer: everybody hears ``reply_top``."""
    flags = {"memory_maps": "0", "open_connections": "false", "opened_files": "1"}
    header = {"action": "top", "service_id": "", "service_name": "state", "service_transaction": TX}
    since = using.wire.now
    using.wire.send("state", {"content": {"configuration": flags}, "header": header})
    reply = using.wire.wait_for(lambda seen: seen.action == "reply_top", "reply_top", since)
    assert (reply.topic, reply.transaction) == ("state", TX)
    assert {row["service_id"] for row in reply.data["content"]} == {*USES, "one", "two", "later"}
    for row in reply.data["content"]:
        assert row.keys() >= {"service_id", "pid", "serviceName", "instance", "memory"}
        if row["memory"] is not None:
            assert row["memory"].keys() >= {"rss", "vms", "percent", "children", "opened_files"}
            assert not {"memory_map", "connections"} & row["memory"].keys()


def test_brief_query_is_answered_to_who_asked_only(using: Provider) -> None:
    """Without the rows of threads, for every transaction."""
    header = {
        "action": "top", "service_id": "", "service_name": "state", "service_transaction": "",
        "request_id": "r1", "reply_to": using.wire.inbox,
    }  # fmt: skip
    since = using.wire.now
    using.wire.send("state", {"content": {"configuration": {"brief": True}}, "header": header})
    reply = using.wire.wait_for(lambda seen: seen.action == "reply_top", "reply_top", since)
    assert reply.topic == using.wire.inbox
    assert all(row["memory"]["children"] == [] for row in reply.data["content"] if row["memory"])


class Ear:
    """A listener of old at a publication."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.subscribe(b"monitor")
        self._socket.connect(endpoint)

    def hear(self, seconds: float = 10.0) -> Json | None:
        """The next message; None if none comes."""
        if not self._socket.poll(round(seconds * 1000)):
            return None
        topic, _, body = self._socket.recv().partition(b" @@@ ")
        assert topic == b"monitor"
        told: Json = json.loads(body)
        return told

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()
        self._context.term()


def test_publication_begins_changes_and_ends(using: Provider) -> None:
    """``--use_service``: the frames of the document, in the rhythm asked for last, until it is 0."""
    (port,) = free_ports(1)
    place = ("--use_service", "--service_type=pub", f"--service_endpoint=tcp://127.0.0.1:{port}")
    ended = top(using, *place, "--service_freq=30")
    assert ended.returncode == 0, ended
    assert f"published on tcp://127.0.0.1:{port}, topic monitor, every 30 s" in ended.stdout
    assert top(using, *place, "--service_freq=0.2").returncode == 0
    ear = Ear(f"tcp://127.0.0.1:{port}")
    try:
        for _ in range(2):
            told = ear.hear()
            assert told is not None
            by_id = {row["serviceId"]: row for row in told[TX]}
            assert by_id.keys() == {*USES, "one", "two"}
            assert (by_id["memory"]["action"], by_id["memory"]["state"]) == ("updated", "success")
            assert by_id["memory"]["rss"] == pytest.approx(
                procs.rss(by_id["memory"]["pid"]) / 2**20, rel=0.05
            )
        ended = top(using, *place, "--service_freq=0")
        assert f"published on tcp://127.0.0.1:{port} no more" in ended.stdout
        _wait(lambda: ear.hear(0.5) is None)
        _wait(lambda: is_free(port))
    finally:
        ear.close()


def test_publication_is_refused_where_it_cannot_be(using: Provider) -> None:
    """A place that is taken, one that others reach, a rhythm that cannot be kept: each in words."""
    for endpoint, word in (
        (using.project.publish_to, "another process listens there"),
        ("tcp://0.0.0.0:6558", "could read what is published"),
    ):
        ended = top(using, "--use_service", f"--service_endpoint={endpoint}")
        assert ended.returncode == 5
        assert word in the_error(ended)
    assert "0.01" in the_error(top(using, "--use_service", "--service_freq=0.01"))


def test_publication_ends_with_the_provider(project: Project) -> None:
    """Its place is free again."""
    (port,) = free_ports(1)
    with Provider(project, project.write_context([Service("one")])) as running:
        assert running.ask("start", TX)["verbs"][-1] == "done"
        ended = top(running, "--use_service", f"--service_endpoint=tcp://127.0.0.1:{port}")
        assert ended.returncode == 0, ended
        assert not is_free(port)
        assert running.conf_command("--action=exit").returncode == 0
        assert running.wait_end() == 0
    assert is_free(port)
