"""A provider with real services: what it starts, stops, restarts, notices and leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from context_bus.config.model import ContextConf
from context_bus.context.commands import AnswerKind
from context_bus.context.member import Limits
from context_bus.context.provider import Provider
from context_bus.context.states import State
from context_bus.context.trace import (
    CommandSettled,
    ForwarderChanged,
    ForwarderState,
    FrameIgnored,
    ServiceReported,
)
from context_bus.errors import EndpointError
from tests.context.live import PATIENCE, TX, context, live, service, write_service


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run an asynchronous test; asyncio's own check that nothing is left is on."""
    asyncio.run(work)


def exists(pid: int) -> bool:
    """Whether a process exists and is more than a row in the table."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_start_stop_restart_and_exit_of_a_context(tmp_path: Path) -> None:
    """The whole of a context, by its file: done means done, and nothing is left."""

    async def work() -> None:
        conf = context(
            tmp_path,
            service(tmp_path, "a", "Loop"),
            service(tmp_path, "b", "Loop", "on_update"),
            service(tmp_path, "c", "Once"),
        )
        async with live(conf) as here:
            answer = await here.command("start")
            rows = {row.service_id: row for row in answer.services}
            assert {key: row.state for key, row in rows.items()} == {
                "a": "started",
                "b": "created",
                "c": "started",
            }
            await here.state("c", State.EXITED)
            first = rows["a"].pid
            assert first is not None
            assert exists(first)
            restarted = {row.service_id: row for row in (await here.command("restart")).services}
            assert not exists(first)
            assert (restarted["a"].state, restarted["b"].state) == ("started", "created")
            await here.command("stop")
            pids = [row.pid for row in restarted.values() if row.pid]
            assert not [pid for pid in pids if exists(pid)]
            assert here.word("control", "a") == ["started", "stopped", "started", "stopped"]
            await here.command("start", ["a"])
            kind, answer = await here.outcome("exit")
            assert (kind, [row.service_id for row in answer.services]) == (AnswerKind.DONE, ["a"])
            assert await here.running == "exit"

    run(work())


@pytest.mark.parametrize("trigger", ["on_start", "on_update", "on_fail", "on_exit"])
def test_transitions_of_a_trigger_start_stop_and_restart(tmp_path: Path, trigger: str) -> None:
    """One trigger, three actions on three services, each on a real process."""
    instance = {"on_start": "Loop", "on_update": "Once", "on_fail": "Crash", "on_exit": "Quick"}[trigger]

    async def work() -> None:
        for action, target, expected in (
            ("start", "deferred", State.STARTED),
            ("stop", "runs", State.STOPPED),
            ("restart", "fresh", State.STARTED),
        ):
            confs = [
                service(tmp_path, "deferred", "Loop", "on_update"),
                service(tmp_path, "runs", "Loop"),
                service(tmp_path, "fresh", "Loop"),
                service(tmp_path, "source", instance, "on_start", **{trigger: (action, target)}),
            ]
            async with live(context(tmp_path, *confs)) as here:
                await here.command("start", ["deferred", "runs", "fresh"])
                here.send("start", ["source"])
                await here.state(target, expected, count=2 if action == "restart" else 1)
                assert here.fired() == [("source", trigger, action, target)]
                verbs = here.word("process", target)
                assert verbs[-1] == ("start" if action != "stop" else "stop")

    run(work())


def test_natural_end_starts_the_next(tmp_path: Path) -> None:
    """The document's own example: who wakes up checks the mail."""

    async def work() -> None:
        conf = context(
            tmp_path,
            service(tmp_path, "ts001", "Quick", on_exit=("start", "ts002")),
            service(tmp_path, "ts002", "Loop", "on_update"),
        )
        async with live(conf) as here:
            await here.command("start")
            await here.state("ts002", State.STARTED)
            await here.until(lambda: here.word("control", "ts002") == ["created", "started"], "both reports")
            assert here.word("control", "ts001") == ["started", "stopped"]
            await here.command("stop", ["ts001"])
            assert here.fired() == [("ts001", "on_exit", "start", "ts002")]

    run(work())


