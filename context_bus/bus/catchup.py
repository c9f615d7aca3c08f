"""Handlers that begin with what was kept before they joined. Knows news and dispatch, not sockets."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from context_bus.bus.counters import Counters
from context_bus.bus.dispatch import Deliver, Spec, decoder_of
from context_bus.bus.novelty import Novelty
from context_bus.kernel.kept import new_question
from context_bus.kernel.message import UNREADABLE, Frame

_log = logging.getLogger(__name__)


class Catchup:
    """One handler that is to have what was kept of a topic.

    Args:
        topic: The topic.
        spec: The handler.
        counters: Where the live messages of the topic are counted.
    """

    def __init__(self, topic: str, spec: Spec, counters: Callable[[], Counters]) -> None:
        #: The filter that asks for the kept values.
        self.question = new_question(topic)
        self.news = Novelty(topic, counters)
        self._topic, self._spec, self._counters = topic, spec, counters
        self._decode = None if spec.kind == "frame" else decoder_of(spec)

    def new_question(self) -> bytes:
        """Make another filter to ask by; who keeps values answers each but once."""
        self.question = new_question(self._topic)
        return self.question

    def deliver(self, body: bytes) -> Awaitable[None] | None:
        """Give a kept value to the handler, if it is news; gives what is left to await, or None."""
        if not self.news.is_news(body):
            return None
        if self._decode is None:
            return self._handed(Frame(self._topic, body, kept=True))
        try:
            message = self._decode(body)
        except UNREADABLE as error:
            self._counters().rejected += 1
            _log.info("kept value rejected: topic=%s reason=%s", self._topic, error)
            return None
        if self._spec.kind == "message":
            message.header.kept = True
            return self._handed(message)
        return self._handed(message.content)

    def _handed(self, argument: Any) -> Awaitable[None] | None:
        outcome = self._spec.handler(argument)
        return outcome if self._spec.is_async else None  # type: ignore[return-value]

    def guarded(self, deliver: Deliver) -> Deliver:
        """The way of live messages over another socket, which may come after a later kept value."""
        news = self.news

        def guard(body: bytes) -> Awaitable[None] | None:
            return None if news.is_outdated(body) else deliver(body)

        return guard
