"""From bytes to a handler's argument: decoding by annotation, counting, answering. Must not know zmq.

What a handler is annotated with decides how much is decoded: a content type decodes the content and
three header fields, ``Message[T]`` decodes all, ``Frame`` nothing. Routes are closures because this is
the path of every message: a closure's variables cost half of an object's attributes.
"""

from __future__ import annotations

import functools
import inspect
import logging
import typing
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import UNSET

from context_bus.bus.counters import Counters, read_envelope
from context_bus.kernel.message import UNREADABLE, Frame, Header, Message

T = TypeVar("T")
#: Takes one argument; what it returns, if not None, answers a request. May be ``async def`` on an AsyncBus.
Handler = Callable[[Any], object]
#: Takes a frame's JSON text; gives what is left to await, or None.
Deliver = Callable[[bytes], Awaitable[None] | None]

_log = logging.getLogger(__name__)


class Routing(msgspec.Struct, gc=False):
    """The header fields that delivering needs; the rest is skipped, not decoded."""

    sequence: int = 0
    sender: str = ""
    batch: int = 0
    request_id: str | None = None
    reply_to: str | None = None


class Incoming(msgspec.Struct, Generic[T], gc=False):
    """A message as far as a handler of contents needs it."""

    header: Routing
    content: T


class Answer(Protocol):
    """What the node does with the outcome of a handler."""

    def __call__(
        self, reply_to: str, request_id: str, outcome: object, error: BaseException | None
    ) -> Awaitable[None] | None:
        """Reply to a request; gives what is left to await, or None."""
        ...


class Spec(msgspec.Struct, frozen=True):
    """What is known of a handler before the first message.

    Args:
        handler: The callable.
        kind: ``frame``, ``message`` or ``content``: what it takes.
        type: Type of the content.
        is_async: Whether it gives a coroutine.
        replies: Whether it says that it returns something, so that a request it cannot read is refused.
    """

    handler: Handler
    kind: str
    type: object
    is_async: bool
    replies: bool


def inspect_handler(handler: Handler, type_: object = None) -> Spec:
    """Read from a handler's annotations what it wants.

    Args:
        handler: A callable of one argument.
        type_: In place of the annotation.

    Raises:
        TypeError: It takes no argument or more than one, or is annotated with what msgspec cannot decode.
    """
    function = handler if inspect.isroutine(handler) else getattr(handler, "__call__", handler)  # noqa: B004
    name = getattr(handler, "__qualname__", repr(handler))
    parameters = [
        each
        for each in inspect.signature(handler).parameters.values()
        if each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if len(parameters) != 1:
        raise TypeError(
            f"handler {name} takes {len(parameters)} arguments; expected one: the content or the message"
        )
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"annotation of handler {name} cannot be resolved: {error}") from None
    wanted = hints.get(parameters[0].name, Any) if type_ is None else type_
    returned = hints.get("return", None)
    is_async = inspect.iscoroutinefunction(function)
    kind, content = _kind(wanted)
    spec = Spec(handler, kind, content, is_async, returned not in (None, type(None)))
    if kind != "frame":
        try:
            decoder_of(spec)
        except TypeError as error:
            raise TypeError(f"handler {name} wants {wanted!r}, which cannot be decoded: {error}") from None
    return spec


def _kind(wanted: object) -> tuple[str, object]:
    if wanted is Frame:
        return "frame", Any
    if wanted is Message:
        return "message", Any
    if typing.get_origin(wanted) is Message:
        return "message", typing.get_args(wanted)[0]
    return "content", Any if wanted is object else wanted


def decoder_of(spec: Spec, *, batch: bool = False) -> Callable[[bytes], Any]:
    """What decodes a message as far as the handler needs it; of a batch, if asked for."""
    try:
        return _known_decoder(spec.kind, spec.type, batch)
    except TypeError:  # a type that cannot be remembered, or none that can be decoded: then this says so
        return _new_decoder(spec.kind, spec.type, batch)


def _new_decoder(kind: str, type_: Any, batch: bool) -> Callable[[bytes], Any]:
    model: Any = Message if kind == "message" else Incoming
    return msgspec.json.Decoder(model[list[type_] if batch else type_]).decode


#: Making one costs as much as delivering a hundred messages; a node listens to many topics with few types.
_known_decoder = functools.lru_cache(maxsize=128)(_new_decoder)


