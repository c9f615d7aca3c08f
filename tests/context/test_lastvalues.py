"""The provider keeps the last values of the topics that the context file names."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from context_bus.bus.aio import AsyncBus
from context_bus.config.model import ContextConf, TaskServiceConf
from context_bus.context.lastvalues import LastValues
from context_bus.context.states import State
from context_bus.kernel.message import Message
from context_bus.testing.bus import LocalBus
from tests.context.live import PATIENCE, context, live, service, write_service

#: Says once what it is configured to say, and ends.
SAYS = """
    word: str
    def run(self):
        self.publish("weather", self.word)
        self.publish("aside", self.word)
"""


async def _last(conf: ContextConf, topic: str) -> tuple[list[str], list[str]]:
    """What a late joiner gets: contents, and the ids of the services that sent them."""
    heard: list[Message[str]] = []
    came = asyncio.Event()

    def hear(message: Message[str]) -> None:
        heard.append(message)
        came.set()

    async with AsyncBus(conf.front_end_endpoint, conf.backend_endpoint) as late:
        late.subscribe(topic, hear, last=True)
        serving = asyncio.create_task(late.serve())
        async with asyncio.timeout(PATIENCE):
            await came.wait()
        await late.barrier()
        late.stop()
        await serving
    return [each.content for each in heard], [each.header.service_id for each in heard]


def _says(directory: Path, service_id: str, word: str) -> TaskServiceConf:
    conf = service(directory, service_id, "Says")
    return replace(conf, configuration={**conf.configuration, "word": word})


def test_values_of_services_that_have_ended_are_there(tmp_path: Path) -> None:
    """One value, of the last run, though the service has ended twice; topics not named are not kept."""
    write_service(tmp_path / "S", "Says", SAYS)

    async def play() -> tuple[list[str], list[str]]:
        conf = replace(context(tmp_path, _says(tmp_path / "S", "a", "sun")), keep_last=("weather",))
        async with live(conf) as here:
            await here.command("start")
            await here.state("a", State.EXITED)
            await here.command("start", ["a"])
            await here.state("a", State.EXITED, count=2)
            return await _last(conf, "weather")

    assert asyncio.run(play()) == (["sun"], ["a"])


def test_an_edited_file_changes_what_is_kept() -> None:
    """Topics that are new in the file are kept from then on, also where there was none before."""

    async def play(local: LocalBus) -> list[str]:
        ends = (local.listen_on, local.publish_to, local.publish_to, local.listen_on)
        conf = ContextConf(*ends, task_log_name="Test")
        values = LastValues(conf)
        await values.open(PATIENCE)
        assert not local.publisher().has_subscriber("weather")
        try:
            values.want(replace(conf, keep_last=("weather",)))
            sender = local.publisher()
            await asyncio.to_thread(sender.wait_for_subscriber, "weather", PATIENCE)
            sender.publish("weather", "rain")
            contents, _ = await _last(conf, "weather")
            values.want(conf)
            while sender.has_subscriber("weather"):
                await asyncio.sleep(0.001)
        finally:
            await values.close()
        return contents

    with LocalBus() as local:
        assert asyncio.run(play(local)) == ["rain"]
