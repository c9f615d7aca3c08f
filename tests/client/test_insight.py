"""Watching a provider and its services: everyone reports, whatever kind of process it lives in."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from context_bus.bus.insight import Insight, TopicRow
from context_bus.client.asking import open_conversation
from context_bus.client.endpoints import Endpoints
from context_bus.client.insight import BusWatch, ForwarderCounters, forwarder_counters
from context_bus.config.model import ContextConf, ServiceType
from context_bus.context.states import State
from context_bus.context.trace import ForwarderChanged, ForwarderState
from context_bus.errors import NotConnected
from context_bus.testing.wait import wait_until
from tests.context.live import TX, Live, context, live, service, write_service

T = TypeVar("T")

#: A service that publishes when it is asked to; one that only listens; both tell how many.
TALKER = """
    def setup(self):
        for number in range(50):
            self.publish("numbers", number)

    def run(self):
        self.wait(1000)
"""
HEARER = """
    @subscribe("numbers")
    def on_number(self, number: int):
        pass
"""


def endpoints(conf: ContextConf) -> Endpoints:
    """Where a context's bus is."""
    return Endpoints(conf.front_end_endpoint, conf.backend_endpoint)


def row_of(insight: Insight, topic: str, service_id: str) -> TopicRow | None:
    """The row of a service."""
    rows = insight.rows(time.monotonic())
    return next((row for row in rows if (row.topic, row.service_id) == (topic, service_id)), None)


def wait_for(watching: BusWatch, look: Callable[[Insight], T | None]) -> T:
    """Take reports in until they tell what is waited for."""

    def told() -> T | None:
        watching.read(0.05)
        return look(watching.insight)

    found = wait_until(told, 15, lambda: watching.insight.rows(time.monotonic()))
    assert found is not None
    return found


def write_services(home: Path) -> None:
    """A talker and a hearer."""
    write_service(home, "Talk", TALKER)
    write_service(home, "Hear", HEARER)
    file = home / "Hear" / "ServiceHear.py"
    file.write_text(file.read_text().replace("import Task,", "import Task, subscribe,"))


def test_provider_and_services_in_processes_and_threads_report(tmp_path: Path) -> None:
    """Though they are idle when somebody begins to watch; each with its id and transaction."""
    write_services(tmp_path)
    talk, hear = service(tmp_path, "talk", "Talk", "on_demand"), service(tmp_path, "hear", "Hear")
    conf = context(
        tmp_path,
        hear,
        dataclasses.replace(hear, id="hear_thread", service_type=ServiceType.THREAD),
        talk,
        dataclasses.replace(talk, id="talk_thread", service_type=ServiceType.THREAD),
    )

    def watch() -> None:
        with BusWatch(endpoints(conf)) as watching:
            for name in ("talk", "talk_thread"):
                row = wait_for(watching, lambda insight, name=name: row_of(insight, "numbers", name))  # type: ignore[misc]
                assert (row.messages, row.transaction, row.lost) == (50, TX, 0)
                assert row.bytes > 50 * 100
            wait_for(
                watching,
                lambda insight: all(
                    (row := row_of(insight, "numbers", name)) is not None and row.received == 100
                    for name in ("talk", "talk_thread")
                ),
            )
            rows = watching.insight.rows(time.monotonic())
            assert any(row.topic == "control" and row.received for row in rows)
            assert any(row.topic == "control" and not row.service_id and row.messages for row in rows)
            rates = watching.insight.per_service(time.monotonic())
            assert {(TX, "talk"), (TX, "hear_thread")} <= rates.keys()

    async def main() -> None:
        async with live(conf) as here:
            await here.command("start")
            for name in ("hear", "hear_thread"):
                await here.state(name, State.STARTED)
            await here.command("start", ["talk", "talk_thread"])
            for name in ("talk", "talk_thread"):
                await here.state(name, State.STARTED)
            await asyncio.to_thread(watch)

    asyncio.run(main())


async def counted(here: Live, conf: ContextConf) -> ForwarderCounters:
    """Ask for the forwarder's counters as a client does."""

    def ask() -> ForwarderCounters:
        with open_conversation(endpoints(conf)) as conversation:
            return forwarder_counters(conversation)

    return await asyncio.to_thread(ask)


def test_provider_tells_what_has_passed_its_forwarder(tmp_path: Path) -> None:
    """Asked again and again, also by several at once; one that hangs costs only that answer."""
    conf = context(tmp_path)

    async def main() -> None:
        async with live(conf) as here:
            first = await counted(here, conf)
            assert 0 < first.received < 1000
            for _ in range(100):
                here.bus.publisher.publish("control", {"x": "y" * 1000})
            async with asyncio.timeout(10):
                while (now := await counted(here, conf)).received < first.received + 100:
                    await asyncio.sleep(0.01)
            assert now.received_bytes > first.received_bytes + 100_000
            assert now.sent >= first.sent + 100
            several = await asyncio.gather(*(counted(here, conf) for _ in range(5)))
            assert min(each.received for each in several) >= now.received
            os.kill(here.provider._keeper.pid, signal.SIGSTOP)
            try:
                # The bus hangs with its forwarder, so nobody could ask by it.
                with pytest.raises(NotConnected, match="forwarder does not answer"):
                    await here.provider._keeper.statistics()
            finally:
                os.kill(here.provider._keeper.pid, signal.SIGCONT)
            await here.until(
                lambda: any(event.state is ForwarderState.THAWED for event in here.of(ForwarderChanged)),
                "the forwarder goes on",
            )
            assert (await counted(here, conf)).received >= now.received

    asyncio.run(main())
