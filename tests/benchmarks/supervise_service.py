"""A service written in Python, as far as a supervisor of any make can run it.

Executed by path, without the package; forked by those who can. The last argument is the
number by which the benchmark finds the process.
"""

from __future__ import annotations

import os
import signal
import sys

import zmq


def main(directory: str, number: str) -> None:
    """What a service of a bus does at least: a socket of its own, then a word that it is there, a file."""
    context = zmq.Context()
    context.socket(zmq.DEALER).connect("ipc://" + os.path.join(directory, "nobody"))
    with open(os.path.join(directory, f"{number}.{os.getpid()}"), "x"):
        pass
    while True:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
