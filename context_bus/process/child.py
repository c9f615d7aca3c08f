"""One process that we started: who it is, what it tells, how it ended. Must not know services."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Protocol

from context_bus.process.tree import Identity

#: Exit code of a child whose guardian was killed: nobody is left who could know better.
UNKNOWN = 255


class Custodian(Protocol):
    """Who has a child reaped, and holds its descriptors."""

    #: Its process, to which orphans come.
    pid: int

    def knows(self, pid: int) -> bool:
        """Whether a process is a child of its own that runs, as far as is known."""

    def take(self, number: int, name: str) -> int | None:
        """A copy of a descriptor that is held for a child; None if there is none of that name."""

    def drop(self, number: int, name: str) -> None:
        """Hold a descriptor no longer."""

    def collect(self, number: int) -> None:
        """Forget a child that has ended, with all that is held for it."""


class Child:
    """A running or ended child process.

    Args:
        name: For messages and logs.
        identity: Pid and start time.
        channel: Our end of its channel; None for a program, which has none.
        custodian: Who reaps it.
        number: Its name there.
        mark: By which all that it starts is known.
        note: What was written on it when it was started, by us or by the owner before.
        held: Names of descriptors that are held for it.
    """

    def __init__(
        self,
        name: str,
        identity: Identity,
        channel: Connection | None,
        custodian: Custodian,
        number: int,
        mark: str,
        note: str = "",
        held: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.identity = identity
        #: Our end of the channel; that of a program is closed from the beginning.
        self.channel = channel or _NO_CHANNEL
        self.mark = mark
        self.note = note
        self.held = held
        #: Who has it reaped.
        self.custodian = custodian
        self._number = number
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._exitcode: int | None = None
        #: Whether it is known to have left no process behind, once it has ended.
        self.is_clean = False
        self._exits: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[int]]] = []
        self._is_stopped = False
        self._on_stopped: list[tuple[asyncio.AbstractEventLoop, Callable[[bool], None]]] = []
        self._closed = False

    def __repr__(self) -> str:
        state = "running" if self.exitcode is None else self.ending
        return f"<Child {self.name} pid={self.pid} {state}>"

    @property
    def pid(self) -> int:
        """Process id."""
        return self.identity.pid

    @property
    def exitcode(self) -> int | None:
        """Exit code, the negative number of the signal that ended it, or None while it runs.

        A child whose guardian was killed has 255: nobody is left who could know better.
        """
        return self._exitcode

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has stopped it, so that it exists but does nothing."""
        return self._is_stopped and self._exitcode is None

    @property
    def signal_name(self) -> str:
        """Name of the signal that ended the process, empty if none did."""
        code = self.exitcode
        if code is None or code >= 0:
            return ""
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"

    @property
    def ending(self) -> str:
        """How the process ended, for people."""
        return f"killed by {self.signal_name}" if self.signal_name else f"exit code {self.exitcode}"

    # -- waiting -------------------------------------------------------------------------------

    def exited(self) -> asyncio.Future[int]:
        """A future of the running loop that has the exit code as soon as the process has ended.

        All callers get the same one; do not cancel it (``asyncio.wait`` and ``shield`` do not).
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            for known, future in self._exits:
                if known is loop:
                    return future
            future = loop.create_future()
            self._exits = [entry for entry in self._exits if not entry[0].is_closed()]
            self._exits.append((loop, future))
            if self._exitcode is not None:
                future.set_result(self._exitcode)
            return future

    def on_stopped(self, callback: Callable[[bool], None]) -> None:
        """Have the running loop call back: True when a signal stops the process, False when it goes on.

        A process that is stopped already is told of at once.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            self._on_stopped.append((loop, callback))
            if self.is_stopped:
                loop.call_soon(callback, True)

    def wait(self, timeout: float | None = None) -> int | None:
        """Block until the process has ended or the time is over; returns the exit code or None."""
        self._ended.wait(timeout)
        return self.exitcode

    # -- belongings ----------------------------------------------------------------------------

    def messages(self) -> list[bytes]:
        """Take what the child has written on its channel so far, without waiting."""
        taken: list[bytes] = []
        with contextlib.suppress(EOFError, OSError):
            while not self.channel.closed and self.channel.poll():
                taken.append(self.channel.recv_bytes())
        return taken

    def take(self, name: str) -> int | None:
        """A copy of a descriptor that the guardian holds for the child; it belongs to the caller.

        Returns:
            None if none of that name is held.
        """
        return self.custodian.take(self._number, name)

    def drop(self, name: str) -> None:
        """Have the guardian hold a descriptor no longer."""
        self.held = tuple(one for one in self.held if one != name)
        self.custodian.drop(self._number, name)

    def close(self) -> None:
        """Release what belongs to a process that has ended; doing so again changes nothing.

        Raises:
            ValueError: The process still runs.
        """
        if self._closed:
            return
        if self.exitcode is None:
            raise ValueError(f"process {self.pid} of {self.name} still runs; end it first")
        self._closed = True
        self.channel.close()
        self.custodian.collect(self._number)

    # -- for the thread that hears the guardian ------------------------------------------------

    def note_exit(self, code: int, *, is_clean: bool = False) -> None:
        """Take note of the end; from any thread.

        Args:
            code: As `exitcode`.
            is_clean: It is known to have left nothing behind.
        """
        with self._lock:
            if self._exitcode is not None:
                return
            self._exitcode, self.is_clean = code, is_clean
            exits, self._on_stopped = list(self._exits), []
        self._ended.set()
        for loop, future in exits:
            _call(loop, _settle, future, code)

    def note_stopped(self, is_stopped: bool) -> None:
        """Take note that a signal has stopped the process, or let it go on; from any thread."""
        with self._lock:
            self._is_stopped = is_stopped
            listeners = list(self._on_stopped)
        for loop, callback in listeners:
            _call(loop, callback, is_stopped)


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: object) -> None:
    """Have a loop call back; one that is closed has nobody who waits."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *arguments)


def _settle(future: asyncio.Future[int], code: int) -> None:
    if not future.done():
        future.set_result(code)


def _closed_connection() -> Connection:
    connection = Connection(os.open(os.devnull, os.O_RDONLY))
    connection.close()
    return connection


#: The channel of all programs. Made once, and early: no descriptor may be needed to learn that a child runs.
_NO_CHANNEL = _closed_connection()
