"""The receiving side, frame by frame, for tools and for services that dispatch themselves.

Knows sockets, counters and frames; must not know handlers. A subscriber belongs to the thread that receives.
"""

from __future__ import annotations

import time

import zmq

from context_bus.bus import sockets
from context_bus.bus.counters import Counters, Sequence, read_envelope
from context_bus.bus.novelty import Novelty
from context_bus.errors import FrameError
from context_bus.kernel.closing import Closing
from context_bus.kernel.kept import is_answer, new_question
from context_bus.kernel.message import SEPARATOR, UNREADABLE, split_frame


def topic_filter(topic: str) -> bytes:
    """The filter that lets pass exactly this topic; everything for the empty one."""
    return topic.encode() + SEPARATOR if topic else b""


class Subscriber(Closing):
    """Receives frames of chosen topics.

    Args:
        endpoint: Where the forwarder serves listeners (the context's ``FrontEndEndpoint``).
        hwm: Messages to queue here before the forwarder has to.
        conflate: Keep the newest message only; for one topic.
        count: Read each header for its number, so that ``lost`` is exact.
        zmq_context: Shared with the node's other sockets; an own one if None.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        hwm: int = sockets.SUBSCRIBER_HWM,
        conflate: bool = False,
        count: bool = True,
        zmq_context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        self.endpoint = endpoint
        #: Frames that were not messages of this bus.
        self.rejected = 0
        #: What arrived and what is missing, per topic.
        self.counters: dict[str, Counters] = {}
        #: The frame received last was a kept value, sent before anybody here listened.
        self.is_kept = False
        self._count = count
        self._news: dict[bytes, Novelty] = {}
        self._conflate = conflate
        context, self._own_context = sockets.own_or_shared(zmq_context)
        with sockets.released_on_failure(self._own_context):
            self.socket = sockets.subscriber_socket(context, endpoint, hwm=hwm, conflate=conflate)
        self._set_filter = sockets.filter_setter(self.socket)

    def subscribe(self, topic: str = "", *, last: bool = False) -> None:
        """Receive this topic, or everything if it is empty; the filter works in the forwarder.

        Args:
            topic: Exactly this topic.
            last: Begin with the last message that each sender keeps (``Publisher.keep``).

        Raises:
            ValueError: ``last`` for everything, without counting, or with ``conflate``, where a socket has
                room for one filter; ``Bus.subscribe`` has both.
        """
        if last and (not topic or self._conflate or not self._count):
            raise ValueError("last=True needs a topic, count=True and no conflate")
        self._set_filter(topic_filter(topic))
        if last:
            question = new_question(topic)
            self._news[question.removesuffix(SEPARATOR)] = Novelty(topic, lambda: self._counters_of(topic))
            self._set_filter(question)

    def unsubscribe(self, topic: str = "") -> None:
        """Receive it no longer."""
        self.socket.unsubscribe(topic_filter(topic))
        for word in [word for word, news in self._news.items() if news.topic == topic]:
            del self._news[word]
            self.socket.unsubscribe(word + SEPARATOR)

    def receive(self, timeout: float | None = None) -> tuple[str, bytes] | None:
        """Wait for one frame.

        Args:
            timeout: Seconds to wait at most; 0 takes what is there, None waits for ever.

        Returns:
            Topic and JSON text, or None if nothing came in time. Frames that are none are counted
            in ``rejected`` and passed over.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                frame = self.socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                left = -1 if deadline is None else round(max(0.0, deadline - time.monotonic()) * 1000)
                if not self.socket.poll(left):
                    return None
                continue
            if is_answer(frame):
                value = self._kept_value(frame)
                if value is None:
                    continue
                return value
            self.is_kept = False
            try:
                topic, body = split_frame(frame)
            except FrameError:
                self.rejected += 1
                continue
            if self._count:
                self._note(topic, body)
            return topic, body

    def _kept_value(self, frame: bytes) -> tuple[str, bytes] | None:
        """What answers a question of ours, if it is news."""
        word, _, body = frame.partition(SEPARATOR)
        news = self._news.get(word)  # one who listens to everything hears what others asked for
        if news is None or not news.is_news(body):
            return None
        self.is_kept = True
        return news.topic, body

    def _counters_of(self, topic: str) -> Counters:
        counters = self.counters.get(topic)
        if counters is None:
            counters = self.counters[topic] = Counters(topic, silent=self._conflate)
        return counters

    def _note(self, topic: str, body: bytes) -> None:
        counters = self._counters_of(topic)
        try:
            header = read_envelope(body).header
        except UNREADABLE:
            header = Sequence()
        if header.sequence > 0:
            counters.note(header.sender, header.sequence, max(1, header.batch))
        else:
            counters.unnumbered += 1

    @property
    def received(self) -> int:
        """Messages that arrived."""
        return sum(counters.received for counters in self.counters.values())

    @property
    def lost(self) -> int:
        """Messages known to be missing."""
        return sum(counters.lost for counters in self.counters.values())

    def fileno(self) -> int:
        """A descriptor that turns readable when ``receive(0)`` should be called until it returns None."""
        return sockets.descriptor(self.socket)

    def close(self) -> None:
        """Close; what has not been received is dropped."""
        self.socket.close(0)
        if self._own_context is not None:
            self._own_context.term()


__all__ = ["Subscriber", "read_envelope", "topic_filter"]
