"""What the provider says on the bus. Knows the bus and the wire; must not know why.

Nothing here waits for the bus: what the forwarder does not take is counted and logged. An answer goes
to an inbox that has just been subscribed to, so it waits until that subscription has come through; the
table of the context is sent at most ten times a second, for it grows with the context.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from context_bus.bus.aio import AsyncBus
from context_bus.config.image import service_to_image
from context_bus.config.model import PROCESS_TOPIC, ContextConf
from context_bus.context.commands import EVENT_TOPIC, STATE_TOPIC, LoggedEvent
from context_bus.context.doorway import Doorway
from context_bus.context.errands import Errands
from context_bus.context.events import ReplyTo
from context_bus.context.instructions import (
    PublishProcess,
    PublishReport,
    SendAnswer,
    SendFigures,
    SendRecord,
)
from context_bus.context.table import Table
from context_bus.errors import FrameError, NobodyListens, NotConnected, SendTimeout
from context_bus.kernel.ids import new_sender
from context_bus.kernel.message import Frame, Header, Message
from context_bus.service.reports import CONTEXT_INFO, CONTROL_TOPIC

_log = logging.getLogger(__name__)

#: Seconds between two broadcasts of the table.
INFO_EVERY = 0.1
#: Seconds to wait at the end for the last message to pass the forwarder.
ECHO_TIMEOUT = 1.0
#: Seconds a commander has for its inbox to be known here.
INBOX_TIMEOUT = 2.0


class Voice:
    """Speaks for one provider.

    Args:
        bus: Its node, connected.
        conf: Its context file.
        table: What the broadcasts show.
        doorway: Where clients wait that do not use the bus.
    """

    def __init__(self, bus: AsyncBus, conf: ContextConf, table: Table, doorway: Doorway) -> None:
        self._bus, self._conf, self._table, self._doorway = bus, conf, table, doorway
        #: Messages that the forwarder did not take.
        self.unsent = 0
        self._inboxes: dict[str, deque[Message[object]]] = {}
        self._errands = Errands()
        self._last_info = float("-inf")
        self._info: asyncio.TimerHandle | None = None
        self._changed = ""

    def process(self, order: PublishProcess) -> None:
        """Publish what is asked of a service."""
        key, conf = order.key, order.conf
        header = Header(order.action, key.service_id, conf.service_name, key.transaction)
        header.sender = self._bus.publisher.sender
        if order.cause is None:
            image = self._table.images.text(key, conf, order.action)
        else:
            # Readers of old know the inner header only; what all messages have stands in the outer one.
            header.cause = order.cause
            caused: Any = service_to_image(conf, action=order.action, transaction=key.transaction)
            caused["Task"]["message"]["header"]["cause"] = order.cause
            image = msgspec.json.encode(caused)
        body = b'{"header":%b,%b' % (msgspec.json.encode(header), image[1:])
        self._try(lambda: self._bus.publisher.send(PROCESS_TOPIC, body))

    def report(self, report: PublishReport) -> None:
        """Report on behalf of a service."""
        key = report.key
        header = Header(report.action, key.service_id, report.conf.service_name, key.transaction)
        self._send(CONTROL_TOPIC, Message(header, {"status": report.status}))

    def answer(self, answer: SendAnswer) -> None:
        """Answer a commander."""
        header = Header(str(answer.kind), self._conf.context_id, "context", answer.answer.transaction)
        header.request_id = answer.reply.request_id
        self._deliver(answer.reply.topic, Message(header, answer.answer))

    def record(self, reply: SendRecord) -> None:
        """Answer a query for a record."""
        self._reply_to_all("reply_context", reply.transaction, reply.reply, reply.record)

    def figures(self, order: SendFigures, rows: msgspec.Raw) -> None:
        """Answer a query for what services use."""
        transaction = order.transactions[0] if len(order.transactions) == 1 else ""
        if order.options.details or not order.reply.topic:
            self._reply_to_all("reply_top", transaction, order.reply, rows)
        else:  # such queries are younger, and asked again and again
            self._reply_to_one("reply_top", transaction, order.reply, rows)

    def _reply_to_all(self, action: str, transaction: str, to: ReplyTo, content: object) -> None:
        """Answer a query: on its topic, where older clients look, and to who asked for it."""
        self._send(STATE_TOPIC, Message(Header(action, "", "state", transaction), content))
        self._reply_to_one(action, transaction, to, content)

    def _reply_to_one(self, action: str, transaction: str, to: ReplyTo, content: object) -> None:
        if to.topic:
            header = Header(action, "", "state", transaction, request_id=to.request_id)
            self._deliver(to.topic, Message(header, content))

    def reply(self, action: str, to: ReplyTo, content: object) -> None:
        """Answer a query to who asked."""
        if to.topic:
            header = Header(action, self._conf.context_id, "context", "")
            header.request_id = to.request_id
            self._deliver(to.topic, Message(header, content))

    def event(self, event: LoggedEvent) -> None:
        """Publish what happened."""
        header = Header(event.kind, event.service_id, "context", event.transaction)
        self._send(EVENT_TOPIC, Message(header, event))

    def broadcast(self, transaction: str) -> None:
        """Send the table, now or as soon as that is not too often."""
        self._changed = transaction
        if self._info is None:
            loop = asyncio.get_running_loop()
            at = max(loop.time(), self._last_info + INFO_EVERY)
            self._info = loop.call_at(at, self._send_info)

    def _send_info(self) -> None:
        self._info = None
        self._last_info = asyncio.get_running_loop().time()
        status = {"data": self._table.records(), "device_action": CONTEXT_INFO, "result": "success"}
        header = Header("update", self._conf.context_id, "context", self._changed)
        self._send(CONTROL_TOPIC, Message(header, {"status": status}))

    async def finish(self) -> None:
        """Say what is left to say; returns when the forwarder has passed it on."""
        if self._info is not None:
            self._info.cancel()
            self._send_info()
        await self._errands.finish()
        await self._wait_for_echo()

    async def _wait_for_echo(self) -> None:
        """Wait until a last message has come back: what was sent before it has passed the forwarder, too."""
        topic, came_back = new_sender("echo"), asyncio.Event()

        def hear(frame: Frame) -> None:
            came_back.set()

        try:
            async with asyncio.timeout(ECHO_TIMEOUT):
                self._bus.subscribe(topic, hear)
                await self._bus.barrier(ECHO_TIMEOUT)
                self._send(topic, Message(Header(), None))
                await came_back.wait()
        except (TimeoutError, NotConnected) as error:
            _log.warning("not certain that the last messages arrived: reason=%r", error)

    # -- how -----------------------------------------------------------------------------------

    def _deliver(self, topic: str, message: Message[object]) -> None:
        """Send to an inbox, in order, once it is known that somebody listens there."""
        if self._doorway.has(topic):
            message.header.sender = self._bus.publisher.sender
            self._doorway.answer(topic, msgspec.json.encode(message))
            return
        waiting = self._inboxes.get(topic)
        if waiting is not None:
            waiting.append(message)
        elif self._is_heard(topic):
            self._send(topic, message, numbered=False)
        else:
            self._inboxes[topic] = deque([message])
            self._errands.start(self._wait_for(topic), f"answer-{topic}")

    def _is_heard(self, topic: str) -> bool:
        """Whether what is sent gets as far as the forwarder, which knows of every inbox.

        If anybody listens to everything, as older tools do, all that is sent gets there.
        """
        return self._bus.publisher.has_subscriber(topic) or self._bus.publisher.audience.has(b"")

    async def _wait_for(self, topic: str) -> None:
        try:
            await self._bus.wait_for_subscriber(topic, INBOX_TIMEOUT)
        except NobodyListens:
            # Sent all the same: who listens by a shorter prefix is not known by this topic.
            _log.info("commander is gone: reply_to=%s answers=%d", topic, len(self._inboxes[topic]))
        for message in self._inboxes.pop(topic):
            self._send(topic, message, numbered=False)

    def _send(self, topic: str, message: Message[object], *, numbered: bool = True) -> None:
        self._try(lambda: self._bus.publisher.send_message(topic, message, numbered=numbered))

    def _try(self, send: Callable[[], None]) -> None:
        try:
            send()
        except SendTimeout as error:
            self.unsent += 1
            _log.warning("not sent: count=%d reason=%s", self.unsent, error)
        except FrameError as error:  # a reply_to that no topic can have
            _log.info("not sent: reason=%s", error)
