"""An old client by hand: raw sockets, hand-made frames, everything heard kept in order of arrival.

Knows pyzmq and json, and nothing of context_bus: what stands here is what programs written for the
original wire do. Only the publisher is an XPUB instead of a PUB, so that a test can see who listens
instead of sleeping; the frames are the same.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import zmq

#: What a frame holds, and any object in it.
Json = dict[str, Any]
#: Default seconds to wait for something that ought to happen.
PATIENCE = 15.0


@dataclass(frozen=True)
class Seen:
    """One message heard: when, on which topic, and its JSON."""

    at: float
    topic: str
    data: Json = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def header(self) -> Json:
        """The header; of a process message the inner one."""
        if self.topic == "process":
            return _at(self.data, "Task", "message", "header")
        return _at(self.data, "header")

    @property
    def action(self) -> str:
        """The verb."""
        return str(self.header.get("action", ""))

    @property
    def service_id(self) -> str:
        """Id of the service it is about."""
        return str(self.header.get("service_id", ""))

    @property
    def transaction(self) -> str:
        """The transaction, whichever way this topic spells it."""
        return str(self.header.get("service_transaction", self.header.get("transaction", "")))

    @property
    def status(self) -> Json:
        """``content.status`` of a report."""
        return _at(self.data, "content", "status")

    @property
    def cause(self) -> Json:
        """Which transition is behind a process message; empty if none is."""
        return _at(self.data, "header", "cause") or _at(self.header, "cause")

    @property
    def is_report(self) -> bool:
        """Whether a service says something about itself."""
        return self.topic == "control" and self.status.get("device_action") != "context_info"

    def brief(self) -> str:
        """One line for a failed assertion."""
        status = str(self.status or "")[:90]
        return f"{self.at:9.3f} {self.topic:8} {self.action:10} {self.service_id:8} {status}"


def _at(data: object, *keys: str) -> Json:
    """The object at a path; an empty one if there is none, for anybody may send anything."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def parse(frame: bytes, at: float = 0.0) -> Seen:
    """Take a frame apart as the original did, but at the first separator only."""
    topic, _, body = frame.decode().partition("@@@")
    data = json.loads(body)
    if not isinstance(data, dict):
        raise ValueError(f"not an object: {body[:80]}")
    return Seen(at, topic.strip(), data, frame)


