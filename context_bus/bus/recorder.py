"""Takes whatever comes on topics and writes it into a recording. Knows sockets and the writer; opens no file.

It has to keep up with the forwarder, so it decodes nothing: frames are taken in bunches, stamped, counted
by their numbers, and handed on as they are.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

import zmq

from context_bus.bus import sockets
from context_bus.bus.publisher import check_topic
from context_bus.bus.recording import BLOCK_BYTES, Writer
from context_bus.bus.subscriber import topic_filter
from context_bus.bus.tallies import Tallies

#: Seconds after which what came is written, however little it is: all that a killed recorder loses.
WRITE_AFTER = 1.0
#: Frames that may wait here while a block is written, before the forwarder has to keep them.
HWM = 10_000
#: Frames taken at once.
BUNCH = 500

_clock = time.monotonic_ns


class Recorder:
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
        #: What came, by topic and sender.
        self.tallies = Tallies()
        self._writer = writer
        self._began = _clock()
        self._times: list[int] = []
        self._frames: list[bytes] = []
        #: Bytes that wait to be written.
        self.waiting = 0
        self._write_at = 0
        for topic in topics:
            check_topic(topic)
        self._context = sockets.new_context(16)
        with sockets.released_on_failure(self._context):
            self.socket = sockets.subscriber_socket(self._context, endpoint, hwm=HWM)
        for topic in topics or ("",):
            self.socket.subscribe(topic_filter(topic))

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return (_clock() - self._began) / 1e9

    def run(self, is_over: Callable[[], bool], wakeup: int | None = None, until: float | None = None) -> None:
        """Record until it is over.

        Args:
            is_over: Asked after each bunch, and whenever something happens at ``wakeup``.
            wakeup: A descriptor to watch besides the socket.
            until: Seconds since the beginning after which it is over all the same.

        Raises:
            OSError: The file takes no more.
        """
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        if wakeup is not None:
            poller.register(wakeup, zmq.POLLIN)
        while not is_over() and (until is None or self.elapsed < until):
            if not self._take():
                poller.poll(self._patience(until))
            if self.waiting >= BLOCK_BYTES or (self._frames and _clock() >= self._write_at):
                self.write()

    def write(self) -> None:
        """Write what came until now as a block."""
        if self._frames:
            times, frames = self._times, self._frames
            self._times, self._frames, self.waiting = [], [], 0
            self._writer.write(times, frames)

    def finish(self) -> None:
        """Take what is here already, write it, and sum up."""
        for _ in range(HWM // BUNCH):  # and no more: who publishes need not stop because we do
            if not self._take():
                break
            if self.waiting >= BLOCK_BYTES:
                self.write()
        self.write()
        self._writer.finish(self.tallies.rows(), _clock() - self._began, self.tallies.strangers)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(0)
        self._context.term()

    def _take(self) -> bool:
        """Take what is there, but not for ever; says whether there was anything."""
        frames: list[bytes] = []
        times: list[int] = []
        take, stamp, receive, nowait, clock = frames.append, times.append, self.socket.recv, zmq.DONTWAIT, _clock
        began = self._began
        with contextlib.suppress(zmq.Again):
            for _ in range(BUNCH):
                take(receive(nowait))
                stamp(clock() - began)
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

    def _patience(self, until: float | None) -> int | None:
        """Milliseconds to wait for the next frame; None for ever."""
        ends = [(self._write_at - _clock()) / 1e9] if self._frames else []
        if until is not None:
            ends.append(until - self.elapsed)
        return max(0, round(min(ends) * 1000) + 1) if ends else None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
