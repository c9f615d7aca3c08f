"""The Monitor service of the document in a real provider: frames, options, its own restart, its records."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio

from context_bus.bus.endpoint import free_endpoint
from context_bus.config.load import parse_context
from context_bus.config.model import ContextConf
from context_bus.context.journal import Keep
from context_bus.context.states import State
from context_bus.monitor.place import address_for
from context_bus.monitor.records import Records
from context_bus.store.place import place_of
from context_bus.testing.wait import wait_until
from tests.context.live import PATIENCE, TX, context, live, write_service
from tests.e2e.project import Project
from tests.e2e.shells import Supervised, write
from tests.e2e.supervised import run, shell, state_letter
from tests.store import cluster

#: The monitor of the documents, but for what the tests vary.
MONITOR = """
<TaskService id="{id}" instance="Monitor" serviceType="{kind}" topic="process">
  <Task>
    <description>Watches the services of this context</description>
    <message>
      <header><action>start</action><service_name>monitor</service_name></header>
      <content>
        <configuration>
          <device_action>task_monitor</device_action>
          <{spelling}>
            <endpoint>{endpoint}</endpoint>
            <frequency_s>{frequency}</frequency_s>
            <type>pub</type>
          </{spelling}>
          <monitor_options>{options}</monitor_options>
        </configuration>
      </content>
    </message>
    <state type="on_start">
      <on_start><action /><call /></on_start>
      <on_fail><action>restart</action><call>{id}</call></on_fail>
    </state>
  </Task>
