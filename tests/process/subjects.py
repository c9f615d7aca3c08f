"""Programs that use something, to be measured, and what /proc says of them. Run as a script by path.

Knows nothing of context_bus: what it finds in /proc is the truth that figures are held against.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

MIB = 1 << 20
#: What a big program holds, in MiB.
HELD = 100
#: Files that an opening program opens.
OPENED = 50
#: Clock ticks a second.
TICKS = os.sysconf("SC_CLK_TCK")


def big() -> None:
    """Hold some memory, every page of it touched."""
    held = bytearray(HELD * MIB)
    held[:: os.sysconf("SC_PAGE_SIZE")] = b"x" * len(range(0, len(held), os.sysconf("SC_PAGE_SIZE")))
    _stay()


def open_files(directory: str) -> None:
    """Hold files open."""
    with contextlib.ExitStack() as held:
        for number in range(OPENED):
            held.enter_context(Path(directory, f"file-{number}").open("w"))
        _stay()


def spin() -> None:
    """Do nothing, as fast as possible."""
    print("ready", flush=True)
    while True:
        pass


def family() -> None:
    """Have a child and a grandchild; tells their pids."""
    with subprocess.Popen(["sh", "-c", "sleep 300 & echo $!; wait"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        print(child.pid, int(child.stdout.readline()), flush=True)
        _stay(ready="")


def zombie() -> None:
    """Have a child that has ended and is not reaped; tells its pid."""
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    print(child, flush=True)
    _stay(ready="")


def threads() -> None:
    """Have two threads besides the main one."""
    for _ in range(2):
        threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
    _stay()


def _stay(ready: str = "ready") -> None:
    if ready:
        print(ready, flush=True)
    time.sleep(300)


@contextlib.contextmanager
def running(what: str, *args: str) -> Iterator[tuple[int, str]]:
    """One of the above as a process: its pid, and what it said when it was ready."""
    command = [sys.executable, __file__, what, *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stdout is not None
        try:
            yield process.pid, process.stdout.readline().strip()
        finally:
            os.killpg(process.pid, 9)


def cpu_ticks(pid: int) -> int:
    """CPU time of a process, in clock ticks."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def status(pid: int) -> dict[str, str]:
    """What /proc/PID/status says."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