def test_killed_service_is_reported_and_restarted_by_its_transition(tmp_path: Path) -> None:
    """kill -9: the provider reports for the dead, and the transition brings it back."""

    async def work() -> None:
        conf = context(tmp_path, service(tmp_path, "a", "Loop", on_fail=("restart", "a")))
        async with live(conf) as here:
            started = (await here.command("start")).services[0]
            assert started.pid is not None
            os.kill(started.pid, signal.SIGKILL)
            failed = await here.state("a", State.FAILED)
            assert failed.reason == "ended by signal SIGKILL"
            again = await here.state("a", State.STARTED, count=2)
            assert again.pid not in {None, started.pid}
            await here.until(lambda: "failed" in here.word("control", "a"), "reported")

    run(work())


def test_two_transactions_of_one_file_stand_side_by_side(tmp_path: Path) -> None:
    """Same ids, other processes; to stop one leaves the other."""

    async def work() -> None:
        conf = context(tmp_path, service(tmp_path, "a", "Loop"))
        async with live(conf) as here:
            one = (await here.command("start", tx="T1")).services[0]
            two = (await here.command("start", tx="T2")).services[0]
            assert one.pid != two.pid
            await here.command("stop", tx="T1")
            assert not exists(one.pid or 0)
            assert exists(two.pid or 0)

    run(work())


def test_broken_services_are_told_and_siblings_unharmed(tmp_path: Path) -> None:
    """Constructor, syntax, missing file, failing run: each with its place; the healthy one runs."""
    write_service(tmp_path, "Typo", "def run(self)\n    pass\n")

    async def work() -> None:
        missing = service(tmp_path, "missing", "Loop")
        conf = context(
            tmp_path,
            service(tmp_path, "unbuilt", "Unbuilt"),
            service(tmp_path, "typo", "Typo"),
            type(missing)(
                **{name: getattr(missing, name) for name in missing.__dataclass_fields__}
                | {"instance": "Nowhere"}
            ),
            service(tmp_path, "crash", "Crash"),
            service(tmp_path, "fine", "Loop"),
        )
        async with live(conf) as here:
            kind, answer = await here.outcome("start")
            assert kind is AnswerKind.FAILED
            reasons = {row.service_id: row.reason for row in answer.services if row.result == "failed"}
            assert "no such city" in reasons["unbuilt"]
            assert "ServiceUnbuilt.py:" in reasons["unbuilt"]
            assert "ServiceTypo.py:" in reasons["typo"]
            assert "Nowhere" in reasons["missing"]
            await here.state("crash", State.FAILED)
            assert next(row for row in answer.services if row.service_id == "fine").result == "done"
            for each in ("unbuilt", "typo", "missing", "crash"):
                assert here.word("control", each)[-1] == "failed"

    run(work())


def test_location_outside_the_roots_is_refused(tmp_path: Path) -> None:
    """A command that names foreign code is refused with the remedy; with the remedy it runs."""
    home, foreign = tmp_path / "home", tmp_path / "elsewhere" / "deep"
    home.mkdir()
    foreign.mkdir(parents=True)

    async def work() -> None:
        outsider = service(foreign, "x", "Loop")
        async with live(context(home)) as here:
            kind, answer = await here.outcome("start", [outsider])
            assert kind is AnswerKind.REJECTED
            assert f"--allow_location={foreign}" in answer.reason
        async with live(context(home), allowed=[foreign]) as here:
            await here.command("start", [outsider])

    # Beside the file is trusted, so the file must be in a directory of its own.
    assert not foreign.is_relative_to(home)
    run(work())


def test_second_provider_on_the_same_ports_is_refused(tmp_path: Path) -> None:
    """One clear line, and the first goes on."""

    async def work() -> None:
        conf = context(tmp_path, service(tmp_path, "a", "Loop"))
        async with live(conf) as here:
            with pytest.raises(EndpointError, match="another process listens there"):
                await Provider(conf, signals=False).run()
            await here.command("start")

    run(work())