class Route:
    """One topic on one socket, and the handlers that share it.

    Args:
        topic: The topic.
        specs: At least one handler.
        counters: Where to count.
        answer: What to do with outcomes of requests.
    """

    def __init__(self, topic: str, specs: list[Spec], counters: Counters, answer: Answer) -> None:
        self.topic = topic
        self.specs = specs
        self.counters = counters
        self._answer = answer
        #: Takes one message.
        self.deliver: Deliver = self._one(specs[0]) if len(specs) == 1 else self._several()

    def _several(self) -> Deliver:
        """Every handler gets every message; only the first counts it."""
        first, *others = (self._one(spec, counted=not index) for index, spec in enumerate(self.specs))

        def deliver(body: bytes) -> Awaitable[None] | None:
            rest = [left for left in (first(body), *[other(body) for other in others]) if left is not None]
            return _one_by_one(rest) if rest else None

        return deliver

    def _one(self, spec: Spec, *, counted: bool = True) -> Deliver:
        if spec.kind == "frame":
            return self._frames(spec, counted)
        flows = self.counters.flows
        decode, handler, is_async = decoder_of(spec), spec.handler, spec.is_async
        whole = spec.kind == "message"
        special, count, finish = self._special(spec, counted), self._count, self._finish

        def deliver(body: bytes) -> Awaitable[None] | None:
            try:
                message = decode(body)
            except UNREADABLE as error:
                return special(body, error)
            header = message.header
            if header.batch:  # UNSET is false
                return special(body, None)
            if counted:
                try:
                    flow = flows[header.sender]
                    sequence = header.sequence
                    if sequence == flow.expected:
                        flow.expected = sequence + 1
                    else:
                        count(header)
                except KeyError:
                    count(header)
            if header.reply_to:
                return finish(spec, message if whole else message.content, header.reply_to, header.request_id)
            outcome = handler(message if whole else message.content)
            return outcome if is_async else None  # type: ignore[return-value]

        return deliver

    def _count(self, header: Routing | Header) -> None:
        """Count a message that is not the next of a known sender."""
        if header.sequence:
            self.counters.note(header.sender or "", header.sequence)
        else:
            self.counters.unnumbered += 1

    def _frames(self, spec: Spec, counted: bool) -> Deliver:
        topic, handler, is_async = self.topic, spec.handler, spec.is_async

        def deliver(body: bytes) -> Awaitable[None] | None:
            if counted:
                self._count_unread(body, rejected=False)
            outcome = handler(Frame(topic, body))
            return outcome if is_async else None  # type: ignore[return-value]

        return deliver

    def _special(
        self, spec: Spec, counted: bool
    ) -> Callable[[bytes, Exception | None], Awaitable[None] | None]:
        """What is not one message of the wanted type: a batch, or something else."""
        decode, whole = decoder_of(spec, batch=True), spec.kind == "message"

        def special(body: bytes, error: Exception | None) -> Awaitable[None] | None:
            try:
                message = decode(body)
            except UNREADABLE as second:
                return self._reject(spec, body, error or second, counted)
            header, contents = message.header, message.content
            if header.batch != len(contents):  # UNSET is not a number
                return self._reject(spec, body, error, counted)
            if counted:
                self.counters.note(header.sender, header.sequence, header.batch)
            arguments = self._unrolled(message) if whole else contents
            rest = [left for left in map(spec.handler, arguments) if spec.is_async]
            return _one_by_one(rest) if rest else None  # type: ignore[arg-type]

        return special

    @staticmethod
    def _unrolled(message: Message[list[Any]]) -> list[Message[Any]]:
        first = message.header.sequence
        fields = {name: getattr(message.header, name) for name in message.header.__struct_fields__} | {
            "batch": UNSET
        }
        header = type(message.header)
        return [
            Message(header(**fields | {"sequence": first + index}), content)  # type: ignore[operator]
            for index, content in enumerate(message.content)
        ]

    def _reject(
        self, spec: Spec, body: bytes, error: Exception | None, counted: bool
    ) -> Awaitable[None] | None:
        """Count what cannot be decoded; it has arrived, so it is not lost. A request for it is refused."""
        if counted:
            self._count_unread(body, rejected=True)
        reason = str(error or "its batch is not a list of so many contents")
        _log.info("message rejected: topic=%s reason=%s", self.topic, reason)
        if not spec.replies:
            return None
        try:
            header = _read_routing(body).header
        except UNREADABLE:
            return None
        if not header.reply_to:
            return None
        return self._answer(header.reply_to, header.request_id or "", None, ValueError(reason))

    def _count_unread(self, body: bytes, *, rejected: bool) -> None:
        counters = self.counters
        counters.rejected += rejected
        try:
            header = read_envelope(body).header
        except UNREADABLE:
            counters.unnumbered += not rejected
            return
        if header.sequence > 0:
            counters.note(header.sender, header.sequence, max(1, header.batch))
            counters.flows[header.sender].rejected += rejected
        else:
            counters.unnumbered += 1

    def _finish(self, spec: Spec, argument: object, reply_to: str, request_id: str) -> Awaitable[None] | None:
        """Run the handler of a request; what it raises is the requester's, who is told."""
        request_id = request_id or ""
        if spec.is_async:
            return self._finish_later(spec, argument, reply_to, request_id)
        try:
            outcome = spec.handler(argument)
        except Exception as error:  # noqa: BLE001 - the border to the user's code
            _log.warning("request failed: topic=%s request_id=%s", self.topic, request_id, exc_info=True)
            return self._answer(reply_to, request_id, None, error)
        return None if outcome is None else self._answer(reply_to, request_id, outcome, None)

    async def _finish_later(self, spec: Spec, argument: object, reply_to: str, request_id: str) -> None:
        failure: BaseException | None = None
        outcome: object = None
        try:
            outcome = await typing.cast(Awaitable[object], spec.handler(argument))
        except Exception as error:  # noqa: BLE001 - the border to the user's code
            _log.warning("request failed: topic=%s request_id=%s", self.topic, request_id, exc_info=True)
            failure = error
        if outcome is not None or failure is not None:
            rest = self._answer(reply_to, request_id, outcome, failure)
            if rest is not None:
                await rest


class _RoutingOnly(msgspec.Struct, gc=False):
    header: Routing


_read_routing = msgspec.json.Decoder(_RoutingOnly).decode


async def _one_by_one(rest: list[Awaitable[None]]) -> None:
    for each in rest:
        await each
