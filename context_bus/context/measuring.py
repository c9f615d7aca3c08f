"""Answers with what services use, measured in a thread. Knows the probe; must not decide anything.

Nothing is measured unless somebody asks, and the loop waits for no look. Who asks first waits for half a
second, since CPU time is spent between two looks; who asks while others do gets a span of his own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

import msgspec

from context_bus.context.errands import Errands
from context_bus.context.events import ReplyTo
from context_bus.context.instructions import SendFigures
from context_bus.context.topquery import Subject, row
from context_bus.process.family import Family
from context_bus.process.probe import Probe
from context_bus.process.usage import Options, Usage

_log = logging.getLogger(__name__)

#: Seconds that two looks are apart at least, for the CPU time between them to mean something.
APART = 0.5
#: Seconds after which an earlier look is too old: what is asked for is how things are now.
KEEP = 10.0

#: Gives the services of some transactions as they are now.
Subjects = Callable[[Iterable[str]], list[Subject]]
#: Transactions, and what to look at.
Question = tuple[tuple[str, ...], Options]


class Measuring:
    """Measures for one provider.

    Args:
        subjects: Whom.
        say: Says an answer, JSON already, to who asked.
    """

    def __init__(self, subjects: Subjects, say: Callable[[SendFigures, msgspec.Raw], None]) -> None:
        self._subjects, self._say = subjects, say
        self._probes = Probes()
        #: One look at a time.
        self._looking = asyncio.Lock()
        self._leaving = asyncio.Event()
        self._errands = Errands()
        #: Who waits; who does so for long asks again.
        self._asked: set[ReplyTo] = set()
        #: Looks that have not begun: who asks the same meanwhile shares them.
        self._next: dict[Question, asyncio.Task[msgspec.Raw]] = {}

    def answer(self, order: SendFigures) -> None:
        """Answer as soon as it has been measured."""
        if order.reply not in self._asked:
            if order.reply.topic:
                self._asked.add(order.reply)
            self._errands.start(self._answer(order))

    async def finish(self) -> None:
        """Answer who waits, without waiting for a second look."""
        self._leaving.set()
        await self._errands.finish()

    async def _answer(self, order: SendFigures) -> None:
        question = (order.transactions, order.options)
        try:
            look = self._next.get(question)
            if look is None:
                look = self._next[question] = asyncio.create_task(self._measure(question))
            self._say(order, await look)
        except Exception:  # noqa: BLE001  # the border to a thread; who asked asks again, or gives up
            _log.exception("not measured: transactions=%s", " ".join(order.transactions))
        finally:
            self._asked.discard(order.reply)

    async def _measure(self, question: Question) -> msgspec.Raw:
        transactions, options = question
        try:
            if not await self._has_earlier(transactions, options):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._leaving.wait(), APART)
            async with self._looking:
                # Who asks from now on gets a look that begins after.
                del self._next[question]
                subjects = self._subjects(transactions)
                return await asyncio.to_thread(_rows, self._probes, subjects, options)
        finally:
            if self._next.get(question) is asyncio.current_task():  # it has failed
                del self._next[question]

    async def _has_earlier(self, transactions: tuple[str, ...], options: Options) -> bool:
        """Whether CPU time can be told at once; if not, take the first of two looks."""
        async with self._looking:
            subjects = [each for each in self._subjects(transactions) if each.pid]
            if all(self._probes.know(each) for each in subjects):
                return True
            await asyncio.to_thread(self._probes.sample, subjects, Options(details=options.details))
            return False


class Probes:
    """A probe for each transaction: the same id in another one is another service."""

    def __init__(self) -> None:
        self._family = Family()
        self._probes: dict[str, Probe] = {}

    def know(self, subject: Subject) -> bool:
        """Whether CPU time of this service could be told now."""
        probe = self._probes.get(subject.transaction)
        return probe is not None and probe.knows(subject.service_id)

    def sample(self, subjects: Iterable[Subject], options: Options) -> dict[tuple[str, str], Usage]:
        """Look at all that have a process; usages by transaction and service."""
        pids: dict[str, dict[str, int]] = {}
        for each in subjects:
            if each.pid:
                pids.setdefault(each.transaction, {})[each.service_id] = each.pid
        found = {}
        for transaction, services in pids.items():
            probe = self._probes.get(transaction)
            if probe is None:
                probe = self._probes[transaction] = Probe(APART, KEEP, self._family)
            for service_id, usage in probe.sample(services, options).items():
                found[transaction, service_id] = usage
        return found


def _rows(probes: Probes, subjects: list[Subject], options: Options) -> msgspec.Raw:
    """The content of an answer; in a thread, for with memory maps it may be megabytes."""
    found = probes.sample(subjects, options)
    rows = [row(each, found.get((each.transaction, each.service_id))) for each in subjects]
    return msgspec.Raw(msgspec.json.encode(rows))
