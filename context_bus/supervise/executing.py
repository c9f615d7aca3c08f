"""Ask by a program whether something is well: exit code 0 is yes. Knows processes, asyncio; starts no shell.

The program gets a session of its own and is killed with its group when it takes too long, when nobody
wants to know any more, and what it left running when it has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import pwd
import signal
import subprocess
import weakref
from collections.abc import Sequence
from typing import Any

from context_bus.kernel.surroundings import Surroundings

_log = logging.getLogger(__name__)

#: Bytes of output that are kept, for its last line.
TAIL = 4096
#: Bytes of output beyond which a program is no probe; reading on would keep the loop from everything else.
FLOOD = 1024 * 1024
#: Characters of a line that are shown.
SHOWN = 200
#: Seconds that a killed program may take to vanish: as long as the kernel is busy with it.
KILL_PATIENCE = 5.0
#: Said when another waiter in this process was first: nobody knows how it ended.
TAKEN = "its exit code was taken by somebody else"
_CHUNK = 64 * 1024
_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()


async def ask_command(command: Sequence[str], surroundings: Surroundings | None = None) -> str:
    """Run a program and wait for its end.

    Args:
        command: Program and arguments.
        surroundings: Directory, environment, user, group and umask for it; limits, niceness and processors
            are those of whoever asks.

    Returns:
        Why the answer is no: exit code and last line of the output. Nothing if it is yes.
    """
    if not command:
        return "no command is given: expected a program and its arguments"
    try:
        async with _turn():
            await asyncio.sleep(0)  # what is held but for a moment nobody would have to wait for
            run = _Run(command, surroundings or Surroundings())
    except (OSError, ValueError, LookupError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or error
        return f"cannot run {command[0]}: {reason}"
    try:
        await run.ended()
    finally:
        await run.close()
    return run.verdict()


def _turn() -> asyncio.Lock:
    """Whose turn it is to start a program: one in each round of the loop.

    A start takes the loop a millisecond or two; those of 200 probes in one round would keep it from
    everything else for a third of a second.
    """
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())


class _Run:
    """One execution; its end and its output are events of the loop."""

    def __init__(self, command: Sequence[str], surroundings: Surroundings) -> None:
        self._loop = asyncio.get_running_loop()
        self._tail = b""
        self._read = 0
        self._code: int | None = None
        self._gone = asyncio.Event()  # it has ended, or is to be ended
        self._reaped = asyncio.Event()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            **_options(surroundings),
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        try:
            self._pidfd = os.pidfd_open(self._process.pid)
        except OSError as error:  # no more descriptors; or somebody else has reaped it already
            self._kill()
            self._process.stdout.close()
            self._process.wait()
            if isinstance(error, ProcessLookupError):
                raise ChildProcessError(errno.ECHILD, TAKEN) from error
            raise
        os.set_blocking(self._output, False)
        self._loop.add_reader(self._output, self._drain)
        self._loop.add_reader(self._pidfd, self._reap)

    async def ended(self) -> None:
        """Wait for its end, or for a reason to end it."""
        await self._gone.wait()

    async def close(self) -> None:
        """Kill what is left of it and take its exit code; whoever cancels this waits for it all the same."""
        try:
            if not self._reaped.is_set():
                self._kill()
                await self._see_it_gone()
        finally:
            self._loop.remove_reader(self._output)
            self._loop.remove_reader(self._pidfd)
            assert self._process.stdout is not None
            self._process.stdout.close()
            os.close(self._pidfd)

    def verdict(self) -> str:
        """Why the answer is no, if it is."""
        if self._read > FLOOD:
            return f"wrote more than {FLOOD} bytes; a probe has to be brief"
        code = self._code
        if code == 0:
            return ""
        if code is None:
            return TAKEN
        told = f"exit code {code}" if code > 0 else f"ended by {_signal_name(-code)}"
        lines = self._tail.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"{told}: {last[:SHOWN]}" if last else told

    async def _see_it_gone(self) -> None:
        deadline = self._loop.time() + KILL_PATIENCE
        cancelled: asyncio.CancelledError | None = None
        while not self._reaped.is_set() and self._loop.time() < deadline:
            # A zombie would be left if a second request to cancel were obeyed here.
            try:
                async with asyncio.timeout_at(deadline):
                    await self._reaped.wait()
            except TimeoutError:
                _log.warning("cannot be killed: pid=%d", self._process.pid)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _drain(self) -> None:
        try:
            chunk = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return
        self._read += len(chunk)
        self._tail = (self._tail + chunk)[-TAIL:]
        if not chunk:  # closed, which is not its end
            self._loop.remove_reader(self._output)
        if self._read > FLOOD:
            self._loop.remove_reader(self._output)
            self._gone.set()

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        # Not before it is reaped is its number given to another group, so nobody else can be hit.
        self._kill()
        self._drain()  # its end may be told before what it wrote last
        # Popen takes it for success if somebody else was first; this tells.
        with contextlib.suppress(ChildProcessError):
            status = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
            assert status is not None  # it has ended
            self._code = status.si_status if status.si_code == os.CLD_EXITED else -status.si_status
        self._process.returncode = self._code if self._code is not None else -signal.SIGKILL
        self._gone.set()
        self._reaped.set()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _options(surroundings: Surroundings) -> dict[str, Any]:
    """What a Popen is told of its surroundings."""
    options: dict[str, Any] = {"cwd": surroundings.cwd or None}
    if surroundings.env:
        options["env"] = {**os.environ, **surroundings.env}
    if surroundings.umask is not None:
        options["umask"] = surroundings.umask
    if surroundings.user:
        entry = _user(surroundings.user)
        # The groups of whoever asks, mostly root, would stay otherwise.
        options["extra_groups"] = os.getgrouplist(entry.pw_name, entry.pw_gid)
        options["user"], options["group"] = entry.pw_uid, entry.pw_gid
    if surroundings.group:
        group = surroundings.group
        options["group"] = int(group) if group.isdigit() else group
    return options


def _user(name: str) -> pwd.struct_passwd:
    return pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # of real time
        return f"signal {number}"
