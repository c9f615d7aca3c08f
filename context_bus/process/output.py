"""Where the output of children goes, as their owner sees it. Knows the writer; must not know services.

The owner makes the pipes and keeps a duplicate of each end that is read until the writer has said that it
is done with it. So a writer that dies costs no child its output, nor its life by SIGPIPE: the next one gets
all pipes, with what is still in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from context_bus.errors import ProcessError
from context_bus.process import spawn, tree
from context_bus.process.asked import Wish
from context_bus.process.child import Child
from context_bus.process.freight import pack
from context_bus.process.orders import (
    Attach,
    Finish,
    Keep,
    Order,
    Recovered,
    Release,
    Reopen,
    Report,
    Show,
    Sink,
    SinkKind,
    Trouble,
    Wire,
)
from context_bus.process.writer import run_writer

_log = logging.getLogger(__name__)

#: Seconds to the second start of a writer after one that died; doubled each time.
FIRST_DELAY = 0.1
#: Longest such delay, in seconds; meanwhile children wait as soon as their pipes are full.
LONGEST_DELAY = 5.0
#: Seconds a writer may take beyond the deadline that it was given.
_MARGIN = 1.0

#: Called, in the loop, when what a child writes cannot be kept, and when it can be again.
Told = Callable[[Trouble | Recovered], None]


@dataclass(slots=True)
class Pipes:
    """What to hand to a child as its two streams.

    Args:
        stdout_fd: Descriptor for its standard output.
        stderr_fd: Descriptor for its standard error; may be the same.
    """

    stdout_fd: int
    stderr_fd: int
    _ours: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close the owner's copies, once the child has its own or will never be; more often does no harm."""
        while self._ours:
            os.close(self._ours.pop())


@dataclass(eq=False, slots=True)
class _Held:
    """One pipe, from its making until it is dealt with."""

    number: int
    name: str
    sink: Sink
    pipe: int
    is_released: bool = False
    has_ended: bool = False


class _Line:
    """The wire to one writer, in the running loop: orders go and reports are heard when they can be."""

    def __init__(self, descriptor: int, note: Callable[[Report], None]) -> None:
        self._wire, self._note = Wire(descriptor), note
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._wire.fileno(), self.hear)

    def put(self, order: Order, descriptor: int = -1) -> None:
        """Send an order, now or as soon as the writer takes it."""
        if not self._wire.is_closed:
            self._wire.put(order, descriptor)
            self._flush()

    def hear(self) -> None:
        """Take the reports that are there."""
        for report in self._wire.receive_reports():
            self._note(report)
        if self._wire.is_closed:
            self._unwatch()

    def close(self) -> None:
        """Hear the last words, and hang up."""
        self.hear()
        self._unwatch()
        self._wire.close()

    def _flush(self) -> None:
        if self._wire.is_closed or self._wire.flush():
            self._loop.remove_writer(self._wire.fileno())
        else:
            self._loop.add_writer(self._wire.fileno(), self._flush)

    def _unwatch(self) -> None:
        self._loop.remove_reader(self._wire.fileno())
        self._loop.remove_writer(self._wire.fileno())


