"""Who descends from whom, read from /proc in one walk. Knows the kernel's tables; must not know services.

`psutil` answers the same for one process at the price of a walk for each; here one walk serves all.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

#: States of a process that will not run again: zombie, dead.
_GONE = frozenset("ZXx")
#: Clock ticks a second, the unit of start times.
_TICKS = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/PID/stat behind the name, counted from 0: flags, where the code begins (1 is said to who
#: may not know), where the environment begins and ends.
_FLAGS, _CODE, _ENV_START, _ENV_END = 6, 23, 47, 48
#: The flag of a process that is part of the kernel.
_KERNEL_THREAD = 0x0020_0000


class Identity(NamedTuple):
    """One process for ever: a pid comes again, a pid with its start time does not.

    Args:
        pid: Process id.
        ticks: Start time in clock ticks since boot.
    """

    pid: int
    ticks: int

    @property
    def started_at(self) -> float:
        """Seconds since boot at which the process started."""
        return self.ticks / _TICKS


class Row(NamedTuple):
    """One line of the process table."""

    pid: int
    parent: int
    group: int
    session: int
    ticks: int
    state: str

    @property
    def identity(self) -> Identity:
        """What tells this process from a later one with its pid."""
        return Identity(self.pid, self.ticks)


def read_row(pid: int) -> Row | None:
    """Read one process; None when there is none (any more)."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may hold anything, brackets too: what counts begins after the last one.
    words = text[text.rindex(b")") + 2 :].split()
    return Row(pid, int(words[1]), int(words[2]), int(words[3]), int(words[19]), chr(words[0][0]))


def _read(path: str) -> bytes:
    """A small file of the kernel; an open file would cost three times as much, by the thousand."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def children(pid: int) -> set[int] | None:
    """Children of a process with one thread, orphans that came to it too; None if the kernel does not say.

    Exact only for the process that asks about itself: nobody else knows when it reaps.
    """
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb", buffering=0) as file:
            return set(map(int, file.readall().split()))
    except OSError:
        return None


def has_children(pid: int) -> bool:
    """Whether a process, or any thread of it, has children; True if the kernel does not say."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            if _read(f"/proc/{pid}/task/{thread}/children"):
                return True
    except OSError:
        return os.path.exists(f"/proc/{pid}")  # it has not ended, so this kernel does not tell
    return False


def read_table() -> dict[int, Row]:
    """Read all processes of the machine in one walk."""
    rows = (read_row(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {row.pid: row for row in rows if row is not None}


def identify(pid: int) -> Identity | None:
    """Read the identity of a process; None when there is no such process."""
    row = read_row(pid)
    return None if row is None else row.identity


def is_alive(identity: Identity) -> bool:
    """Whether this very process still runs."""
    row = read_row(identity.pid)
    return row is not None and row.ticks == identity.ticks and row.state not in _GONE


def descendants(pids: Iterable[int], table: Mapping[int, Row]) -> Iterator[Row]:
    """List what descends from the given processes, the processes themselves left out."""
    children: dict[int, list[Row]] = {}
    for row in table.values():
        children.setdefault(row.parent, []).append(row)
    waiting = list(pids)
    while waiting:
        for row in children.pop(waiting.pop(), ()):
            yield row
            waiting.append(row.pid)


def members(leaders: Collection[int], table: Mapping[int, Row]) -> Iterator[Row]:
    """List who lives in the sessions or groups of the given leaders, the leaders themselves left out."""
    for row in table.values():
        if (row.session in leaders or row.group in leaders) and row.pid not in leaders:
            yield row


def is_gone(row: Row) -> bool:
    """Whether the row shows a process that is dead already and only waits to be reaped."""
    return row.state in _GONE


def signal_group(identity: Identity, number: signal.Signals) -> bool:
    """Signal the group that this very process leads.

    Returns:
        False when the process has ended.
    """
    with _pinned(identity) as handle:
        if handle is None:
            return False
        try:
            # Its pid, and so the group's, is not given to anybody else before its end is collected.
            os.killpg(identity.pid, number)
        except ProcessLookupError:
            return False
        return True


def send_signal(identity: Identity, number: signal.Signals) -> bool:
    """Signal this very process and no later one with its pid.

    Returns:
        False when the process has ended.
    """
    with _pinned(identity) as handle:
        if handle is None:
            return False
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        return True


def wait_gone(identities: Iterable[Identity], timeout: float) -> list[Identity]:
    """Block until these processes have ended, whether or not anybody has reaped them.

    Args:
        identities: Whom to wait for.
        timeout: For all together, in seconds.

    Returns:
        Those that still run.
    """
    deadline = time.monotonic() + timeout
    return [one for one in identities if not _is_gone_by(one, deadline)]


def _is_gone_by(identity: Identity, deadline: float) -> bool:
    with _pinned(identity) as handle:
        if handle is None:
            return True
        end = select.poll()
        end.register(handle, select.POLLIN)
        return bool(end.poll(max(0.0, deadline - time.monotonic()) * 1000))


@contextlib.contextmanager
def _pinned(identity: Identity) -> Iterator[int | None]:
    """A pidfd of this very process; None when it has ended."""
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        # The handle pins the pid: what is_alive compares now is what the handle means.
        yield handle if is_alive(identity) else None
    finally:
        os.close(handle)


def command_line(pid: int) -> str:
    """Read what a process was called with, for people; empty when there is no such process."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    return ""


def lacks_environment(pid: int) -> bool:
    """Whether a process whose environment reads empty has none that could be read, now or in a moment.

    While a program is being put in place, the environment reads empty although it is on its way. One that
    is empty for good has a place all the same; a kernel thread, or a process that is not ours to look into,
    has nothing for us.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return True
    words = text[text.rindex(b")") + 2 :].split()
    if int(words[_FLAGS]) & _KERNEL_THREAD or int(words[_CODE]) == 1 or chr(words[0][0]) in _GONE:
        return True
    return 0 < int(words[_ENV_START]) == int(words[_ENV_END])


def environment_of(pid: int) -> bytes:
    """Read the environment a process was executed with; empty when it may not be read."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        return file.read()
    return b""