def test_open_endpoint_is_refused(tmp_path: Path) -> None:
    """Nothing is bound to every interface unless the user says so."""
    conf = ContextConf("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://*:2", "tcp://*:1", "Open")
    with pytest.raises(EndpointError, match="--insecure"):
        asyncio.run(Provider(conf, signals=False).run())


def test_deaf_service_is_killed_with_its_children(tmp_path: Path) -> None:
    """A stop takes its grace and no longer; what a service started goes with it."""

    async def work() -> None:
        conf = context(tmp_path, service(tmp_path, "deaf", "Deaf"), service(tmp_path, "p", "Parent"))
        async with live(conf, limits=Limits(grace=0.6)) as here:
            await here.command("start")
            await here.until(lambda: here.of(ServiceReported), "the child's pid")
            child = here.of(ServiceReported)[0].status["child"]
            assert isinstance(child, int)
            assert exists(child)
            answer = await here.command("stop")
            assert not exists(child)
            assert [row.result for row in answer.services] == ["done", "done"]
            assert here.word("control", "deaf")[-1] == "stopped"

    run(work())


def test_forwarder_killed_is_replaced_and_services_live_on(tmp_path: Path) -> None:
    """kill -9 of the forwarder: reported, replaced, nobody restarted, commands obeyed."""

    async def work() -> None:
        conf = context(tmp_path, service(tmp_path, "a", "Loop"))
        async with live(conf) as here:
            pid = (await here.command("start")).services[0].pid
            old = here.of(ForwarderChanged)[0].pid
            os.kill(old, signal.SIGKILL)
            await here.until(
                lambda: here.of(ForwarderChanged)[-1].state is ForwarderState.RESPAWNED, "forwarder replaced"
            )
            await here.bus.barrier(PATIENCE)
            assert exists(pid or 0)
            await here.command("stop")

    run(work())


def test_frozen_forwarder_is_reported_and_its_thaw_too(tmp_path: Path) -> None:
    """A forwarder that exists but does not answer is no secret."""

    async def work() -> None:
        async with live(context(tmp_path)) as here:
            pid = here.of(ForwarderChanged)[0].pid
            os.kill(pid, signal.SIGSTOP)
            try:
                await here.until(
                    lambda: here.of(ForwarderChanged)[-1].state is ForwarderState.FROZEN, "frozen noticed"
                )
            finally:
                os.kill(pid, signal.SIGCONT)
            await here.until(
                lambda: here.of(ForwarderChanged)[-1].state is ForwarderState.THAWED, "thaw noticed"
            )

    run(work())


def test_flood_of_updates_does_not_delay_a_stop(tmp_path: Path) -> None:
    """A thousand updates a second and more: a stop takes less than a second."""

    async def work() -> None:
        confs = [service(tmp_path, f"b{number}", "Busy") for number in range(2)]
        async with live(context(tmp_path, *confs, service(tmp_path, "a", "Loop"))) as here:
            await here.command("start")
            await here.until(lambda: len(here.of(ServiceReported)) > 1500, "a flood")
            loop = asyncio.get_running_loop()
            began = loop.time()
            await here.command("stop", ["a"])
            assert loop.time() - began < 1.0

    run(work())


_TO_T = '"action":"start","service_id":"context001","service_transaction":"T"'
ODD = [
    "",
    "null",
    "[]",
    "5",
    '"x"',
    "{",
    "{}",
    '{"header":5,"content":{}}',
    '{"header":{}}',
    f'{{"header":{{{_TO_T}}},"content":{{"configuration":{{"TaskService":7}}}}}}',
    f'{{"header":{{{_TO_T}}},"content":{{"configuration":{{"TaskService":[{{"id":5}}]}}}}}}',
    '{"header":{"action":["start"],"service_id":{}},"content":[]}',
    '{"Task":[]}',
    '{"Task":{"message":{"header":null}}}',
    '{"header":{"action":"updated","service_id":"a","batch":3},"content":[{"status":{}}]}',
    '{"header":{"action":"updated","service_id":"a"},"content":{"status":null}}',
]


