"""Carries out what the engine decides. Knows every shell of this room; must not decide anything."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from context_bus._version import VERSION
from context_bus.config.load import read_context
from context_bus.config.model import ContextConf
from context_bus.context.commands import Answer, AnswerKind
from context_bus.context.engine import Engine
from context_bus.context.errands import Errands
from context_bus.context.eventlog import EventLog
from context_bus.context.events import Event, FileRead, ReplyTo
from context_bus.context.forecast import refuse_faults
from context_bus.context.forwarding import ForwarderKeeper
from context_bus.context.instances import base_of
from context_bus.context.instructions import (
    Broadcast,
    EndChild,
    Finish,
    Forget,
    Instruction,
    ProbeReadiness,
    PublishProcess,
    PublishReport,
    ReadFile,
    Remember,
    SendAnswer,
    SendEvents,
    SendFigures,
    SendRecord,
    SendServices,
    SendStatistics,
    SetTimer,
    SpawnChild,
    TellService,
    Trace,
    WatchLife,
)
from context_bus.context.journal import Journal
from context_bus.context.logs import Logs
from context_bus.context.measuring import Measuring
from context_bus.context.past import Past
from context_bus.context.planning import plan_reload
from context_bus.context.publishing import Publishing
from context_bus.context.spawner import Spawner
from context_bus.context.speaking import Voice
from context_bus.context.states import RUNNING
from context_bus.context.table import Table
from context_bus.context.timers import Timers
from context_bus.context.topquery import Subject
from context_bus.context.trace import FileReloaded, ProviderEvent, ServiceChanged
from context_bus.errors import ConfigurationError, EndpointError, NotConnected

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hands:
    """What instructions are carried out with; a provider without a place for its state has no journal."""

    engine: Engine
    voice: Voice
    spawner: Spawner
    journal: Journal | None
    log: EventLog
    logs: Logs
    forwarder: ForwarderKeeper


@dataclass(frozen=True, slots=True)
class Calls:
    """What of it is the provider's own business."""

    post: Callable[[Event], None]
    show: Callable[[ProviderEvent], None]
    leave_now: Callable[[str], None]
    watch_code: Callable[[SpawnChild], None]
    file_read: Callable[[ContextConf], None]


def _read_and_look(file: str) -> ContextConf:
    """Read a context file, and refuse what cannot work on this machine."""
    conf = read_context(file)
    refuse_faults(conf)
    return conf


