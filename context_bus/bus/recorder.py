"""Takes whatever comes on topics and writes it into a recording. Knows sockets and the writer; opens no file.

It has to keep up with the forwarder, so it decodes nothing: frames are taken in bunches, stamped, counted
by their numbers, and handed on as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import repeat

import zmq

from context_bus.bus import sockets
from context_bus.bus.publisher import check_topic
from context_bus.bus.recording import BLOCK_BYTES, Writer
from context_bus.bus.subscriber import topic_filter
from context_bus.bus.tallies import Tallies
from context_bus.kernel.closing import Closing

#: Seconds after which what came is written, however little it is: all that a killed recorder loses.
WRITE_AFTER = 1.0
#: Frames that are still taken after the end was asked for, if they are here already.
LAST_FRAMES = 10_000
#: Frames taken at once.
BUNCH = 256
#: Frames that get one time, where so many are here at once: they are a few microseconds apart.
STAMPED = 16
#: Seconds without a connection after which that is told.
PATIENCE = 1.0
_LINK_EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED

_clock = time.monotonic_ns


class Recorder(Closing):
    """Records topics of one forwarder.

    Args:
        endpoint: Where it serves listeners.
        topics: Exact topics; none means every one.
        writer: Where it all goes.

    Raises:
        FrameError: A topic cannot be one.
        EndpointError: The endpoint cannot be one.
    """

    def __init__(self, endpoint: str, topics: Sequence[str], writer: Writer) -> None:
        self.endpoint = endpoint
        #: What came, by topic and sender.
        self.tallies = Tallies()
        self._writer = writer
        self._began = _clock()
        self._times: list[int] = []
        self._frames: list[bytes] = []
        #: Bytes that wait to be written.
        self.waiting = 0
        self._write_at = 0
        #: Told when the forwarder does not answer (False), and when it does after that (True).
        self.on_link: Callable[[bool], object] = lambda is_up: None
        self._is_linked = self._is_missed = False
        for topic in topics:
            check_topic(topic)
        self._context = sockets.new_context(16)
        with sockets.released_on_failure(self._context):
            self.socket = sockets.subscriber_socket(self._context, endpoint, connected=False)
            self._monitor = self.socket.get_monitor_socket(_LINK_EVENTS)
            sockets.connect(self.socket, endpoint)  # after that, so that no news of the link is missed
        for topic in topics or ("",):
            self.socket.subscribe(topic_filter(topic))

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return (_clock() - self._began) / 1e9

    def run(
        self,
        is_over: Callable[[], bool],
        wakeup: int | None = None,
        until: float | None = None,
        tick: float | None = None,
    ) -> None:
        """Record until it is over.

        Args:
            is_over: Asked after each bunch, and whenever something happens at ``wakeup``.
            wakeup: A descriptor to watch besides the socket.
            until: Seconds since the beginning after which it is over all the same.
            tick: Seconds after which to ask ``is_over`` though nothing has come.

        Raises:
            OSError: The file takes no more.
        """
        poller = zmq.Poller()
        for watched in (self.socket, self._monitor, wakeup):
            if watched is not None:
                poller.register(watched, zmq.POLLIN)
        while not is_over() and (until is None or self.elapsed < until):
            if not self._take():
                self._look_at_link(self._monitor in dict(poller.poll(self._patience(until, tick))))
            if self.waiting >= BLOCK_BYTES or (self._frames and _clock() >= self._write_at):
                self.write()

    def write(self) -> None:
        """Write what came until now as a block."""
        if self._frames:
            times, frames = self._times, self._frames
            self._times, self._frames, self.waiting = [], [], 0
            self._writer.write(times, frames)

    def finish(self, last_frames: int = LAST_FRAMES) -> None:
        """Take what is here already, write it, and sum up.

        Args:
            last_frames: How many to take at most: who publishes need not stop because we do.
        """
        for _ in range(last_frames // BUNCH):
            if not self._take():
                break
            if self.waiting >= BLOCK_BYTES:
                self.write()
        self.write()
        self._writer.finish(self.tallies.rows(), _clock() - self._began, self.tallies.strangers)

    def close(self) -> None:
        """Close the socket."""
        self.socket.disable_monitor()
        self._monitor.close(0)
        self.socket.close(0)
        self._context.term()

    def _take(self) -> bool:
        """Take what is there, but not for ever; says whether there was anything."""
        frames: list[bytes] = []
        times: list[int] = []
        take, receive, nowait, began = frames.append, self.socket.recv, zmq.DONTWAIT, self._began
        try:
            for _ in range(BUNCH // STAMPED):
                for _ in range(STAMPED):
                    take(receive(nowait))
                times += repeat(_clock() - began, STAMPED)
        except zmq.Again:
            times += repeat(_clock() - began, len(frames) - len(times))
        if not frames:
            return False
        if not self._frames:
            self._write_at = _clock() + round(WRITE_AFTER * 1e9)
        marks = self.tallies.note_all(frames)
        if marks and not all(marks):
            times = [at for at, mark in zip(times, marks, strict=True) if mark]
            frames = [frame for frame, mark in zip(frames, marks, strict=True) if mark]
        self._times += times
        self._frames += frames
        self.waiting += sum(map(len, frames))
        return True

    def _look_at_link(self, has_news: bool) -> None:
        if has_news:
            self._note_link()
        elif not (self._is_linked or self._is_missed) and self.elapsed >= PATIENCE:
            self._is_missed = True
            self.on_link(False)

    def _note_link(self) -> None:
        for is_up in sockets.read_link(self._monitor):
            self._note(is_up)

    def _note(self, is_up: bool) -> None:
        self._is_linked = is_up
        # A connection may break off before its handshake: what is missed already is not missed again.
        if self._is_linked == self._is_missed:
            self._is_missed = not self._is_linked
            self.on_link(self._is_linked)

    def _patience(self, until: float | None, tick: float | None) -> int | None:
        """Milliseconds to wait for the next frame; None for ever."""
        ends = [] if tick is None else [tick]
        if self._frames:
            ends.append((self._write_at - _clock()) / 1e9)
        if until is not None:
            ends.append(until - self.elapsed)
        if not (self._is_linked or self._is_missed):
            ends.append(PATIENCE - self.elapsed)
        return max(0, round(min(ends) * 1000) + 1) if ends else None
