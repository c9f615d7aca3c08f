"""The process that writes what children write: one loop over all their pipes. Must not know services.

It has a process of its own so that a child that floods costs neither its owner's loop nor its
neighbours: every pipe has its turn, a bounded one, and what only goes to a file is moved there by the
kernel. It imports neither zmq nor asyncio.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from context_bus.process.logfile import LogFile
from context_bus.process.orders import (
    Attach,
    Ended,
    Finish,
    Keep,
    Order,
    Recovered,
    Release,
    Reopen,
    Show,
    Trouble,
    Wire,
)
from context_bus.process.terminal import Lane, Outlet, Terminal

#: Bytes a pipe has room for when the kernel makes it; one that was ever full gets more room.
PIPE_BYTES = 64 * 1024
#: Bytes for the pipe of a child that floods: fewer, longer turns.
FLOOD_BYTES = 256 * 1024
#: Bytes in one turn below which a child does not flood any more.
_CALM = 4 * 1024
#: Seconds without more after which a line that is not complete is shown all the same.
PARTIAL_SHOWN_AFTER = 0.2
#: Seconds for which a writer without owner waits for its children to end, unless told to keep on.
ORPHANED_FOR = 5.0
#: Seconds the terminal has for what it still owes when all else is done.
LAST_SHOW = 0.5


@dataclass(eq=False, slots=True)
class _Source:
    """One pipe that a child writes to."""

    number: int
    name: str
    pipe: int
    file: LogFile
    lane: Lane | None
    does_flood: bool = False
    is_released: bool = False
    #: When its incomplete line is shown, on the monotonic clock, if it has one.
    shown_at: float = 0.0


def run_writer(channel: Connection) -> int:
    """Write what the owner at the other end of the channel has attached, until it is done; the target."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Whoever ends all processes of a provider means those that write; we end when they have.
        signal.signal(number, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    wire = Wire(channel.fileno())
    channel.close()
    Writer(wire).run()
    return 0


class Writer:
    """Moves what comes out of pipes to files and to a terminal.

    Args:
        wire: Its owner.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._poll = select.epoll()
        self._poll.register(wire, select.EPOLLIN)
        self._sources: dict[int, _Source] = {}
        self._files: dict[str, LogFile] = {}
        self._terminal: Terminal | None = None
        #: Those that have something due at a time of its own: few, so that a turn does not look at all.
        self._partial: dict[int, _Source] = {}
        self._troubled: set[LogFile] = set()
        self._slow_terminal = -1
        self._wire_events = select.EPOLLIN
        self._is_kept = self._is_finishing = False
        self._deadline = float("inf")

    def run(self) -> None:
        """Work until there is nothing more to do."""
        while True:
            ready = self._poll.poll(self._patience(time.monotonic()))
            now = time.monotonic()
            was_calm = not any(fd in self._sources for fd, _ in ready)
            for fd, _ in ready:
                if fd in self._sources:
                    self._turn(self._sources[fd], now)
                elif fd == self._wire.fileno():
                    self._obey(now)
            self._keep_time(now)
            if self._terminal is not None:
                self._terminal.flush()
            self._watch_slow()
            if self._is_done(was_calm, now):
                break
        self._leave(now)

    # -- the children ----------------------------------------------------------------------------

    def _turn(self, source: _Source, now: float) -> None:
        """Move what is in a pipe, up to a turn's worth."""
        try:
            count = self._move(source, now)
        except BlockingIOError:
            return
        if not count:
            self._end(source, now)
        elif count >= PIPE_BYTES and not source.does_flood:
            source.does_flood = True
            try:
                fcntl.fcntl(source.pipe, fcntl.F_SETPIPE_SZ, FLOOD_BYTES)
            except OSError:  # a user may have so much in pipes and no more
                return
        elif count < _CALM:
            source.does_flood = False

    def _move(self, source: _Source, now: float) -> int:
        if source.does_flood and source.lane is None:
            count = source.file.splice(source.pipe, now)
            if count >= 0:
                return count
        data = os.read(source.pipe, FLOOD_BYTES if source.does_flood else PIPE_BYTES)
        if data:
            source.file.write(data, now)
            if source.lane is not None and self._terminal is not None:
                self._terminal.take(source.lane, data)
                self._note_partial(source, now)
        return len(data)

    def _note_partial(self, source: _Source, now: float) -> None:
        if source.lane is not None and source.lane.partial:
            source.shown_at = now + PARTIAL_SHOWN_AFTER
            self._partial[source.pipe] = source
        else:
            self._partial.pop(source.pipe, None)

    def _end(self, source: _Source, now: float) -> None:
        """Let go of a pipe that has nothing more to come."""
        if source.lane is not None and self._terminal is not None:
            self._terminal.complete(source.lane)
        lost = 0
        if all(other is source or other.file is not source.file for other in self._sources.values()):
            source.file.close(now)
            lost = source.file.lost
            self._troubled.discard(source.file)
            del self._files[source.file.path]
        del self._sources[source.pipe]
        self._partial.pop(source.pipe, None)
        # Closing would not end the watch: what is watched is the pipe, and the owner has a duplicate.
        self._poll.unregister(source.pipe)
        os.close(source.pipe)
        self._wire.put(Ended(source.number, lost))

    def _told(self, path: str, reason: str, lost: int) -> None:
        """Tell the owner, once for each child concerned, that a file is in trouble or no more."""
        file, where = self._files[path], os.fsencode(path)
        if reason:
            self._troubled.add(file)
        else:
            self._troubled.discard(file)
        for name in {source.name for source in self._sources.values() if source.file is file}:
            self._wire.put(Trouble(name, where, reason) if reason else Recovered(name, where, lost))

    # -- the owner -------------------------------------------------------------------------------

    def _obey(self, now: float) -> None:
        for order, descriptor in self._wire.receive_orders():
            self._carry_out(order, descriptor, now)
        if self._wire.is_closed:
            self._poll.unregister(self._wire)
            self._is_finishing = True
            if not self._is_kept:
                self._deadline = min(self._deadline, now + ORPHANED_FOR)

    def _carry_out(self, order: Order, descriptor: int, now: float) -> None:
        match order:
            case Attach():
                self._attach(order, descriptor, now)
            case Show(colour):
                self._terminal = Terminal(Outlet(descriptor), colour)
            case Release(number):
                for source in self._sources.values():
                    source.is_released = source.is_released or source.number == number
            case Reopen():
                for file in self._files.values():
                    file.reopen(now)
            case Keep():
                self._is_kept = True
            case Finish(seconds):
                self._is_finishing, self._deadline = True, now + seconds

    def _attach(self, order: Attach, pipe: int, now: float) -> None:
        path = os.path.realpath(os.fsdecode(order.path))
        file = self._files.get(path)
        if file is None:
            file = LogFile(path, order.max_bytes, order.backups, lambda *told: self._told(path, *told))
            self._files[path] = file
        lane = self._terminal.lane(order.name) if order.show and self._terminal is not None else None
        self._sources[pipe] = _Source(order.number, order.name, pipe, file, lane)
        if file.reason:
            self._wire.put(Trouble(order.name, os.fsencode(path), file.reason))
        else:
            file.retry(now)
        self._poll.register(pipe, select.EPOLLIN)

    # -- time ------------------------------------------------------------------------------------

    def _patience(self, now: float) -> float | None:
        """Seconds until something is due without being asked for; None for never."""
        dues = [source.shown_at for source in self._partial.values()]
        dues += [file.retry_at for file in self._troubled if file.retry_at is not None]
        if self._is_finishing:
            # Whether all is quiet shows only when nothing comes.
            dues.append(now if self._may_be_done() else self._deadline)
        due = min(dues, default=float("inf"))
        return None if due == float("inf") else max(0.0, due - now)

    def _keep_time(self, now: float) -> None:
        for source in list(self._partial.values()):
            if source.shown_at <= now and source.lane is not None and self._terminal is not None:
                self._terminal.complete(source.lane)
                del self._partial[source.pipe]
        for file in list(self._troubled):
            if file.retry_at is not None and file.retry_at <= now:
                file.retry(now)

    def _watch_slow(self) -> None:
        """Watch for room at whoever could not take all that was for him; at nobody else."""
        if not self._wire.is_closed:
            events = select.EPOLLIN if self._wire.flush() else select.EPOLLIN | select.EPOLLOUT
            if events != self._wire_events:
                self._poll.modify(self._wire, events)
                self._wire_events = events
        terminal = self._terminal
        slow = terminal.outlet.fileno() if terminal and terminal.has_more and terminal.outlet.can_wait else -1
        if slow != self._slow_terminal:
            if self._slow_terminal >= 0:
                self._poll.unregister(self._slow_terminal)
            if slow >= 0:
                self._poll.register(slow, select.EPOLLOUT)
            self._slow_terminal = slow

    # -- the end ---------------------------------------------------------------------------------

    def _may_be_done(self) -> bool:
        return not self._is_kept and all(source.is_released for source in self._sources.values())

    def _is_done(self, was_calm: bool, now: float) -> bool:
        """Whether every child is gone and all is written, or the time is over."""
        if not self._is_finishing:
            return False
        return now >= self._deadline or not self._sources or (was_calm and self._may_be_done())

    def _leave(self, now: float) -> None:
        """Take what is in the pipes, and say what is to be said, before going."""
        for source in list(self._sources.values()):
            self._turn(source, now)
        for source in self._sources.values():
            if source.lane is not None and self._terminal is not None:
                self._terminal.complete(source.lane)
        for file in self._files.values():
            file.close(now)
        self._wire.flush()
        if self._terminal is not None:
            self._show_rest(self._terminal, time.monotonic() + LAST_SHOW)

    @staticmethod
    def _show_rest(terminal: Terminal, deadline: float) -> None:
        terminal.flush()
        while terminal.has_more and time.monotonic() < deadline:
            select.select([], [terminal.outlet], [], max(0.0, deadline - time.monotonic()))
            terminal.flush()
