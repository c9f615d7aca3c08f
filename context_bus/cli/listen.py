"""Listening for people: any topics of any endpoints, and word of endpoints that do not answer.

Tools are the only ones that may subscribe to everything; services use the ``bus`` room. Knows zmq
and the look of a frame, decodes no JSON.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

import zmq

from context_bus.bus import sockets
from context_bus.bus.publisher import check_topic
from context_bus.cli.latecomer import Latecomer
from context_bus.cli.output import remark
from context_bus.kernel.closing import Closing
from context_bus.kernel.message import SEPARATOR

#: Frames that may wait in this process; beyond it ZeroMQ drops, so it is as high as memory bears.
HIGH_WATER_MARK = 200_000
#: Most frames handed over at once, so that a flood leaves time for the clock and for Ctrl-C.
BATCH = 1000
#: Seconds without a connection after which the user is told what the tool waits for.
PATIENCE = 1.0
_LINK_EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED

#: Told of an endpoint that was connected (True), lost, or did not answer in time (False).
LinkObserver = Callable[[str, bool], None]


class Listener(Closing):
    """Subscriptions to some topics, or to everything, at one or more endpoints.

    Args:
        endpoints: Where to connect; each gets a socket, so that each can be told apart when it fails.
        topics: Exact topics; none means every one.
        on_link: Called from within ``receive`` when an endpoint is missed, and when it comes after that.
        patience: Seconds without a connection after which an endpoint is missed.
        whole: Join the parts of a message of several; off where only numbers and sizes count.
        last: Begin with the last message that each sender keeps of these topics.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        topics: Sequence[str] = (),
        on_link: LinkObserver | None = None,
        *,
        whole: bool = True,
        patience: float = PATIENCE,
        last: bool = False,
    ) -> None:
        self._latecomer = Latecomer(topics if last else ())
        self._sifts = last or not topics
        self._drain = _drain_whole if whole else _drain
        self._filters = [check_topic(topic) + SEPARATOR for topic in topics] or [b""]
        self._is_paused = False
        self._zmq_context = zmq.Context()
        self._poller = zmq.Poller()
        self._sockets: dict[zmq.Socket[bytes], str] = {}
        self._monitors: dict[zmq.Socket[bytes], str] = {}
        self._on_link = on_link or (lambda endpoint, up: None)
        self._waiting = set(endpoints)
        self._told_missing: set[str] = set()
        self._notice_at = time.monotonic() + patience
        try:
            for endpoint in dict.fromkeys(endpoints):
                self._open(endpoint)
        except BaseException:
            self.close()
            raise

    def receive(self, deadline: float | None = None) -> list[bytes]:
        """Wait for frames and take those that are there.

        Args:
            deadline: Point on the monotonic clock after which to give up; None means never.

        Returns:
            Up to ``BATCH`` frames per endpoint; none when the deadline has passed.
        """
        while True:
            ready = dict(self._poller.poll(self._patience(deadline)))
            for monitor in self._monitors.keys() & ready.keys():
                self._note_link(monitor)
            frames = [
                frame for socket in self._sockets.keys() & ready.keys() for frame in self._drain(socket)
            ]
            if self._sifts and frames:  # who listens to everything hears what others asked for
                frames = self._latecomer.sift(frames)
            now = time.monotonic()
            if self._waiting and now >= self._notice_at:
                self._notice_at = float("inf")
                for endpoint in sorted(self._waiting - self._told_missing):
                    self._tell(endpoint, False)
            if frames or (deadline is not None and now >= deadline):
                return frames

    def pause(self) -> None:
        """Have the forwarder send nothing for a while; links are watched all the same."""
        if not self._is_paused:
            self._is_paused = True
            for socket in self._sockets:
                for each in self._filters:
                    socket.unsubscribe(each)

    def resume(self) -> None:
        """Listen again."""
        if self._is_paused:
            self._is_paused = False
            for socket in self._sockets:
                for each in self._filters:
                    socket.subscribe(each)

    def close(self) -> None:
        """Close all sockets; nothing is kept back since a listener sends nothing."""
        for socket in self._sockets:
            socket.disable_monitor()
        for socket in (*self._monitors, *self._sockets):
            socket.close(linger=0)
        self._zmq_context.term()
        self._sockets, self._monitors = {}, {}

    def _open(self, endpoint: str) -> None:
        socket = self._zmq_context.socket(zmq.SUB)
        self._sockets[socket] = endpoint
        socket.set_hwm(HIGH_WATER_MARK)
        socket.sndhwm = 0  # subscriptions pass through it; the default loses all beyond the first thousand
        socket.linger = 0
        socket.reconnect_ivl = 10
        socket.reconnect_ivl_max = 200
        monitor = socket.get_monitor_socket(_LINK_EVENTS)
        self._monitors[monitor] = endpoint
        for each in self._filters:
            socket.subscribe(each)
        for question in self._latecomer.questions:
            socket.subscribe(question)
        socket.connect(endpoint)
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(monitor, zmq.POLLIN)

    def _patience(self, deadline: float | None) -> int | None:
        """Milliseconds until the deadline or until the user should hear what we wait for."""
        ends = [end for end in (deadline, self._notice_at if self._waiting else None) if end is not None]
        left = min(ends, default=float("inf")) - time.monotonic()
        return None if left == float("inf") else max(0, int(left * 1000) + 1)

    def _note_link(self, monitor: zmq.Socket[bytes]) -> None:
        endpoint = self._monitors[monitor]
        for up in sockets.read_link(monitor):
            if up:
                self._waiting.discard(endpoint)
            # A connection may break off before its handshake: what is missed already is not missed again.
            if up == (endpoint in self._told_missing):
                self._tell(endpoint, up)

    def _tell(self, endpoint: str, up: bool) -> None:
        """Tell of an endpoint that is missing, and of its coming only where it was missed."""
        (self._told_missing.discard if up else self._told_missing.add)(endpoint)
        self._on_link(endpoint, up)


def report_link(endpoint: str, up: bool) -> None:
    """Tell on stderr that an endpoint does not answer, or answers again."""
    remark(f"listening to {endpoint}" if up else f"nothing answers at {endpoint}; waiting for it")


def _drain(socket: zmq.Socket[bytes]) -> list[bytes]:
    frames: list[bytes] = []
    take, receive, nowait = frames.append, socket.recv, zmq.DONTWAIT
    with contextlib.suppress(zmq.Again):
        for _ in range(BATCH):
            take(receive(nowait))
    return frames


def _drain_whole(socket: zmq.Socket[bytes]) -> list[bytes]:
    frames: list[bytes] = []
    with contextlib.suppress(zmq.Again):
        while len(frames) < BATCH:
            frames += [b"".join(socket.recv_multipart(zmq.DONTWAIT))]
    return frames
