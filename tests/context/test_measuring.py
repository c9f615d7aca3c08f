"""Who asks what services use, alone and with others; each answer is about this very process."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterable

import msgspec

from context_bus.context.events import ReplyTo
from context_bus.context.instructions import SendFigures
from context_bus.context.measuring import APART, Measuring
from context_bus.context.topquery import Subject, TopRow
from context_bus.process.usage import Options

BRIEF = Options(details=False)


class Asked:
    """A provider of two services, one of which has a process; counts how often it is looked at."""

    def __init__(self) -> None:
        self.said: dict[str, tuple[TopRow, ...]] = {}
        self.looks = 0
        self.measuring = Measuring(self._subjects, self._say)

    def _subjects(self, transactions: Iterable[str]) -> list[Subject]:
        self.looks += 1
        return [
            each
            for name in transactions
            for each in (
                Subject(name, "here", os.getpid(), "name_of_here", "Here", "started", "started", "success"),
                Subject(name, "down", None, "name_of_down", "Down", "stopped", "stopped", "success"),
            )
        ]

    def _say(self, order: SendFigures, rows: msgspec.Raw) -> None:
        assert order.reply.topic not in self.said
        self.said[order.reply.topic] = msgspec.json.decode(rows, type=tuple[TopRow, ...])

    def ask(self, inbox: str, *transactions: str, options: Options = BRIEF) -> None:
        """Ask, and do not wait."""
        self.measuring.answer(SendFigures(ReplyTo(inbox, inbox), transactions or ("T1",), options))

    async def answer(self, inbox: str) -> tuple[TopRow, ...]:
        """The answer."""
        async with asyncio.timeout(10):
            while inbox not in self.said:
                await asyncio.sleep(0.005)
        return self.said[inbox]


def run(work: Coroutine[object, object, None]) -> None:
    """Run a test in a loop."""
    asyncio.run(work)


def test_first_answer_takes_half_a_second_later_ones_none() -> None:
    """CPU time is spent between two looks; a service without a process has no figures."""

    async def work() -> None:
        asked = Asked()
        began = time.monotonic()
        asked.ask("a")
        while "a" not in asked.said:
            until = time.monotonic() + 0.01
            while time.monotonic() < until:
                pass  # spends CPU time
            await asyncio.sleep(0)
        here, down = await asked.answer("a")
        assert time.monotonic() - began >= APART
        assert (here.service_id, here.state, here.serviceName) == ("here", "started", "name_of_here")
        assert here.memory is not None
        assert here.memory.cpu_percent > 10.0
        assert (down.state, down.pid, down.memory) == ("stopped", None, None)
        looks = asked.looks
        asked.ask("b")
        await asked.answer("b")
        assert asked.looks == looks + 2  # who there is, and the one look

    run(work())


def test_loop_goes_on_while_it_is_measured() -> None:
    """A look with everything there is takes milliseconds, in a thread."""

    async def work() -> None:
        asked = Asked()
        asked.ask("a", options=Options(True, True, True, True))
        turns = 0
        while "a" not in asked.said:
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 50
        assert asked.said["a"][0].memory is not None

    run(work())


def test_those_who_ask_the_same_share_a_look() -> None:
    """A hundred at once cost two looks; each is answered once, also who repeats himself."""

    async def work() -> None:
        asked = Asked()
        for number in range(100):
            asked.ask(f"inbox-{number}")
            asked.ask(f"inbox-{number}")
        await asked.measuring.finish()
        assert len(asked.said) == 100
        assert asked.looks <= 3

    run(work())


def test_transactions_are_told_apart() -> None:
    """Each service is answered with its own id and transaction."""

    async def work() -> None:
        asked = Asked()
        asked.ask("a", "T1", "T2")
        rows = await asked.answer("a")
        assert [(row.transaction, row.service_id) for row in rows] == [
            ("T1", "here"),
            ("T1", "down"),
            ("T2", "here"),
            ("T2", "down"),
        ]
        assert {row.memory.serviceId for row in rows if row.memory} == {"here"}

    run(work())


def test_end_does_not_wait_for_the_second_look() -> None:
    """Who waits is answered, with what there is."""

    async def work() -> None:
        asked = Asked()
        asked.ask("a")
        began = time.monotonic()
        await asked.measuring.finish()
        assert time.monotonic() - began < APART / 2
        assert len(asked.said["a"]) == 2

    run(work())
