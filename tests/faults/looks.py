"""What there is, as the kernel sees it: processes of one run, who listens on a port. Knows /proc only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import procs
from tests.faults.actors import SERVICE


@dataclass(frozen=True, slots=True)
class Seen:
    """One living process that carries the mark of the run.

    Args:
        pid: Its id.
        parent: That of its parent.
        command: Its command line, with blanks.
        service: Id of the program it comes from; empty for what forked without executing.
        born: Start time in clock ticks since boot; with the pid it is unique.
    """

    pid: int
    parent: int
    command: str
    service: str
    born: int

    @property
    def is_main(self) -> bool:
        """Whether it is the very process of a program, not what that started."""
        return self.command.rstrip().endswith(f" main {self.service}")

    @property
    def is_python(self) -> bool:
        """Whether it is the guardian, or a fork of it that has not executed anything."""
        return "context_bus.process.guardian" in self.command

    @property
    def is_command(self) -> bool:
        """Whether it is a command of the command line, which belongs to who gave it."""
        return "-m context_bus " in self.command and " service-context " not in self.command


def census(mark: str) -> dict[int, Seen]:
    """All living processes that carry a mark, by pid; zombies are dead."""
    needle = f"{procs.MARK}={mark}".encode()
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (seen := _look(int(name), needle)):
            found[seen.pid] = seen
    return found


def _look(pid: int, needle: bytes) -> Seen | None:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if needle not in variables:
            return None
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    if stat[0] in "ZX":
        return None
    prefix = f"{SERVICE}=".encode()
    service = next((one[len(prefix) :] for one in variables if one.startswith(prefix)), b"")
    return Seen(pid, int(stat[1]), command.strip(), service.decode(), int(stat[19]))


def zombies_of(parents: Iterable[int]) -> set[int]:
    """Children of these that have ended and were not reaped."""
    wanted = set(parents)
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            pid = int(name)
            if procs.state(pid) == "Z" and procs.parent(pid) in wanted:
                found.add(pid)
    return found


def listeners(port: int, pids: Iterable[int]) -> list[int]:
    """Which of some processes hold a socket that listens on a TCP port."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inodes = {
        f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
    }
    return [pid for pid in pids if inodes & set(descriptors(pid))]


def descriptors(pid: int) -> list[str]:
    """What a process has open; empty if it is gone."""
    found = []
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
            except OSError:
                continue
    except OSError:
        return []
    return found