</TaskService>
"""
FLAGS = ("opened_files", "open_connections", "memory_maps")
#: What a frame holds of a service for each of them.
FIELDS = frozenset({"opened_files", "connections", "memory_map"})


def monitor_xml(endpoint: str, **changes: str) -> str:
    """The element of a monitor."""
    fields = {"id": "ts000", "kind": "Process", "spelling": "publisher", "frequency": "0.1", "options": ""}
    return MONITOR.format(endpoint=endpoint, **(fields | changes))


def monitored(home: Path, *elements: str, others: Any = ()) -> ContextConf:
    """A context of these monitors and other services."""
    conf = context(home, *others)
    head = (
        f"<FrontEndEndpoint>{conf.front_end_endpoint}</FrontEndEndpoint>"
        f"<BackendEndpoint>{conf.backend_endpoint}</BackendEndpoint>"
        f"<FrontBind>{conf.front_bind}</FrontBind><BackendBind>{conf.backend_bind}</BackendBind>"
        "<TaskLogName>Live</TaskLogName>"
    )
    read = parse_context(f"<Context>{head}{''.join(elements)}</Context>".encode(), "Context-Live.xml")
    return context(home, *read.services, *others)


class Frames:
    """What a monitor publishes, with the time at which it came."""

    def __init__(self, sock: zmq.asyncio.Socket) -> None:
        self._socket = sock

    async def next(self) -> list[dict[str, Any]]:
        """The next frame."""
        async with asyncio.timeout(PATIENCE):
            body = (await self._socket.recv()).partition(b"@@@")[2]
        found: list[dict[str, Any]] = json.loads(body)[TX]
        return found

    async def until(self, *service_ids: str) -> dict[str, dict[str, Any]]:
        """The next frame that has exactly these services, by their ids."""
        async with asyncio.timeout(PATIENCE):
            while True:
                rows = {row["serviceId"]: row for row in await self.next()}
                if set(rows) == set(service_ids):
                    return rows


@contextlib.asynccontextmanager
async def listening(endpoint: str) -> AsyncIterator[Frames]:
    """Listen as a client of the original does."""
    zmq_context = zmq.asyncio.Context()
    sock = zmq_context.socket(zmq.SUB)
    sock.subscribe(b"monitor")
    sock.connect(endpoint)
    try:
        yield Frames(sock)
    finally:
        zmq_context.destroy(0)


@pytest.mark.parametrize(
    ("spelling", "kind"), [("publisher", "Process"), ("service", "Process"), ("publisher", "Thread")]
)
def test_monitor_shows_every_service_that_runs(tmp_path: Path, spelling: str, kind: str) -> None:
    """Itself included; in either spelling, as a process and as a thread; a stopped one is left out."""

    async def work() -> None:
        endpoint = free_endpoint()
        element = monitor_xml(endpoint, spelling=spelling, kind=kind)
        conf = monitored(tmp_path, element, others=(shell("a", "sleep 300"), shell("b", "sleep 300")))
        async with live(conf) as here, listening(endpoint) as frames:
            await here.command("start")
            rows = await frames.until("ts000", "a", "b")
            while any(row["action"] == "start" for row in rows.values()):  # the Monitor may be up first
                rows = await frames.until("ts000", "a", "b")
            for service_id, row in rows.items():
                pid = (await here.state(service_id, State.STARTED)).pid
                assert (row["pid"], row["action"], row["state"]) == (pid, "started", "success")
                assert row["status"] in {"sleeping", "running"}
                assert row["timestamp"] == pytest.approx(time.time(), abs=PATIENCE)
                assert row["vms"] > row["rss"] > 0.0
                assert not FIELDS & row.keys()
            assert rows["a"]["processes"] == 1
            await here.command("stop", ["b"])
            await frames.until("ts000", "a")
            await here.command("stop", ["ts000"])

    run(work())


def test_frames_come_every_period_without_drift(tmp_path: Path) -> None:
    """The tenth is nine periods after the first, however long each look took."""

    async def work() -> None:
        endpoint = free_endpoint()
        conf = monitored(tmp_path, monitor_xml(endpoint, frequency="0.3"), others=(shell("a", "sleep 300"),))
        async with live(conf) as here, listening(endpoint) as frames:
            await here.command("start")
            await frames.until("ts000", "a")
            times = []
            for _ in range(11):
                await frames.next()
                times.append(time.monotonic())
            # Of what a busy machine delays, nothing adds up; a timer that drifts is late by each look.
            gaps = [later - times[0] - number * 0.3 for number, later in enumerate(times)]
            assert abs(gaps[-1]) < 0.2, gaps

    run(work())


def test_option_zero_is_false_and_one_is_true(tmp_path: Path) -> None:
    """Two monitors, one of each kind, each on an endpoint of its own."""

    async def work() -> None:
        off, on = free_endpoint(), free_endpoint()
        elements = [
            monitor_xml(off, id="m0", options="".join(f"<{flag}>0</{flag}>" for flag in FLAGS)),
            monitor_xml(on, id="m1", options="".join(f"<{flag}>1</{flag}>" for flag in FLAGS)),
        ]
        async with (
            live(monitored(tmp_path, *elements)) as here,
            listening(off) as without,
            listening(on) as with_all,
        ):
            await here.command("start")
            assert not FIELDS & (await without.until("m0", "m1"))["m0"].keys()
            row = (await with_all.until("m0", "m1"))["m1"]
            assert row.keys() >= FIELDS
            port = int(on.rpartition(":")[2])
            local = [next(item["laddr"] for item in each if "laddr" in item) for each in row["connections"]]
            assert ["127.0.0.1", port] in local

    run(work())


def test_monitor_that_is_killed_comes_back_and_publishes_again(tmp_path: Path) -> None:
    """Its own ``on_fail`` restarts it; it finds out who runs, and keeps on recording."""

    async def work() -> None:
        endpoint = free_endpoint()
        element = monitor_xml(endpoint, options="<store_records>1</store_records>")
        conf = monitored(tmp_path, element, others=(shell("a", "sleep 300"),))
        place = place_of(conf.file)
        began = time.time()
        async with live(conf, keep=Keep(place)) as here, listening(endpoint) as frames:
            await here.command("start")
            first = (await frames.until("ts000", "a"))["ts000"]["pid"]

            def samples_after(at: float) -> int:
                with Records(address_for(conf.file, place.directory)) as records:
                    rows = records.history("a", TX, at, time.time() + 1, 0.001)
                return len(rows)

            await asyncio.to_thread(wait_until, lambda: _or_none(samples_after, began), 20, "records")
            os.kill(first, signal.SIGKILL)
            killed = time.time()
            await here.state("ts000", State.FAILED)
            second = await here.state("ts000", State.STARTED, count=2)
            rows = await frames.until("ts000", "a")
            while rows["ts000"]["pid"] == first:
                rows = await frames.until("ts000", "a")
            assert rows["ts000"]["pid"] == second.pid
            await asyncio.to_thread(wait_until, lambda: samples_after(killed) > 2, 20, "records after it")

    run(work())


def test_records_go_to_the_server_of_the_provider(tmp_path: Path) -> None:
    """Beside its own tables; the URL, with its password, is in no command line and in no environment."""

    async def work(url: str) -> None:
        endpoint = free_endpoint()
        element = monitor_xml(endpoint, options="<store_records>1</store_records>")
        conf = monitored(tmp_path, element, others=(shell("a", "sleep 300"),))
        place = place_of(conf.file)
        address = address_for(conf.file, place.directory, url)
        async with live(conf, keep=Keep(place, url)) as here, listening(endpoint) as frames:
            await here.command("start")
            pid = (await frames.until("ts000", "a"))["ts000"]["pid"]

            def recorded() -> list[str]:
                with Records(address) as records:
                    return [each.service_id for each in records.series()]

            await asyncio.to_thread(wait_until, lambda: _or_none(recorded), 20, "records")
            assert recorded() == ["a", "ts000"]
            for name in ("cmdline", "environ"):
                assert b"s3cret" not in Path(f"/proc/{pid}/{name}").read_bytes()
        assert not (place.directory / "monitor.sqlite").exists()

    with cluster.cluster_or_skip() as server:
        run(work(server.url.replace("tester@", "tester:s3cret@")))


def _or_none(look: Any, *args: float) -> Any:
    """What there is; None while there is nothing yet."""
    from context_bus.errors import NothingRecorded, StoreUnavailable

    try:
        return look(*args)
    except (NothingRecorded, StoreUnavailable):
        return None


def test_endpoint_that_is_taken_fails_the_start_with_one_line(tmp_path: Path) -> None:
    """And no frame is promised."""

    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
            element = monitor_xml(endpoint).replace("<action>restart</action><call>ts000</call>", "")
            async with live(monitored(tmp_path, element)) as here:
                _, answer = await here.outcome("start")
        assert answer.services[0].reason.startswith(f"cannot bind {endpoint}: Address already in use; ")

    run(work())


def test_service_of_the_users_own_called_monitor_wins(tmp_path: Path) -> None:
    """A location says so."""

    async def work() -> None:
        write_service(tmp_path / "Services", "Monitor", body="def run(self):\n    self.wait(100)\n")
        own = f"""<TaskService id="ts000" instance="Monitor"><Task><message>
            <header><service_name>monitor</service_name></header><content><configuration>
            <location>{tmp_path / "Services"}</location></configuration></content></message></Task>
            </TaskService>"""
        async with live(monitored(tmp_path, own)) as here:
            await here.command("start")
            pid = (await here.state("ts000", State.STARTED)).pid
            assert pid is not None
            assert state_letter(pid)

    run(work())


# -- as a user sees it ---------------------------------------------------------------------------------


@pytest.fixture
def provider(project: Project) -> Iterator[Supervised]:
    """A provider of a monitor with records and of a program, not started yet."""
    services = monitor_xml(free_endpoint(), options="<store_records>1</store_records>") + (
        '<TaskService id="a" serviceType="Command"><command>sleep 300</command></TaskService>'
    )
    made = Supervised(write(project, services), secrets.token_hex(8))
    yield made
    made.clean_up()


def history(provider: Supervised, since: str) -> list[dict[str, Any]]:
    """What is recorded of the program; nothing while there are no records."""
    ended = provider.shell("monitor", "history", "a", "--since", since, "--bucket", "1s", "--json")
    return json.loads(ended.stdout)["buckets"] if not ended.returncode else []


def test_history_is_there_with_and_without_a_provider(provider: Supervised, tmp_path: Path) -> None:
    """It is read from the file: while a monitor writes it, and after all was killed."""
    provider.start("--start=T1")
    provider.shell.until("a", "started")
    began = f"@{time.time()}"
    wait_until(lambda: len(history(provider, began)) > 1, 30, "a history")
    provider.kill()
    rows = history(provider, began)
    assert len(rows) > 1
    assert all(row["rss"]["min"] > 0.0 for row in rows)
    listed: Any = provider.shell.json("monitor", "list")
    assert [(each["transaction"], each["service_id"]) for each in listed] == [("T1", "a"), ("T1", "ts000")]
    picture = tmp_path / "use.png"
    ended = provider.shell("plot", "--since", "10m", "-o", str(picture))
    assert ended.returncode == 0, ended
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert ended.stderr == ""
