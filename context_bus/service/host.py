"""One service: its lifecycle in the calling thread, its task in another. Knows the bus; not the provider.

The calling thread only ever waits for events, so it answers a stop at any time, whatever the task does.
"""

from __future__ import annotations

import collections
import logging
import math
import os
import select
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from context_bus.bus.news import News
from context_bus.errors import BusError, ServiceError
from context_bus.service.boot import BEAT, Boot, Command, Outcome
from context_bus.service.failure import Failure, failure_of
from context_bus.service.link import ServiceLink
from context_bus.service.reports import Report
from context_bus.service.wakeup import WakeUp
from context_bus.service.work import Finished, Load, Troubled, Work, load_from_files

_log = logging.getLogger(__name__)

#: Seconds that the rest of a task gets to end when a handler has failed.
TROUBLE_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class StartAsked:
    """A service that was only created is to run."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The service is to stop."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """The task had its time to end."""


Event = StartAsked | StopAsked | Overdue | Troubled | Finished


class Host:
    """Hosts one service.

    Args:
        boot: What the service is given.
        load: Gives its class; from its files if None.
        channel: Where commands come from; None when `start` and `stop` are called instead.

    Raises:
        EndpointError: The bus cannot be at such an endpoint.
    """

    def __init__(self, boot: Boot, load: Load | None = None, channel: Connection | None = None) -> None:
        self._boot = boot
        self._load = load or load_from_files(boot)
        self._channel = channel
        self._link = ServiceLink(boot)
        self._events: collections.deque[Event] = collections.deque()
        self._wake = WakeUp()
        # A service that only waits hears by this of who watches the bus.
        self._news = News(self._link.publisher.audience)
        self._deadline = math.inf
        self._beat_at = time.monotonic() if boot.heartbeat and channel is not None else math.inf
        self._stop_asked = False
        self._trouble: Failure | None = None

    # -- from any thread or signal handler -----------------------------------------------------------

    def start(self) -> None:
        """Run the service if it was only created."""
        self._post(StartAsked())

    def stop(self) -> None:
        """Ask the service to stop."""
        self._post(StopAsked())

    def _post(self, event: Event) -> None:
        self._events.append(event)
        self._wake.ring()

    @property
    def wake_fd(self) -> int:
        """Where ``signal.set_wakeup_fd`` may write, so that no signal is missed."""
        return self._wake.write_end

    def close(self) -> None:
        """Release what woke the host; after `run`, and when no signal can come any more."""
        self._wake.close()

    # -- the hosting thread ---------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Host the service until it has ended; never raises for what the service does."""
        reason = ""
        try:
            self._link.connect()
            work = Work(self._boot, self._link, self._post, self._load)
            work.begin()
            failure, reason = self._attend(work)
            self._link.end()
            return self._say_last(failure, reason)
        except BusError as error:
            return self._outcome(failure_of(error, self._boot.directory), reported=False)
        finally:
            self._link.close(by_force=bool(reason))

    def _attend(self, work: Work) -> tuple[Failure | None, str]:
        """Wait for the end of the task; returns why it failed, or why it was left behind."""
        while True:
            match self._next():
                case StartAsked():
                    work.go()
                case StopAsked():
                    self._stop_asked = True
                    self._wait_at_most(self._boot.grace)
                    work.stop()
                case Troubled(failure):
                    self._trouble = failure
                    self._wait_at_most(min(TROUBLE_PATIENCE, self._boot.grace))
                    work.stop()
                case Finished(failure):
                    return failure, ""
                case Overdue():
                    return self._trouble, f"did not stop within {self._boot.grace:g} s and was cut off"

    def _wait_at_most(self, seconds: float) -> None:
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def _next(self) -> Event:
        poll = select.poll()
        poll.register(self._wake.read_end, select.POLLIN)
        if self._channel is not None:
            poll.register(self._channel.fileno(), select.POLLIN)
        while not self._events:
            now = time.monotonic()
            if now >= self._deadline:
                return Overdue()
            if now >= self._beat_at:
                self._beat(now)
            left = min(self._deadline - now, self._beat_at - now, self._news.watch(poll, now))
            for fd, _ in poll.poll(None if left == math.inf else max(0, math.ceil(left * 1000))):
                if fd == self._wake.read_end:
                    self._wake.clear()
                elif fd == self._news.descriptor:
                    self._news.read(time.monotonic())
                else:
                    self._hear()
        return self._events.popleft()

    def _beat(self, now: float) -> None:
        """Say that this process is alive, unless the last beats were not taken: it must not wait for that."""
        self._beat_at = now + self._boot.heartbeat
        channel = self._channel
        if channel is None:
            self._beat_at = math.inf
        elif select.select([], [channel], [], 0)[1]:
            try:
                channel.send_bytes(BEAT)
            except OSError:  # the end of the channel is heard by `_hear`
                self._beat_at = math.inf

    def _hear(self) -> None:
        """Take a command from the channel; its end is a command too: nobody is left who could give one."""
        assert self._channel is not None
        try:
            command = Command.decode(self._channel.recv_bytes())
        except (EOFError, OSError):
            self._channel = None
            self._events.append(StopAsked())
        except ServiceError as error:
            _log.error("command ignored: service_id=%s reason=%s", self._boot.conf.id, error)
        else:
            self._events.append(StartAsked() if command.action == "start" else StopAsked())

    def _say_last(self, failure: Failure | None, reason: str) -> Outcome:
        if failure is not None and failure.traceback:
            _log.error("service failed: service_id=%s\n%s", self._boot.conf.id, failure.traceback)
        outcome = self._outcome(failure, reason=reason)
        try:
            self._link.report(
                Report(outcome.kind),
                commanded=outcome.commanded,
                reason=outcome.reason,
                where=outcome.where,
            )
        except BusError as error:
            _log.warning("last report not sent: service_id=%s reason=%s", self._boot.conf.id, error)
            outcome = self._outcome(failure, reason=reason, reported=False)
        return outcome

    def _outcome(self, failure: Failure | None, *, reason: str = "", reported: bool = True) -> Outcome:
        return Outcome(
            kind="stopped" if failure is None else "failed",
            commanded=self._stop_asked,
            reason=reason if failure is None else failure.reason,
            where="" if failure is None else failure.where,
            traceback="" if failure is None else failure.traceback,
            reported=reported,
            service_id=self._boot.conf.id,
        )


def run_service(channel: Connection, boot: Boot) -> int:
    """Host a service in a process of its own; the target to spawn.

    Returns:
        The exit code: 0 when the service stopped, 1 when it failed.
    """
    if boot.prepare is not None:
        boot.prepare()
    try:
        host = Host(boot, channel=channel)
    except BusError as error:  # an endpoint that cannot be one
        outcome = Outcome("failed", reason=str(error), reported=False, service_id=boot.conf.id)
    else:
        signal.signal(signal.SIGTERM, lambda *_: host.stop())
        signal.set_wakeup_fd(host.wake_fd, warn_on_full_buffer=False)
        outcome = host.run()
    try:
        channel.send_bytes(outcome.encode())
    except OSError:
        _log.warning("nobody takes the outcome: service_id=%s pid=%d", boot.conf.id, os.getpid())
    return 0 if outcome.kind == "stopped" else 1
