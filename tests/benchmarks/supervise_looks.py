"""What the supervision benchmark sees: processes, from outside, in /proc alone.

Knows the kernel's files and nothing of the systems that are looked at; the standard library only.
A supervised process is known by its last argument, a number that no other process of this machine has.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two looks at /proc for one process.
STEP = 0.001
#: Seconds between two looks for many: the look itself takes about a millisecond.
COARSE_STEP = 0.004
#: Fields of /proc/PID/stat behind the name: state, and the parent.
STATE, PARENT = 0, 1


def read(path: str) -> bytes:
    """A file of /proc; empty if the process is gone."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def pids() -> set[int]:
    """Every process of this machine."""
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def arguments(pid: int) -> list[bytes]:
    """The command line, empty if there is none."""
    return read(f"/proc/{pid}/cmdline").rstrip(b"\0").split(b"\0")


def stat(pid: int) -> list[bytes]:
    """Fields of /proc/PID/stat from the state on; empty if the process is gone."""
    text = read(f"/proc/{pid}/stat")
    return text[text.rindex(b")") + 2 :].split() if text else []


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    fields = stat(pid)
    return bool(fields) and fields[STATE] not in b"ZX"


def parent(pid: int) -> int:
    """Pid of the parent, 0 if the process is gone."""
    fields = stat(pid)
    return int(fields[PARENT]) if fields else 0


def zombies(parents: Collection[int]) -> int:
    """How many dead children these processes have not reaped."""
    seen = (stat(pid) for pid in pids())
    return sum(1 for fields in seen if fields and fields[STATE] == b"Z" and int(fields[PARENT]) in parents)


def descendants(root: int) -> set[int]:
    """A process and all that descends from it."""
    children: dict[int, list[int]] = {}
    for pid in pids():
        children.setdefault(parent(pid), []).append(pid)
    found, todo = set(), [root]
    while todo:
        pid = todo.pop()
        found.add(pid)
        todo += children.get(pid, ())
    return found


def marked(mark: str) -> set[int]:
    """Processes that have a word in their environment, other than this one."""
    word = mark.encode()
    return {pid for pid in pids() - {os.getpid()} if word in read(f"/proc/{pid}/environ")}


def kill(victims: Iterable[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to whoever is still there."""
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@dataclass(frozen=True, slots=True)
class Cost:
    """What some processes have used so far, and hold.

    Args:
        at: When, on the monotonic clock.
        cpu: Seconds on a processor, all threads.
        wakeups: Times a thread gave up its processor to wait, and so was woken.
        rss: Resident memory, MB.
        pss: The same with shared pages divided among those who share them, MB.
        descriptors: Open descriptors.
    """

    at: float
    cpu: float
    wakeups: int
    rss: float
    pss: float
    descriptors: int


def cost(of: Collection[int]) -> Cost:
    """Sum up what these processes have used and hold."""
    cpu, wakeups = 0, 0
    for pid in of:
        for thread in _names(f"/proc/{pid}/task"):
            home = f"/proc/{pid}/task/{thread}"
            cpu += int((read(f"{home}/schedstat").split() or [b"0"])[0])
            wakeups += _field(read(f"{home}/status"), b"voluntary_ctxt_switches")
    rss = sum(_field(read(f"/proc/{pid}/status"), b"VmRSS") for pid in of)
    pss = sum(_field(read(f"/proc/{pid}/smaps_rollup"), b"Pss") for pid in of)
    descriptors = sum(len(_names(f"/proc/{pid}/fd")) for pid in of)
    return Cost(time.monotonic(), cpu / 1e9, wakeups, rss / 1024, pss / 1024, descriptors)


def anonymous(pid: int) -> float:
    """Memory of a process that is no page of a file, MB: who else uses such pages does not change it."""
    return _field(read(f"/proc/{pid}/status"), b"RssAnon") / 1024


def written(pid: int) -> int:
    """Bytes that a process has written so far."""
    return _field(read(f"/proc/{pid}/io"), b"wchar")


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _field(text: bytes, name: bytes) -> int:
    """The number on the line of a name."""
    for line in text.splitlines():
        if line.startswith(name + b":"):
            return int(line.split()[1])
    return 0


class Finder:
    """Finds supervised processes by their last argument: ``mark + index``.

    What existed before is never looked at, and what was found is not read again, so that one look costs a
    listing of /proc and one read for each process that is something else.

    Args:
        mark: First of the numbers.
        room: How many numbers are taken.
    """

    def __init__(self, mark: int, room: int) -> None:
        self.mark, self.room = mark, room
        self._others = pids()
        self._found: dict[int, int] = {}

    def look(self) -> dict[int, set[int]]:
        """Pids by index, zombies included."""
        now = pids()
        for pid in self._found.keys() - now:
            del self._found[pid]
        for pid in now - self._others - self._found.keys():
            last = arguments(pid)[-1]
            if last.isdigit() and 0 <= (index := int(last) - self.mark) < self.room:
                self._found[pid] = index
        seen: dict[int, set[int]] = {}
        for pid, index in self._found.items():
            seen.setdefault(index, set()).add(pid)
        return seen

    def living(self) -> dict[int, set[int]]:
        """Pids by index, without zombies; only indexes that have one."""
        seen = {index: {pid for pid in found if is_alive(pid)} for index, found in self.look().items()}
        return {index: found for index, found in seen.items() if found}

    def all_living(self) -> set[int]:
        """Every living pid."""
        return set().union(*self.living().values())


class FileFinder(Finder):
    """Finds supervised processes that say themselves where they are: files ``INDEX.PID`` in a directory.

    For services written in Python, which a supervisor may fork instead of executing them.
    """

    def __init__(self, directory: Path, room: int) -> None:
        super().__init__(0, room)
        self.directory = directory

    def look(self) -> dict[int, set[int]]:
        """Pids by index."""
        seen: dict[int, set[int]] = {}
        for name in _names(str(self.directory)):
            index, _, pid = name.partition(".")
            if is_alive(int(pid)):
                seen.setdefault(int(index), set()).add(int(pid))
        return seen


def wait_for(
    predicate: Callable[[], object],
    patience: float,
    step: float = STEP,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> float | None:
    """When something became true, on the monotonic clock; None if it did not within ``patience`` seconds."""
    end = clock() + patience
    while True:
        if predicate():
            return clock()
        if clock() >= end:
            return None
        time.sleep(step)


def wait_gone(of: Iterable[int], patience: float) -> float | None:
    """When the last of these processes ended; told by the kernel, in no steps. None if one did not."""
    end = time.monotonic() + patience
    poller = select.poll()
    with contextlib.ExitStack() as stack:
        left = set()
        for pid in of:
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                stack.callback(os.close, descriptor)
                poller.register(descriptor, select.POLLIN)
                left.add(descriptor)
        while left:
            ready = poller.poll(max(0.0, end - time.monotonic()) * 1000)
            if not ready:
                return None
            for descriptor, _ in ready:
                poller.unregister(descriptor)
                left.discard(descriptor)
    return time.monotonic()