class Acting:
    """Acts for one provider.

    Args:
        hands: What with.
        calls: What is the provider's own business.
    """

    def __init__(self, hands: Hands, calls: Calls) -> None:
        self._engine, self._voice, self._spawner = hands.engine, hands.voice, hands.spawner
        self._journal, self._logs = hands.journal, hands.logs
        archive = hands.journal.archive if hands.journal is not None else None
        self._past = Past(hands.log, archive, partial(hands.voice.reply, "reply_events"))
        self._forwarder, self._calls = hands.forwarder, calls
        #: What waits until it is safe that it is done, in order.
        self._waiting: deque[Callable[[], None]] = deque()
        self._errands = Errands()
        self._timers = Timers(calls.post)
        self._measuring = Measuring(self._subjects, hands.voice.figures)
        self._publishing = Publishing(self._subjects, insecure=hands.forwarder.is_insecure)
        self._began = time.time()

    def carry_out(self, instruction: Instruction) -> None:
        """Do one thing; what takes time comes back as an event."""
        match instruction:
            case Trace(event):
                self._trace(event)
            case Remember():
                self._remember(instruction)
            case Forget(key):
                if self._journal is not None:
                    self._journal.forget(key)
            case SetTimer():
                self._timers.set(instruction)
            case SpawnChild() | TellService() | EndChild() | ProbeReadiness() | WatchLife():
                self._when_safe(lambda: self._act(instruction))
            case ReadFile():
                self._errands.start(self._read_file(instruction))
            case Finish(reason):
                self._calls.leave_now(reason)
            case _:
                self._say(instruction)

    def _act(self, instruction: Instruction) -> None:
        match instruction:
            case SpawnChild():
                self._calls.watch_code(instruction)
                self._spawner.spawn(instruction)
            case TellService():
                self._spawner.tell(instruction)
            case EndChild():
                self._spawner.end(instruction)
            case ProbeReadiness():
                self._spawner.seek(instruction)
            case WatchLife():
                self._spawner.watch(instruction)

    def _say(self, instruction: Instruction) -> None:
        match instruction:
            case Broadcast(transaction):
                self._voice.broadcast(transaction)
            case PublishProcess():
                self._voice.process(instruction)
            case PublishReport():
                self._voice.report(instruction)
            case SendAnswer():
                self._when_safe(lambda: self._voice.answer(instruction))
            case SendRecord():
                self._voice.record(instruction)
            case SendServices(reply, service_id):
                self._voice.reply("reply_services", reply, self._services(service_id))
            case SendEvents():
                self._past.answer(instruction)
            case SendFigures():
                self._send_figures(instruction)
            case SendStatistics(reply):
                self._errands.start(self._count(reply))

    async def finish(self) -> None:
        """Do what was waiting to be done."""
        self.do_all()
        await self._errands.finish()
        await self._past.finish()
        self._publishing.finish()
        await self._measuring.finish()

    # -- remembering ---------------------------------------------------------------------------

    def _remember(self, order: Remember) -> None:
        if self._journal is not None:
            context_name = self._engine.table.context_name(order.key.transaction)
            self._journal.remember(order, self._engine.table.conf.context_id, context_name)

    def _trace(self, event: ProviderEvent) -> None:
        if isinstance(event, ServiceChanged) and self._journal is not None and event.new in RUNNING:
            member = self._engine.table.find(event.key)
            if member is not None:
                self._journal.ready(event.key, member.incarnation)
        self._calls.show(event)

    def _when_safe(self, act: Callable[[], None]) -> None:
        """Act when what is done, or answered, would be remembered; if nothing can be, at once.

        A service that was started and forgotten would be lost with this provider, and an outcome that
        was told would not be true of the next one.
        """
        self._waiting.append(act)
        if self._journal is None or self._journal.is_troubled:
            self.do_all()
        else:
            self._journal.when_durable(self._do_next)

    def _do_next(self) -> None:
        # Calls may overtake each other on their way into the loop, what is done must not.
        if self._waiting:
            try:
                self._waiting.popleft()()
            except Exception:  # noqa: BLE001  # one that fails must not take the rest along
                _log.exception("not carried out")

    def do_all(self) -> None:
        """Do what waits, safe or not."""
        while self._waiting:
            self._do_next()

    # -- replies -------------------------------------------------------------------------------

    def _services(self, service_id: str) -> dict[str, object]:
        table = self._engine.table
        return {
            "provider": self._facts(table.conf),
            "transactions": [
                {"name": name, "tasks": self._tasks(table, name, service_id)} for name in table.names()
            ],
        }

    def _facts(self, conf: ContextConf) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "started_at": self._began,
            "file": conf.file,
            "context_id": conf.context_id,
            "name": conf.task_log_name,
            "state_directory": str(self._journal.directory) if self._journal else "",
            "forwarder_pid": self._forwarder.pid,
            "version": VERSION,
        }

    def _tasks(self, table: Table, transaction: str, service_id: str) -> list[dict[str, object]]:
        rows = []
        for member in table.members(transaction):
            own = member.key.service_id
            if service_id and service_id not in {own, base_of(own)}:
                continue
            row = table.brief(member)
            log = self._logs.file(member.key, member.conf)
            if log is not None:
                row["log"] = str(log)
            rows.append(row)
        return rows

    def _subjects(self, transactions: Iterable[str]) -> list[Subject]:
        table = self._engine.table
        return [table.subject(member) for name in transactions for member in table.members(name)]

    def _send_figures(self, order: SendFigures) -> None:
        if order.publication is not None:
            try:
                self._publishing.apply(order.transactions, order.publication, order.options)
            except EndpointError as error:
                refusal = Answer(reason=str(error), command="top", transaction=" ".join(order.transactions))
                self._voice.answer(SendAnswer(order.reply, AnswerKind.REJECTED, refusal))
                return
        self._measuring.answer(order)

    async def _count(self, reply: ReplyTo) -> None:
        try:
            counters = (await self._forwarder.statistics())._asdict()
        except NotConnected as error:
            answer = Answer(reason=str(error), command="statistics")
            self._voice.answer(SendAnswer(reply, AnswerKind.REJECTED, answer))
        else:
            self._voice.reply("reply_statistics", reply, counters)

    # -- the file ------------------------------------------------------------------------------

    async def _read_file(self, order: ReadFile) -> None:
        file, fault = self._engine.table.conf.file, ""
        try:
            conf = await asyncio.to_thread(_read_and_look, file)
            fault = plan_reload(self._engine.table.conf, conf).refusal
        except ConfigurationError as error:
            fault = str(error)
        if fault:
            # What is not applied is not trusted either.
            self._calls.show(FileReloaded(file, fault))
            self._calls.post(FileRead(order.reply, order.dry_run, None, fault))
            return
        if not order.dry_run:
            self._calls.file_read(conf)
            self._calls.show(FileReloaded(file))
        self._calls.post(FileRead(order.reply, order.dry_run, conf))
