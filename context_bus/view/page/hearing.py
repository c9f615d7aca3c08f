"""Hears topics of the bus for all pages, and never makes the bus wait.

Its thread owns the socket, takes in whatever comes, as fast as it comes, and hands on the last of it a few
times a second: a forwarder that waits for its listeners must not wait for a page.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from context_bus.bus.subscriber import Subscriber
from context_bus.client.endpoints import Endpoints
from context_bus.errors import ContextBusError
from context_bus.view.page.words import Bytes, message

#: Stands for every topic.
EVERYTHING = "*"
#: Seconds for which messages are gathered, and most of a topic that are handed on then.
TURN, MOST = 0.25, 60
#: Messages that may wait in the socket.
WAITING = 50_000

#: Told of the last messages of a topic (or of everything), and of how many there were besides.
Observer = Callable[[str, list[Bytes], int], object]


class Hearing:
    """Topics that somebody wants to hear.

    Args:
        find: Tells where the bus is.
        observe: Told what was heard, on the thread of this.
    """

    def __init__(self, find: Callable[[], Endpoints], observe: Observer) -> None:
        self._find, self._observe = find, observe
        self._wanted: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="page-hearing", daemon=True)
        self._thread.start()

    def want(self, topic: str) -> None:
        """Hear a topic; as often as it is called, `leave` has to be."""
        with self._changed:
            self._wanted[topic] += 1
            self._changed.notify_all()

    def leave(self, topic: str) -> None:
        """Hear it no longer, if nobody else wants it."""
        with self._changed:
            self._wanted[topic] -= 1
            self._wanted = +self._wanted
            self._changed.notify_all()

    def close(self) -> None:
        """End it; returns when its socket is closed."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                if self._closing:
                    return
            try:
                with Subscriber(self._find().listen, hwm=WAITING, count=False) as subscriber:
                    self._listen(subscriber)
            except (ContextBusError, OSError):
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, 1.0)

    def _listen(self, subscriber: Subscriber) -> None:
        """Until nobody wants anything."""
        subscribed: frozenset[str] = frozenset()
        while True:
            with self._changed:
                wanted = frozenset(() if self._closing else self._wanted)
            for topic in wanted - subscribed:
                subscriber.subscribe("" if topic == EVERYTHING else topic)
            for topic in subscribed - wanted:
                subscriber.unsubscribe("" if topic == EVERYTHING else topic)
            subscribed = wanted
            if not wanted:
                return
            self._turn(subscriber, wanted)

    def _turn(self, subscriber: Subscriber, wanted: frozenset[str]) -> None:
        kept: dict[str, deque[tuple[str, bytes, float]]] = {topic: deque(maxlen=MOST) for topic in wanted}
        counts: Counter[str] = Counter()
        deadline = time.monotonic() + TURN
        while (left := deadline - time.monotonic()) > 0:
            received = subscriber.receive(left)
            if received is None:
                break
            topic, body = received
            for each in (topic, EVERYTHING):
                if each in kept:
                    counts[each] += 1
                    kept[each].append((topic, body, time.time()))
        for each, found in kept.items():
            if found:
                self._observe(each, [message(*frame) for frame in found], counts[each] - len(found))
