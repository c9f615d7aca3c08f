"""The listening half of a node: its SUB sockets and the routes of each. Knows dispatch; must not wait.

What is common to ``Bus`` and ``AsyncBus``: which socket a topic belongs to, which handlers a frame
goes to, and what to count. How to wait for the next frame is theirs.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Literal

import msgspec
import zmq

from context_bus.bus import sockets
from context_bus.bus.catchup import Catchup
from context_bus.bus.counters import Counters
from context_bus.bus.dispatch import Answer, Deliver, Route, Spec
from context_bus.bus.latency import Latencies
from context_bus.bus.subscriber import topic_filter
from context_bus.errors import FrameError, NotConnected
from context_bus.kernel.kept import is_answer
from context_bus.kernel.message import MARK, SEPARATOR, split_frame

#: How a slow handler's messages wait: all of them in order, or the newest alone.
Delivery = Literal["queue", "conflate"]
#: Topics remembered by a node that listens to everything; beyond it, it begins anew.
TOPICS = 100_000


class TopicStats(msgspec.Struct, frozen=True):
    """What became of one topic's messages.

    Args:
        received: Messages that arrived.
        lost: Messages known to be missing, of which nobody else tells.
        conflated: Messages left out on purpose, by a handler that wants the newest only.
        rejected: Messages that arrived but could not be decoded.
        lost_by_sender: The same as ``lost`` and ``conflated``, for each sender that has any.
        kept: Kept values that handlers got when they joined; neither received nor lost.
    """

    received: int
    lost: int
    conflated: int
    rejected: int
    lost_by_sender: dict[str, int]
    kept: int = 0


class BusStats(msgspec.Struct, frozen=True):
    """What a node has done so far.

    Args:
        sent: Messages it published.
        received: Messages that arrived.
        lost: Messages known to be missing.
        conflated: Messages left out on purpose.
        rejected: Frames that were no messages, or not of a handler's type.
        topics: The same for each topic listened to.
    """

    sent: int
    received: int
    lost: int
    conflated: int
    rejected: int
    topics: dict[str, TopicStats]


class Channel:
    """One SUB socket and its routes.

    Args:
        sock: The socket.
        answer: What to do with outcomes of requests.
        conflate: It holds the newest message of one topic only.
    """

    def __init__(self, sock: zmq.Socket[bytes], answer: Answer, *, conflate: bool = False) -> None:
        self.socket = sock
        self.conflate = conflate
        #: How to deliver, by topic as it stands in the frame.
        self.routes: dict[bytes, Deliver] = {}
        self.counters: dict[str, Counters] = {}
        #: Frames that were no messages.
        self.rejected = 0
        #: How to deliver what answers our own questions for kept values, by the word in the frame.
        self.answers: dict[bytes, Deliver] = {}
        self._specs: dict[str, list[Spec]] = {}
        self._answer = answer

    def add(self, topic: str, spec: Spec) -> None:
        """Add a handler; every handler of a topic gets every message."""
        self._specs.setdefault(topic, []).append(spec)
        if not topic:  # everything: topics met before have one handler more now
            self.routes.clear()
        elif topic.encode() in self.routes or not self._specs.get(""):
            self._route(topic)
        else:
            self.routes.pop(topic.encode(), None)

    def _route(self, topic: str) -> Deliver:
        specs = self._specs.get(topic, []) + (self._specs.get("", []) if topic else [])
        counters = self.counters_of(topic)
        deliver = self.routes[topic.encode()] = Route(topic, specs, counters, self._answer).deliver
        return deliver

    def ask(self, question: bytes, deliver: Deliver) -> None:
        """Ask for kept values, after the topic itself is listened to."""
        self.answers[question.removesuffix(SEPARATOR)] = deliver
        self.socket.subscribe(question)

    def forget(self, question: bytes) -> None:
        """Take a question back, if it was asked."""
        if self.answers.pop(question.removesuffix(SEPARATOR), None) is not None:
            self.routes.pop(question.removesuffix(SEPARATOR), None)
            self.socket.unsubscribe(question)

    def counters_of(self, topic: str) -> Counters:
        """Where messages of a topic are counted."""
        return self.counters.setdefault(topic, Counters(topic, silent=self.conflate))

    def resolve(self, frame: bytes) -> tuple[Deliver, bytes] | None:
        """Find the way of a frame whose topic is not in ``routes``; None, and counted, if there is none."""
        if is_answer(frame):
            word, _, answer = frame.partition(SEPARATOR)
            asked = self.answers.get(word)  # what others asked for is not for us, who listen to everything
            return (asked, answer) if asked is not None else None
        try:
            topic, body = split_frame(frame)
        except FrameError:
            self.rejected += 1
            return None
        if deliver := self.routes.get(topic.encode()):
            return deliver, body
        if topic not in self._specs and "" not in self._specs:
            self.rejected += 1
            return None
        if len(self.routes) >= TOPICS:
            self.routes.clear()
            self.counters.clear()
        return self._route(topic), body


class Links(Channel):
    """What the monitor of a socket tells, taken as frames like all others: here, that it is connected.

    Args:
        monitor: The monitor.
        answer: Not used.
        connected: Called when the other side is there, again and for the first time.
    """

    def __init__(self, monitor: zmq.Socket[bytes], answer: Answer, connected: Callable[[], object]) -> None:
        super().__init__(monitor, answer)
        self._connected = connected

    def resolve(self, frame: bytes) -> None:
        """Take a part of an event: its number, then the address, of which nothing is wanted."""
        if sockets.tells_of_link(frame):
            self._connected()


class Listening:
    """The SUB sockets of a node.

    Args:
        context: The node's zmq context.
        endpoint: Where the forwarder serves listeners.
        answer: What to do with outcomes of requests.
        hwm: Messages to queue here before the forwarder has to.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, answer: Answer, hwm: int
    ) -> None:
        self._context = context
        self._endpoint = endpoint
        self._answer = answer
        self._hwm = hwm
        self.main = Channel(sockets.subscriber_socket(context, endpoint, hwm=hwm), answer)
        #: Samples of how long messages were on their way; None while nobody wants to know.
        self.latencies: Latencies | None = None
        self._conflating: dict[str, Channel] = {}
        self._catching_up: list[Channel] = []
        self._lock = threading.Lock()

    @property
    def channels(self) -> list[Channel]:
        """All channels, the one for queued topics first."""
        with self._lock:
            return [self.main, *self._conflating.values(), *self._catching_up]

    def add(self, topic: str, spec: Spec, *, conflate: bool, last: bool = False) -> None:
        """Listen to a topic; by the thread that receives, or before one does."""
        if MARK in topic.encode() or topic != topic.strip():
            raise FrameError(
                f"cannot listen to topic {topic!r}: no '@@@' and no blanks around it are allowed"
            )
        if conflate and not topic:
            raise FrameError(
                "cannot conflate everything: name the topic of which the newest message is wanted"
            )
        if last and not topic:
            raise FrameError("cannot ask for the last values of everything: name the topic")
        if last and conflate:
            self._conflate_and_catch_up(topic, spec)
            return
        channel = self._conflating_channel(topic) if conflate else self.main
        catchup = Catchup(topic, spec, lambda: channel.counters_of(topic)) if last else None
        channel.add(topic, spec)
        channel.socket.subscribe(topic_filter(topic))  # the second time costs nothing on the wire
        if catchup is not None:
            channel.ask(catchup.question, catchup.deliver)

    def _conflate_and_catch_up(self, topic: str, spec: Spec) -> None:
        """Let a handler have the newest message, and what each sender kept.

        A socket that conflates would leave out the kept values of all senders but one, and even one of two
        filters; so it has that of the topic, and what was kept comes over the main one.
        """
        sock = sockets.subscriber_socket(self._context, self._endpoint, conflate=True, connected=False)
        channel = Channel(sock, self._answer, conflate=True)
        catchup = Catchup(topic, spec, lambda: channel.counters_of(topic))
        channel.add(topic, spec)
        word = topic.encode()
        channel.routes[word] = catchup.guarded(channel.routes[word])
        channel.socket.subscribe(topic_filter(topic))
        links = Links(sockets.link_monitor(sock), self._answer, functools.partial(self._ask_anew, catchup))
        with self._lock:
            self._catching_up += [channel, links]
        sockets.connect(sock, self._endpoint)

    def _ask_anew(self, catchup: Catchup) -> None:
        """Ask, once more if it was asked before: messages in between were for nobody."""
        self.main.forget(catchup.question)
        self.main.ask(catchup.new_question(), catchup.deliver)

    def _conflating_channel(self, topic: str) -> Channel:
        # Conflating keeps one message for all topics of a socket, so each topic has its own.
        with self._lock:
            if topic not in self._conflating:
                sock = sockets.subscriber_socket(self._context, self._endpoint, conflate=True)
                self._conflating[topic] = Channel(sock, self._answer, conflate=True)
            return self._conflating[topic]

    def stats(self, sent: int) -> BusStats:
        """Add up what the channels counted."""
        topics: dict[str, TopicStats] = {}
        stray = 0
        for channel in self.channels:
            stray += channel.rejected
            for topic, counters in list(channel.counters.items()):
                topics[topic] = _merged(topics.get(topic), counters, channel.conflate)
        return BusStats(
            sent=sent,
            received=sum(each.received for each in topics.values()),
            lost=sum(each.lost for each in topics.values()),
            conflated=sum(each.conflated for each in topics.values()),
            rejected=stray + sum(each.rejected for each in topics.values()),
            topics=topics,
        )

    def close(self) -> None:
        """Close the sockets; what has not been received is dropped."""
        for channel in reversed(self.channels):  # monitors before what they watch
            channel.socket.close(0)


