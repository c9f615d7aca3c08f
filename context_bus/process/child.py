"""One process that we started: who it is, what it tells, how it ended. Must not know services."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from context_bus.process.tree import Identity

#: Environment variable by which what a child started is known to be its own, even as a daemon.
MARK = "CONTEXT_BUS_PROCESS"


def mark_of(identity: Identity) -> str:
    """The value of ``MARK`` for all that one child starts."""
    return f"{identity.pid}.{identity.ticks}"


class Child:
    """A running or ended child process.

    Args:
        name: For messages and logs.
        process: What multiprocessing knows of it.
        channel: Our end of its channel.
        identity: Pid and start time.
    """

    def __init__(
        self, name: str, process: ForkServerProcess, channel: Connection, identity: Identity
    ) -> None:
        self.name = name
        self.channel = channel
        self.identity = identity
        self._process = process
        self._exitcode: int | None = None
        self._exit: asyncio.Future[int] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def __repr__(self) -> str:
        state = "running" if self.exitcode is None else self.ending
        return f"<Child {self.name} pid={self.pid} {state}>"

    @property
    def pid(self) -> int:
        """Process id."""
        return self.identity.pid

    @property
    def sentinel(self) -> int:
        """A descriptor that becomes readable when the process has ended; `exited` is the easier way."""
        return self._process.sentinel

    @property
    def exitcode(self) -> int | None:
        """Exit code, the negative number of the signal that ended it, or None while it runs.

        A child whose forkserver was killed has 255: nobody is left who could know better.
        """
        if self._exitcode is None and not self._closed:
            self._exitcode = self._process.exitcode
        return self._exitcode

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

    def exited(self) -> asyncio.Future[int]:
        """A future of the running loop that has the exit code as soon as the process has ended.

        All callers get the same one; do not cancel it (``asyncio.wait`` and ``shield`` do not).
        """
        loop = asyncio.get_running_loop()
        if self._exit is None or self._loop is not loop:
            self._loop = loop
            self._exit = loop.create_future()
            if self.exitcode is not None:
                self._exit.set_result(self.exitcode)
            else:
                loop.add_reader(self.sentinel, self._note_exit)
        return self._exit

    def wait(self, timeout: float | None = None) -> int | None:
        """Block until the process has ended or the time is over; returns the exit code or None."""
        if self._exitcode is None:
            self._process.join(timeout)
        return self.exitcode

    def messages(self) -> list[bytes]:
        """Take what the child has written on its channel so far, without waiting."""
        taken: list[bytes] = []
        with contextlib.suppress(EOFError, OSError):
            while not self.channel.closed and self.channel.poll():
                taken.append(self.channel.recv_bytes())
        return taken

    def close(self) -> None:
        """Release the descriptors of a process that has ended; doing so again changes nothing.

        Raises:
            ValueError: The process still runs.
        """
        if self._closed:
            return
        if self.exitcode is None:
            raise ValueError(f"process {self.pid} of {self.name} still runs; end it first")
        self._closed = True
        if self._exit is not None and not self._exit.done() and self._loop is not None:
            self._loop.remove_reader(self.sentinel)
        self.channel.close()
        self._process.close()

    def _note_exit(self) -> None:
        assert self._loop is not None
        assert self._exit is not None
        self._loop.remove_reader(self.sentinel)
        code = self.exitcode
        if not self._exit.done():
            self._exit.set_result(255 if code is None else code)
