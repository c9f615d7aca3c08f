"""Reports what the nodes of this process count, while somebody listens. Knows tallies and sockets.

One thread for each bus that the process is on, with a socket of its own: a node whose queue is full or whose
thread is busy is reported all the same. It begins when a node hears of a listener to ``bus.stats``, and ends
when its own socket says that there is none any more; without one there is neither.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import threading
import time
import weakref

import msgspec
import zmq

from context_bus.bus import sockets
from context_bus.bus.audience import Audience
from context_bus.bus.report import EVERY, REPORT, STATS_TOPIC, Report
from context_bus.bus.tally import Tally
from context_bus.errors import BusError
from context_bus.kernel.message import SEPARATOR, Header, Message

#: Seconds that a listener, of whom a node has heard, has to be heard of by the reporter's own socket.
JOIN_WITHIN = 1.0
#: Seconds in which somebody may follow the last listener: a node may have heard of him before us.
AGAIN_WITHIN = 0.1
#: Seconds a node that closes waits for its last report to leave.
LAST_WITHIN = 0.5
#: Reports that may wait for a forwarder that is away; what is more is not sent, for the next have it.
HWM = 1000
#: Sockets of its zmq context.
_MAX_SOCKETS = 16

_FILTER = STATS_TOPIC.encode() + SEPARATOR
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class _Speaker:
    """The socket of one reporter, and who listens to it; belongs to the reporter's thread.

    Args:
        endpoint: Where the forwarder serves publishers.
        bell: An eventfd that ends a wait.
    """

    def __init__(self, endpoint: str, bell: int) -> None:
        self._context = sockets.new_context(_MAX_SOCKETS)
        with sockets.released_on_failure(self._context):
            self._socket, self._link = sockets.watched_publisher(self._context, endpoint, hwm=HWM)
        self._audience = Audience(self._socket, threading.Lock())
        self._audience.on_watched = self._note_newcomer
        self.is_connected = False
        self.has_newcomer = False
        self.reaches = self._audience.reaches
        self._bell, self._news = bell, self._audience.descriptor
        self._link_news = sockets.descriptor(self._link)
        self._poll = select.poll()
        for descriptor in (self._bell, self._news, self._link_news):
            self._poll.register(descriptor, select.POLLIN)
        self._read_link()  # its descriptor signals what comes after it was found empty

    def _note_newcomer(self) -> None:
        self.has_newcomer = True

    @property
    def is_heard(self) -> bool:
        """Whether somebody listens, as far as was read."""
        return self._audience.knows(_FILTER)

    def send(self, report: Report) -> None:
        """Send a report; one that the queue does not take is left out."""
        header = Header(REPORT, report.service_id, report.service_name, report.transaction)
        header.sender, header.sent_at = report.sender, report.at
        with contextlib.suppress(zmq.Again):
            self._socket.send(_FILTER + _encode(Message(header, report)), zmq.DONTWAIT)

    def wait(self, timeout: float) -> bool:
        """Wait for news of listeners, for the bell, or so many seconds; False if the forwarder was lost."""
        self._audience.refresh()  # sending may have taken the signal of news off the descriptor
        if self.has_newcomer:
            return True
        milliseconds = None if timeout == math.inf else max(0.0, timeout) * 1000
        ready = [descriptor for descriptor, _ in self._poll.poll(milliseconds)]
        if self._bell in ready:
            os.eventfd_read(self._bell)
        if self._news in ready:
            self._audience.refresh()
        return self._link_news not in ready or self._read_link()

    def _read_link(self) -> bool:
        for is_up in sockets.read_link(self._link):
            self.is_connected = is_up
            if not is_up:
                return False
        return True

    def close(self) -> None:
        """Close; returns when what was sent has left, or a second later."""
        self._socket.disable_monitor()
        self._link.close(0)
        self._socket.close(round(sockets.LINGER * 1000))
        self._context.term()


class _Reporter:
    """Reports for the nodes of this process on one bus."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._tallies: weakref.WeakSet[Tally] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._bell = -1
        self._is_wanted = False
        self._leaving: list[Tally] = []

    # -- for nodes, from any thread --------------------------------------------------------------

    def enter(self, tally: Tally) -> None:
        """Report for this one, too."""
        with self._lock:
            self._tallies.add(tally)

    def wake(self) -> None:
        """Somebody listens, as a node has heard."""
        with self._lock:
            self._is_wanted = True
            if self._thread is None or not self._thread.is_alive():
                self._begin()

    def _begin(self) -> None:
        bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        thread = threading.Thread(target=self._run, args=(bell,), name="bus-stats", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads; or the interpreter is about to end
            os.close(bell)
            _log.info("no reports: reason=%s", error)
        else:
            self._thread, self._bell = thread, bell

    def leave(self, tally: Tally) -> None:
        """Report for this one a last time, if somebody listens; returns when that has been sent."""
        with self._lock:
            if tally not in self._tallies:
                return
            self._tallies.discard(tally)
            thread = self._thread
            if thread is None:
                return
            self._leaving.append(tally)
            is_last = not self._tallies
            os.eventfd_write(self._bell, 1)
        if is_last:  # and with it the process may end
            thread.join(LAST_WITHIN)

    # -- its thread ------------------------------------------------------------------------------

    def _run(self, bell: int) -> None:
        try:
            while self._is_still_wanted():
                speaker = _Speaker(self._endpoint, bell)
                try:
                    self._attend(speaker)
                finally:
                    speaker.close()
        except (BusError, OSError, zmq.ZMQError) as error:  # no means for a socket
            _log.info("no reports: reason=%s", error)
        except Exception:  # noqa: BLE001  # a fault of ours must not cost more than the reports
            _log.exception("no reports")
        finally:
            with self._lock:
                self._end()

    def _is_still_wanted(self) -> bool:
        """Whether to go on; if not, whoever is heard of from now on begins anew."""
        with self._lock:
            wanted, self._is_wanted = self._is_wanted and bool(self._tallies or self._leaving), False
            if not wanted:
                self._end()
            return wanted

    def _end(self) -> None:
        if self._thread is threading.current_thread():
            os.close(self._bell)
            self._thread, self._bell = None, -1
            self._leaving.clear()

    def _attend(self, speaker: _Speaker) -> None:
        """Report until nobody listens, nobody is left to report for, or the forwarder is lost."""
        patience = JOIN_WITHIN
        while self._is_heard(speaker, patience):
            try:
                if not self._report(speaker):
                    return
            finally:
                for tally in self._nodes():
                    tally.end()
            patience = AGAIN_WITHIN

    def _is_heard(self, speaker: _Speaker, patience: float) -> bool:
        """Wait until somebody listens; not longer than that is worth it."""
        deadline = math.inf
        while not speaker.is_heard:
            now = time.monotonic()
            if not self._nodes():
                deadline = min(deadline, now + LAST_WITHIN)
            elif speaker.is_connected:  # so that there is somebody to hear of listeners from
                deadline = min(deadline, now + patience)
            if now >= deadline:
                return False
            if not speaker.wait(deadline - now):
                deadline = math.inf
        return True

    def _nodes(self) -> list[Tally]:
        with self._lock:
            return list(self._tallies)

    def _report(self, speaker: _Speaker) -> bool:
        """Report while somebody listens; False if that ended for another reason."""
        due = time.monotonic()
        while speaker.is_heard:
            self._is_wanted = False  # of whom a node has heard, we have
            now = time.monotonic()
            whole, speaker.has_newcomer = speaker.has_newcomer, False
            if whole or now >= due:
                self._look(speaker, now, whole)
                due = now + EVERY if now >= due else due
            if not self._say_last(speaker):
                return False
            if not speaker.wait(due - time.monotonic()):
                # Another socket: this one would go on to take those for listeners who were at the lost
                # forwarder. Nodes do so, and may not tell us again.
                self._is_wanted = True
                return False
        return True

    def _look(self, speaker: _Speaker, now: float, whole: bool) -> None:
        wall = time.time()
        for tally in self._nodes():
            tally.begin()
            for report in tally.look(now, wall, speaker.reaches, whole=whole):
                speaker.send(report)

    def _say_last(self, speaker: _Speaker) -> bool:
        """Tell of nodes that have closed; says whether any is left."""
        with self._lock:
            leaving, self._leaving = self._leaving, []
            is_any_left = bool(self._tallies)
        for tally in leaving:
            for report in tally.look(time.monotonic(), time.time(), speaker.reaches, last=True):
                speaker.send(report)
            tally.end()
        return is_any_left


_reporters: weakref.WeakValueDictionary[str, _Reporter] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def enter(endpoint: str, tally: Tally, audience: Audience) -> None:
    """Report for a node whenever somebody listens, until it leaves or is forgotten.

    Args:
        endpoint: Where its bus serves publishers.
        tally: What it counts.
        audience: Tells when somebody begins to listen.
    """
    with _lock:
        reporter = _reporters.get(endpoint)
        if reporter is None:
            reporter = _reporters[endpoint] = _Reporter(endpoint)
        reporter.enter(tally)
    audience.on_watched = reporter.wake  # and by this it lives as long as a node of it


def leave(endpoint: str, tally: Tally, audience: Audience) -> None:
    """Report for a node no more; if somebody listens, it is told what it came to."""
    audience.refresh()
    with _lock:
        reporter = _reporters.get(endpoint)
    if reporter is not None:
        reporter.leave(tally)
