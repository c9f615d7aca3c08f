"""What a user subclasses to do the work of a service. Knows the link it is given; must not know the host."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from typing import ClassVar, Protocol, TypeVar, overload

from context_bus.errors import ServiceError
from context_bus.service.configuration import arguments_of
from context_bus.service.stopping import Stopping

T = TypeVar("T")

_NOTHING: Mapping[str, object] = {}


class Link(Protocol):
    """What joins a task with its service: identity, the bus, the wish to stop."""

    transaction: str
    service_id: str
    service_name: str
    device_action: str
    logger: logging.Logger
    stopping: Stopping

    def notify(self, action: str, result: str, items: Mapping[str, object]) -> None:
        """Report on topic ``control``."""
        ...

    def publish(self, topic: str, content: object, action: str) -> None:
        """Send a message to whoever subscribes."""
        ...

    def keep(self, topics: tuple[str, ...]) -> None:
        """Keep the last message of topics for those who join late."""
        ...

    def request(self, topic: str, content: object, timeout: float, reply_type: type[object] | None) -> object:
        """Send a message and wait for its answer."""
        ...

    async def request_async(
        self, topic: str, content: object, timeout: float, reply_type: type[object] | None
    ) -> object:
        """Send a message and wait for its answer without blocking the loop."""
        ...


class Task:
    """The work of one service; subclass it.

    Every annotated attribute of the class body is a child of ``configuration`` in the context file:
    converted to its annotation, required unless it has a value. ``list[...]`` takes one element or
    many. Names that start with an underscore, and ``ClassVar``, are the class's own. A class with an
    ``__init__`` of its own takes its keyword parameters instead.

    Methods a subclass may have, each ``def`` or ``async def``:

    * ``setup(self)``: before the service reports ``started``.
    * ``run(self)``: the work. When it returns the service stops of its own accord. Without it the
      service lives for its handlers until somebody stops it.
    * ``@subscribe("topic")`` methods: the handlers.
    * ``on_control(self, report: Message[ControlContent])``: reports of the other services of the
      transaction.
    * ``close(self)``: after everything else, if ``setup`` succeeded.

    What the class publishes is read from its code by ``context-bus docs``; ``publishes``, a dict of topics
    and types, says it where the code does not: ``publishes = {"prices": Price}``.

    An exception that leaves any of them fails the service.

    Example:
        >>> class Echo(Task):
        ...     period: float = 10.0
        ...
        ...     def run(self) -> None:
        ...         while not self.wait(self.period):
        ...             self.notify("updated", items={"said": "hello"})
    """

    #: Type of what it publishes on each topic, for ``context-bus docs``; a subclass may say so.
    publishes: ClassVar[Mapping[str, object]]

    _link: ClassVar[Link | None] = None

    def __init__(self, **configuration: object) -> None:
        for name, value in arguments_of(type(self), configuration).items():
            setattr(self, name, value)

    def setup(self) -> Awaitable[None] | None:
        """Prepare; the service reports ``started`` after it."""

    def close(self) -> Awaitable[None] | None:
        """Release what `setup` took."""

    # -- talking -----------------------------------------------------------------------------------

    def notify(
        self, action: str = "updated", result: str = "success", items: Mapping[str, object] = _NOTHING
    ) -> None:
        """Report to the provider and to the other services.

        Args:
            action: ``updated``, or a verb of your own. The verbs of the lifecycle are the framework's.
            result: ``success`` lets ``on_update`` transitions fire, any other word does not.
            items: What to tell; merged into the status of the report.
        """
        self._linked().notify(action, result, items)

    def publish(self, topic: str, content: object, *, action: str = "") -> None:
        """Send a message to whoever subscribes to the topic."""
        self._linked().publish(topic, content, action)

    def keep(self, *topics: str) -> None:
        """Keep the last message that this service publishes on each of these topics, from now on.

        Whoever joins later with ``@subscribe(topic, last=True)`` has it at once; so call it in ``setup``.
        The value ends with the service, unless the context file keeps the topic (``KeepLast``).
        """
        self._linked().keep(topics)

    @overload
    def request(self, topic: str, content: object, *, timeout: float = 5.0) -> object: ...

    @overload
    def request(self, topic: str, content: object, *, timeout: float = 5.0, type: type[T]) -> T: ...

    def request(
        self,
        topic: str,
        content: object,
        *,
        timeout: float = 5.0,
        type: type[object] | None = None,  # reads best at the call: type=Price
    ) -> object:
        """Send a message to the topic and return the answer of its handler.

        Args:
            topic: Topic of the handler.
            content: What to ask.
            timeout: Seconds to wait for the answer.
            type: What to decode the answer as.

        Raises:
            NobodyListens: Nobody subscribes to the topic.
            RequestTimeout: No answer in time.
            RequestFailed: The handler raised.
        """
        return self._linked().request(topic, content, timeout, type)

    @overload
    async def request_async(self, topic: str, content: object, *, timeout: float = 5.0) -> object: ...

    @overload
    async def request_async(
        self, topic: str, content: object, *, timeout: float = 5.0, type: type[T]
    ) -> T: ...

    async def request_async(
        self,
        topic: str,
        content: object,
        *,
        timeout: float = 5.0,
        type: type[object] | None = None,  # reads best at the call: type=Price
    ) -> object:
        """Do what `request` does without blocking the event loop."""
        return await self._linked().request_async(topic, content, timeout, type)

    # -- stopping ----------------------------------------------------------------------------------

    def wait(self, seconds: float) -> bool:
        """Rest, and wake at once when the service is to stop.

        Returns:
            True when the service is to stop: ``while not self.wait(1.0): ...``
        """
        return self._linked().stopping.wait(seconds)

    async def wait_async(self, seconds: float) -> bool:
        """Do what `wait` does without blocking the event loop."""
        return await self._linked().stopping.wait_async(seconds)

    @property
    def stopping(self) -> bool:
        """Whether the service is to stop."""
        return self._linked().stopping.is_set()

    # -- who we are --------------------------------------------------------------------------------

    @property
    def logger(self) -> logging.Logger:
        """Logger of the service."""
        return self._linked().logger

    @property
    def transaction(self) -> str:
        """Transaction the service belongs to."""
        return self._linked().transaction

    @property
    def service_id(self) -> str:
        """Id of the service within its context."""
        return self._linked().service_id

    @property
    def service_name(self) -> str:
        """Name that messages about the service carry."""
        return self._linked().service_name

    @property
    def device_action(self) -> str:
        """Word that the configuration gives the service; empty if none."""
        return self._linked().device_action

    def _linked(self) -> Link:
        link: Link | None = self._link
        if link is None:
            raise ServiceError(
                f"this {type(self).__name__} belongs to no service; let a context run it, or "
                "context_bus.testing in a test"
            )
        return link


def make_task(task_class: type[Task], link: Link, arguments: Mapping[str, object]) -> Task:
    """Build a task that can use its link from the first line of its constructor on."""
    task = task_class.__new__(task_class)
    object.__setattr__(task, "_link", link)
    task.__init__(**arguments)  # type: ignore[misc]  # a subclass's constructor takes what it names
    return task