def _merged(before: TopicStats | None, counters: Counters, conflate: bool) -> TopicStats:
    missing = counters.lost
    by_sender = dict(before.lost_by_sender) if before else {}
    for sender, flow in list(counters.flows.items()):
        if flow.lost:
            by_sender[sender] = by_sender.get(sender, 0) + flow.lost
    return TopicStats(
        received=counters.received + (before.received if before else 0),
        lost=(0 if conflate else missing) + (before.lost if before else 0),
        conflated=(missing if conflate else 0) + (before.conflated if before else 0),
        rejected=counters.rejected + (before.rejected if before else 0),
        lost_by_sender=by_sender,
        kept=counters.kept + (before.kept if before else 0),
    )


def barrier_filters(tag: str) -> tuple[bytes, bytes]:
    """The two filters of a barrier; see ``Bus.connect``."""
    return (f"{tag}.1".encode() + SEPARATOR, f"{tag}.2".encode() + SEPARATOR)


def not_joined(listen_on: str, publish_to: str, timeout: float) -> NotConnected:
    """Why a barrier was not passed."""
    return NotConnected(
        f"no forwarder joins {publish_to} (to publish) with {listen_on} (to listen) within {timeout} s: "
        "is the context provider running, and are the two addresses not exchanged?"
    )
