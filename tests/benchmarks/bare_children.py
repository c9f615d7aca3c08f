"""Forkserver processes that do no more than say that they are there: what ours are held to.

    python tests/benchmarks/bare_children.py COUNT

Run by its path: then the forkserver imports this file once, as it does for any program.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import time
from multiprocessing.connection import Connection

import psutil
import zmq


def bare_child(endpoint: str, go: Connection) -> None:
    context = zmq.Context()
    socket = context.socket(zmq.PUSH)
    socket.connect(endpoint)
    socket.send(b"%d" % os.getpid())
    with contextlib.suppress(EOFError):
        go.recv()
    context.destroy(0)


def bare(count: int) -> dict[str, float]:
    method = multiprocessing.get_context("forkserver")
    method.set_forkserver_preload(["__main__", "zmq"])
    context = zmq.Context()
    ready = context.socket(zmq.PULL)
    ready.setsockopt(zmq.RCVHWM, 0)
    port = ready.bind_to_random_port("tcp://127.0.0.1")
    warm = method.Process(target=os.getpid)
    warm.start()
    warm.join()
    begun = time.perf_counter()
    pipes, children = [], []
    for _ in range(count):
        mine, theirs = method.Pipe()
        child = method.Process(target=bare_child, args=(f"tcp://127.0.0.1:{port}", theirs))
        child.start()
        theirs.close()
        pipes.append(mine)
        children.append(child)
    pids = [int(ready.recv()) for _ in range(count)]
    taken = time.perf_counter() - begun
    private = statistics.median(psutil.Process(pid).memory_full_info().uss for pid in pids) / 1e6
    begun = time.perf_counter()
    for pipe in pipes:
        pipe.close()
    for child in children:
        child.join()
    stopped = time.perf_counter() - begun
    context.destroy(0)
    return {"ready": taken, "stop": stopped, "private": private}


if __name__ == "__main__":
    print(json.dumps(bare(int(sys.argv[1]))))
