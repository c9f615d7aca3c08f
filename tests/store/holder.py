"""A provider that does nothing but hold the lock of a place; started by the tests as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from context_bus.store.lock import take
from context_bus.store.place import place_of, prepare


def main(file: str, child: str = "") -> None:
    """Hold the lock until killed; with a child that was forked or executed meanwhile, or without."""
    place = place_of(file)
    prepare(place)
    lock = take(place)
    pid = 0
    if child == "fork":
        pid = os.fork()
        if pid == 0:
            signal.pause()
    elif child == "exec":
        pid = subprocess.Popen(["sleep", "1000"], close_fds=False, stdout=subprocess.DEVNULL).pid
    print("held", pid, flush=True)
    signal.pause()
    lock.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
