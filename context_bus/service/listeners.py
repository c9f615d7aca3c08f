"""The handlers of a task, each fed from the bus in its own kind of thread. Knows the bus and tasks.

Handlers of one kind run one at a time, in the order of the messages: plain ones in a thread, ``async``
ones in the event loop of the task.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from context_bus.bus.aio import AsyncBus
from context_bus.bus.dispatch import inspect_handler
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.errors import ServiceError
from context_bus.kernel.message import Header, Message
from context_bus.service.boot import Boot
from context_bus.service.reports import CONTROL_TOPIC
from context_bus.service.subscription import Policy, subscriptions_of

#: ``service_name`` of the provider's own messages on topic ``control``.
_CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Listener:
    """One handler and what it hears.

    Args:
        topic: Topic on the bus.
        call: The handler.
        policy: ``queue`` or ``conflate``.
        type: In place of the handler's annotation, or None.
        last: Whether it begins with the last message that each sender keeps.
    """

    topic: str
    call: Callable[[Any], object]
    policy: Policy = "queue"
    type: Any = None
    last: bool = False

    @property
    def is_async(self) -> bool:
        """Whether it belongs into an event loop."""
        return inspect.iscoroutinefunction(self.call)


def listeners_of(task: object, boot: Boot) -> list[Listener]:
    """Collect the handlers of a task: its subscriptions, and ``on_control``."""
    found = [
        Listener(each.topic, getattr(task, each.method), each.policy, last=each.last)
        for each in subscriptions_of(type(task))
    ]
    on_control = getattr(task, "on_control", None)
    if on_control is not None:
        found.append(_control_listener(on_control, boot))
    return found


def _control_listener(on_control: Callable[[Any], object], boot: Boot) -> Listener:
    """Let only reports of other services of the same transaction through."""
    spec = inspect_handler(on_control)
    whole = spec.kind == "message"

    def concerns(header: Header) -> bool:
        return (
            header.service_transaction == boot.transaction
            and header.service_id != boot.conf.id
            and header.service_name != _CONTEXT
        )

    def hear(message: Message[Any]) -> None:
        if concerns(message.header):
            on_control(message if whole else message.content)

    async def hear_async(message: Message[Any]) -> None:
        if concerns(message.header):
            heard: Any = on_control(message if whole else message.content)
            await heard

    content: Any = spec.type
    return Listener(CONTROL_TOPIC, hear_async if spec.is_async else hear, type=Message[content])


class _Names(TypedDict):
    """What a node writes into its headers."""

    service_id: str
    service_name: str
    transaction: str


class Listeners:
    """All handlers of one running task.

    Args:
        boot: Where the bus is and who the service is.
        publisher: The service's own, for answers.
        listeners: The handlers.
        loop: Event loop for the ``async`` ones; None if there are none.
        trouble: Told what a handler raised, once; the others go on until `stop`.
    """

    def __init__(
        self,
        boot: Boot,
        publisher: Publisher,
        listeners: list[Listener],
        loop: asyncio.AbstractEventLoop | None,
        trouble: Callable[[BaseException], None],
    ) -> None:
        self._boot = boot
        self._publisher = publisher
        self._where = (boot.listen_on, boot.publish_to)
        self._who = _Names(
            service_id=boot.conf.id, service_name=boot.conf.service_name, transaction=boot.transaction
        )
        self._plain = [each for each in listeners if not each.is_async]
        self._asynchronous = [each for each in listeners if each.is_async]
        self._loop = loop
        self._trouble = trouble
        self._bus: Bus | None = None
        self._thread: threading.Thread | None = None
        self._async_bus: AsyncBus | None = None
        self._serving: Awaitable[None] | None = None

    def connect(self) -> None:
        """Subscribe; returns when messages to any of the topics reach this service.

        Raises:
            ServiceError: A handler whose signature or annotation cannot be used.
            NotConnected: The bus does not answer.
        """
        try:
            if self._plain:
                self._bus = Bus(*self._where, publisher=self._publisher)
                for each in self._plain:
                    self._bus.subscribe(each.topic, each.call, each.type, each.policy, last=each.last)
                self._bus.connect(self._boot.connect_timeout)
            if self._asynchronous:
                self._in_loop(self._connect_async())
        except TypeError as error:
            raise ServiceError(str(error)) from error

    async def _connect_async(self) -> None:
        self._async_bus = AsyncBus(*self._where, **self._who)
        for each in self._asynchronous:
            self._async_bus.subscribe(each.topic, each.call, each.type, each.policy, last=each.last)
        await self._async_bus.connect(self._boot.connect_timeout)

    def serve(self) -> None:
        """Begin to run the handlers, in the background."""
        if self._bus is not None:
            name = f"{self._boot.conf.id}-handlers"
            self._thread = threading.Thread(target=self._serve, args=(self._bus,), name=name, daemon=True)
            self._thread.start()
        if self._async_bus is not None and self._loop is not None:
            self._serving = asyncio.run_coroutine_threadsafe(self._serve_async(self._async_bus), self._loop)  # type: ignore[assignment]

    def _serve(self, bus: Bus) -> None:
        try:
            bus.serve()
        except BaseException as error:  # noqa: BLE001  # border to the user's handlers
            self._trouble(error)

    async def _serve_async(self, bus: AsyncBus) -> None:
        try:
            await bus.serve()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  # border to the user's handlers
            self._trouble(error)

    def stop(self) -> None:
        """Ask the handlers to end after the message in hand."""
        if self._bus is not None:
            self._bus.stop()
        if self._async_bus is not None:
            self._async_bus.stop()

    def close(self) -> None:
        """Wait for the handlers' end and leave the bus."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        if self._bus is not None:
            self._bus.close()
        if self._async_bus is not None:
            self._in_loop(self._close_async(self._async_bus))

    async def _close_async(self, bus: AsyncBus) -> None:
        if self._serving is not None:
            await asyncio.wrap_future(self._serving)  # type: ignore[arg-type]
        await bus.close()

    def _in_loop(self, work: Any) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
