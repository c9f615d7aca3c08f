"""A program that is slow to end: told to, it touches FILE, and ends after some seconds or never.

    python -S supervise_stubborn.py FILE SECONDS NUMBER

FILE.ready appears as soon as it can be told. SECONDS below zero: never. SIGINT counts like SIGTERM, for there
are supervisors that send it. NUMBER is how the benchmark finds the process.
"""

from __future__ import annotations

import signal
import sys
import time


def main(file: str, seconds: float) -> None:
    def told(*_: object) -> None:
        with open(file, "a"):
            pass
        if seconds >= 0:
            time.sleep(seconds)
            sys.exit(0)

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    with open(file + ".ready", "a"):
        pass
    while True:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