def test_any_bytes_are_survived(tmp_path: Path) -> None:
    """Frames that are none, wrong types, missing fields: counted, shown, and life goes on."""

    async def work() -> None:
        async with live(context(tmp_path, service(tmp_path, "a", "Loop"))) as here:
            await here.command("start")
            for topic in ("context", "process", "control", "state"):
                for body in [*(each.encode() for each in ODD), b"\xff\xfe\x00"]:
                    here.bus.publisher.send(topic, body)
            for bomb in (b"[" * 5000, b'{"a":' * 5000):
                here.bus.publisher.send("context", bomb)
            await here.command("stop")
            # All are counted; after the first few only the count is shown, once a second.
            await here.until(lambda: here.of(FrameIgnored)[-1].count > 40, "counted")

    run(work())


def test_old_stop_without_services_is_obeyed_without_an_answer(tmp_path: Path) -> None:
    """The command of the original, which asked for no answer and stopped nothing then."""

    async def work() -> None:
        async with live(context(tmp_path, service(tmp_path, "a", "Loop"))) as here:
            await here.command("start")
            here.bus.publisher.send(
                "context",
                b'{"content": {"configuration": {}}, "header": {"action": "stop", '
                b'"service_id": "context001", "service_name": "context", "service_transaction": "TX1"}}',
            )
            await here.state("a", State.STOPPED)
            await here.until(lambda: here.of(CommandSettled)[-1].action == "stop", "settled")

    run(work())


def test_query_is_answered_on_its_topic(tmp_path: Path) -> None:
    """Where older clients look for it, with every field of the record."""

    async def work() -> None:
        async with live(context(tmp_path, service(tmp_path, "a", "Loop"))) as here:
            await here.command("start")
            here.bus.publisher.send(
                "state",
                b'{"content":{"configuration":{}},"header":{"action":"request","service_id":"",'
                b'"service_name":"state","service_transaction":"TX1"}}',
            )

            def replies() -> list[Any]:
                heard = [body for topic, body in here.frames if topic == "state"]
                return [body for body in heard if body["header"]["action"] == "reply_context"]

            await here.until(replies, "a reply")
            record = replies()[0]["content"]
            assert set(record) == {"configuration", "contextId", "contextLogName", "contextName", "tasks"}
            task = record["tasks"][0]
            assert (task["service_id"], task["action"], task["state"]) == ("a", "started", "success")
            assert task["task"]["Task"]["message"]["header"]["transaction"] == TX

    run(work())


def test_edited_code_is_picked_up(tmp_path: Path) -> None:
    """With reload a saved edit restarts that service alone, with the new behaviour."""
    pytest.importorskip("watchfiles")

    async def work() -> None:
        conf = context(tmp_path, service(tmp_path, "a", "Loop"), service(tmp_path, "b", "Parent"))
        async with live(conf, reload=True) as here:
            rows = (await here.command("start")).services
            await here.until(lambda: here.of(ServiceReported), "b at work")
            write_service(
                tmp_path,
                "Loop",
                """
                def run(self):
                    self.notify("updated", result="success", items={"new": 1})
                    self.wait(1000)
                """,
            )
            await here.until(
                lambda: [each for each in here.of(ServiceReported) if each.service_id == "a"], "new behaviour"
            )
            assert exists(next(row.pid for row in rows if row.service_id == "b") or 0)

    run(work())


def test_provider_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    """A provider that has ended leaves this process as it found it."""

    async def once() -> None:
        async with live(context(tmp_path, service(tmp_path, "a", "Quick"))) as here:
            await here.command("start")
            await here.state("a", State.EXITED)

    run(once())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        run(once())
    assert len(os.listdir("/proc/self/fd")) <= before