class Outputs:
    """The outputs of all children of one owner; their writer is started when the first one needs it.

    To be used in one running loop.

    Args:
        terminal: Descriptor on which lines are shown; None shows nothing. It is neither changed nor closed.
        told: Learns of trouble with files.
    """

    def __init__(self, terminal: int | None = None, told: Told | None = None) -> None:
        self._terminal, self._told = terminal, told
        self._held: dict[int, _Held] = {}
        self._number = 0
        self._child: Child | None = None
        self._line: _Line | None = None
        self._launch: asyncio.Task[None] | None = None
        self._deaths = 0
        self._hurry = asyncio.Event()
        self._is_closing = self._is_kept = False

    @property
    def writer_pid(self) -> int | None:
        """Process id of the writer; None while there is none."""
        return self._child.pid if self._child is not None else None

    def open(self, name: str, *, stdout: Sink, stderr: Sink) -> Pipes:
        """Make what a child is to have as its streams; close it after the spawn.

        Two streams that go to the same file share one pipe, so that their order is kept.

        Args:
            name: Whose output it is.
            stdout: Where its standard output goes.
            stderr: Where its standard error goes.

        Raises:
            ProcessError: No pipe can be made.
        """
        ours: list[int] = []
        try:
            first = self._end_for(name, stdout, 1, ours)
            is_shared = stderr.kind is stdout.kind is SinkKind.FILE and stderr.path == stdout.path
            second = first if is_shared else self._end_for(name, stderr, 2, ours)
        except OSError as error:
            Pipes(-1, -1, ours).close()
            self.release(name)
            raise ProcessError(
                f"cannot make a pipe for the output of {name}: {error.strerror}; see `ulimit -n`"
            ) from error
        return Pipes(first, second, ours)

    def release(self, name: str) -> None:
        """Say that the child of a name is gone, before the next one of that name is opened.

        What others still write on its streams is written as before, but ``close`` does not wait for it.
        """
        for held in list(self._held.values()):
            if held.name == name and not held.is_released:
                held.is_released = True
                self._put(Release(held.number))
                self._forget_if_done(held)

    def reopen(self) -> None:
        """Have the writer look now whether files were moved away, and open new ones if so."""
        self._put(Reopen())

    def keep(self) -> None:
        """Have the writer go on after the end of its owner, until all children have ended."""
        self._is_kept = True
        self._put(Keep())

    async def close(self, deadline: float = 5.0) -> None:
        """Wait until all is written, and end the writer.

        Args:
            deadline: Seconds for children that are not released to end; what comes later is lost.
        """
        self._is_closing = True
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        self._hurry.set()
        if self._launch is not None:
            await asyncio.wait([self._launch])
        while self._child is not None or (self._has_more() and loop.time() < end):
            if self._child is None and not await self._start():
                break
            if await self._finish(max(0.0, end - loop.time())) == 0:
                break
        for held in self._held.values():
            self._close_pipe(held)
        self._held.clear()

    # -- pipes -----------------------------------------------------------------------------------

    def _end_for(self, name: str, sink: Sink, inherited: int, ours: list[int]) -> int:
        if sink.kind is SinkKind.INHERIT:
            return inherited
        if sink.kind is SinkKind.NULL:
            ours.append(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
            return ours[-1]
        pipe, end = os.pipe2(os.O_CLOEXEC)
        # Nonblocking is the end that is read, for all who read; the child's end stays as it expects it.
        os.set_blocking(pipe, False)
        ours.append(end)
        self._number += 1
        held = _Held(self._number, name, sink, pipe)
        self._held[held.number] = held
        self._attach(held)
        self._ensure_writer()
        return end

    def _attach(self, held: _Held) -> None:
        sink = held.sink
        path = os.fsencode(sink.path.absolute())
        order = Attach(held.number, held.name, path, sink.max_bytes, sink.backups, sink.show)
        self._put(order, held.pipe)

    def _has_more(self) -> bool:
        return any(not held.has_ended for held in self._held.values())

    def _forget_if_done(self, held: _Held) -> None:
        if held.has_ended:
            self._close_pipe(held)
            if held.is_released:
                del self._held[held.number]

    @staticmethod
    def _close_pipe(held: _Held) -> None:
        if held.pipe >= 0:
            os.close(held.pipe)
            held.pipe = -1

    # -- the writer's life -----------------------------------------------------------------------

    def _ensure_writer(self) -> None:
        if self._child is None and self._launch is None and not self._is_closing:
            self._launch = asyncio.get_running_loop().create_task(self._keep_starting(), name="output")

    async def _keep_starting(self) -> None:
        """Start a writer, sooner or later; at the end of all, ``close`` sees to it."""
        try:
            while True:
                if self._deaths > 1:
                    delay = min(FIRST_DELAY * 2 ** (self._deaths - 2), LONGEST_DELAY)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._hurry.wait(), delay)
                if self._is_closing or await self._start():
                    return
                self._deaths += 1
        finally:
            self._launch = None

    async def _start(self) -> bool:
        """Start a writer and hand it all pipes; returns whether there is one."""
        try:
            # One that is kept goes on until its children have ended; it must learn that nobody sends more.
            # Without a thread: a pool that gets none keeps the order, for when nobody wants it any more.
            wish = Wish("output", freight=pack(run_writer, ()), is_bequeathed=False)
            child = await asyncio.wrap_future(spawn.begin(wish))
        except (ProcessError, RuntimeError) as error:  # the second: no thread can be started
            _log.error("no writer of outputs: reason=%s", error)
            return False
        try:
            self._line = _Line(child.channel.fileno(), self._note)
        except OSError as error:  # without a line to it, it is none
            _log.error("no writer of outputs: reason=%s", error)
            child.channel.close()
            child.exited().add_done_callback(lambda _: child.close())
            return False
        self._child = child
        child.exited().add_done_callback(lambda _: self._writer_ended(child))
        if self._terminal is not None:
            wants_colour = os.isatty(self._terminal) and not os.environ.get("NO_COLOR")
            self._put(Show(wants_colour), self._terminal)
        if self._is_kept:
            self._put(Keep())
        for held in list(self._held.values()):
            if not held.has_ended:
                self._attach(held)
                if held.is_released:
                    self._put(Release(held.number))
        _log.info("writer of outputs started: pid=%d pipes=%d", child.pid, len(self._held))
        return True

    async def _finish(self, seconds: float) -> int | None:
        """Have the writer end; returns its exit code."""
        child = self._child
        assert child is not None
        exited = child.exited()
        self._put(Finish(seconds))
        await asyncio.wait([exited], timeout=seconds + _MARGIN)
        if not exited.done():
            _log.error("writer of outputs does not end and is killed: pid=%d", child.pid)
            tree.send_signal(child.identity, signal.SIGKILL)
            await asyncio.wait([exited])
        await asyncio.sleep(0)  # for the callback of its end
        return exited.result() if exited.result() != -signal.SIGKILL else None

    def _writer_ended(self, child: Child) -> None:
        """Take the last reports; if it was not to end, start another writer."""
        if self._line is not None:
            self._line.close()
        self._child = self._line = None
        code = child.exitcode
        child.close()
        if code or not self._is_closing:
            self._deaths += 1
            _log.warning("writer of outputs died: code=%s deaths=%d", code, self._deaths)
        if self._has_more():
            self._ensure_writer()

    # -- what the writer tells -------------------------------------------------------------------

    def _put(self, order: Order, descriptor: int = -1) -> None:
        """Tell the writer; without one the next is told all anew."""
        if self._line is not None:
            self._line.put(order, descriptor)

    def _note(self, report: Report) -> None:
        if isinstance(report, Trouble | Recovered):
            self._log_trouble(report)
            if self._told is not None:
                self._told(report)
            return
        held = self._held.get(report.number)
        if held is None:
            return
        self._deaths = 0
        held.has_ended = True
        if report.lost:
            _log.error("output lost: name=%s path=%s bytes=%d", held.name, held.sink.path, report.lost)
        self._forget_if_done(held)

    @staticmethod
    def _log_trouble(report: Trouble | Recovered) -> None:
        path = os.fsdecode(report.path)
        if isinstance(report, Trouble):
            _log.error("output cannot be kept: name=%s path=%s reason=%s", report.name, path, report.reason)
        else:
            _log.warning("output is kept again: name=%s path=%s lost=%d", report.name, path, report.lost)