class Wire:
    """A publisher and a recorder on one bus.

    Args:
        publish_to: BackendEndpoint.
        listen_on: FrontEndEndpoint.
        topics: What the recorder subscribes to; everything by default, as the old tools do.
    """

    def __init__(self, publish_to: str, listen_on: str, topics: Sequence[bytes] = (b"",)) -> None:
        self._context = zmq.Context()
        self._publisher = self._context.socket(zmq.XPUB)
        self._publisher.sndhwm = 0
        self._publisher.linger = 2000
        # A forwarder that was replaced makes old subscriptions known again; we want to see them.
        self._publisher.set(zmq.XPUB_VERBOSE, 1)
        self._publisher.connect(publish_to)
        self._listener = self._context.socket(zmq.SUB)
        self._listener.rcvhwm = 0
        self._listener.linger = 0
        self._probe = b"probe." + secrets.token_hex(8).encode()
        #: Topic on which this client is answered, subscribed to as exactly as it is sent.
        self.inbox = f"reply.{secrets.token_hex(8)}"
        for topic in (*topics, self._probe, f"{self.inbox} @@@ ".encode()):
            self._listener.subscribe(topic)
        self._listener.connect(listen_on)
        self._listeners: set[bytes] = set()
        self._news = threading.Condition()
        self.seen: list[Seen] = []
        self.broken: list[bytes] = []
        self._wake_read, self._wake_write = os.pipe()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._record, name="recorder")
        self._thread.start()

    # -- hearing ---------------------------------------------------------------------------------

    def _record(self) -> None:
        poller = zmq.Poller()
        poller.register(self._listener, zmq.POLLIN)
        poller.register(self._wake_read, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._wake_read in ready:
                return
            frame = self._listener.recv()
            at = time.monotonic() - self._started
            with self._news:
                try:
                    self.seen.append(parse(frame, at))
                except (ValueError, RecursionError):
                    self.broken.append(frame)
                self._news.notify_all()

    @property
    def now(self) -> int:
        """Where the record stands; give it as ``since`` to look only at what comes later."""
        with self._news:
            return len(self.seen)

    def wait_for(
        self,
        predicate: Callable[[Seen], bool],
        what: str = "a message",
        since: int = 0,
        timeout: float = PATIENCE,
    ) -> Seen:
        """The first message, heard or to come, for which the predicate holds."""
        deadline = time.monotonic() + timeout
        looked = since
        with self._news:
            while True:
                while looked < len(self.seen):
                    if predicate(self.seen[looked]):
                        return self.seen[looked]
                    looked += 1
                left = deadline - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    break
            tail = "\n".join(seen.brief() for seen in self.seen[since:][-40:])
        raise AssertionError(f"no {what} within {timeout} s; heard since:\n{tail or 'nothing'}")

    def wait_until(
        self, condition: Callable[[list[Seen]], bool], what: str, timeout: float = PATIENCE
    ) -> None:
        """Wait until a condition on the whole record holds."""
        with self._news:
            if not self._news.wait_for(lambda: condition(self.seen), timeout):
                tail = "\n".join(seen.brief() for seen in self.seen[-40:])
                raise AssertionError(f"not within {timeout} s: {what}; heard:\n{tail or 'nothing'}")

    def report(
        self, action: str, service_id: str, transaction: str, since: int = 0, timeout: float = PATIENCE
    ) -> Seen:
        """The first report of that action by that service."""
        return self.wait_for(
            lambda seen: (
                seen.is_report
                and (seen.action, seen.service_id, seen.transaction) == (action, service_id, transaction)
            ),
            f"{action} of {service_id} in {transaction}",
            since,
            timeout,
        )

    def reports(self, transaction: str, service_id: str = "", since: int = 0) -> list[Seen]:
        """All reports heard of a transaction, or of one of its services."""
        with self._news:
            return [
                seen
                for seen in self.seen[since:]
                if seen.is_report and seen.transaction == transaction and service_id in ("", seen.service_id)
            ]

    def forget_others(self, keep: Callable[[Seen], bool]) -> None:
        """Drop what is not worth keeping, so that a long run does not fill the memory."""
        with self._news:
            self.seen[:] = [seen for seen in self.seen if keep(seen)]
            self.broken.clear()

    # -- speaking --------------------------------------------------------------------------------

    def wait_listener(self, topic: bytes, timeout: float = PATIENCE, watch: int = -1) -> None:
        """Wait until somebody behind the forwarder subscribes to a topic that begins so.

        Args:
            topic: Beginning of the subscription, e.g. ``b"context"``.
            timeout: Seconds.
            watch: A pidfd; its process ending ends the wait with an error.
        """
        poller = zmq.Poller()
        poller.register(self._publisher, zmq.POLLIN)
        if watch >= 0:
            poller.register(watch, zmq.POLLIN)
        deadline = time.monotonic() + timeout
        while not any(known.startswith(topic) and (topic or not known) for known in self._listeners):
            ready = dict(poller.poll(max(0, int((deadline - time.monotonic()) * 1000))))
            if self._publisher in ready:
                self._note_subscriptions()
            elif watch in ready:
                raise AssertionError("the provider ended before it was ready")
            elif time.monotonic() >= deadline:
                raise AssertionError(f"nobody listens to {topic!r} within {timeout} s")

    def wait_recorder(self, timeout: float = PATIENCE) -> None:
        """Wait until the recorder hears what this wire's publisher says."""
        self.wait_listener(self._probe, timeout)

    def forget_listeners(self) -> None:
        """Forget who listens, so that a later wait is about a new connection."""
        self._note_subscriptions()
        self._listeners.clear()

    def wait_everything_listener(self, timeout: float = PATIENCE) -> None:
        """Wait until somebody subscribes to everything; the recorder itself must not."""
        self.wait_listener(b"", timeout)

    def _note_subscriptions(self) -> None:
        while self._publisher.poll(0):
            frame = self._publisher.recv()
            if frame[:1] == b"\x01":
                self._listeners.add(frame[1:])
            else:
                self._listeners.discard(frame[1:])

    def raw(self, frame: bytes) -> None:
        """Send bytes as they are."""
        self._publisher.send(frame)

    def send(self, topic: str, message: object) -> None:
        """Send as the original did: sorted, indented, ASCII only."""
        text = json.dumps(message, sort_keys=True, indent=4, separators=(",", ": "))
        self.raw(f"{topic} @@@ {text}".encode())

    def close(self) -> None:
        """Stop recording and free the sockets."""
        os.write(self._wake_write, b"x")
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._publisher.close()
        self._listener.close()
        self._context.term()
