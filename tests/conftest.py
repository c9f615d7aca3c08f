"""What holds for every test: it leaves no process, thread or descriptor behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import NamedTuple

import pytest

from context_bus.process import spawn
from context_bus.testing.wait import wait_until

#: Kinds of descriptors that belong to something that runs; files are the business of whoever opens them.
KINDS = ("socket:", "pipe:", "anon_inode:")
#: Seconds a test's leavings may take to go.
PATIENCE = 5.0


class Resources(NamedTuple):
    """What a process holds that can leak."""

    children: frozenset[int]
    threads: frozenset[threading.Thread]
    descriptors: frozenset[tuple[int, str]]


def helpers() -> set[int]:
    """Processes that are there for the life of the interpreter, or until they are shut down."""
    guardian = spawn.guardian()
    pids = (getattr(resource_tracker._resource_tracker, "_pid", None), guardian and guardian.pid)
    return {pid for pid in pids if pid}


def kept_descriptors() -> set[int]:
    """Our ends of their pipes and sockets."""
    guardian = spawn.guardian()
    fds = (getattr(resource_tracker._resource_tracker, "_fd", None), guardian and guardian.fileno())
    return {fd for fd in fds if fd is not None}


def kept_threads() -> set[threading.Thread]:
    """Threads that hear them."""
    guardian = spawn.guardian()
    return {guardian.thread} if guardian else set()


def current() -> Resources:
    """What this process holds now; reads /proc only, so that it costs less than a millisecond."""
    children: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            children.update(int(pid) for pid in (task / "children").read_text().split())
        except OSError:  # the thread has ended meanwhile
            continue
    descriptors = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # it was the directory itself
            continue
        if target.startswith(KINDS):
            descriptors.add((int(name), target))
    return Resources(frozenset(children), frozenset(threading.enumerate()), frozenset(descriptors))


def leaked(before: Resources) -> str:
    """What there is more than before, in words; empty if nothing."""
    now = current()
    kept = kept_descriptors()
    children = now.children - before.children - helpers()
    threads = [thread.name for thread in now.threads - before.threads - kept_threads()]
    opened = sorted(now.descriptors - before.descriptors)
    descriptors = [f"{fd} -> {target}" for fd, target in opened if fd not in kept]
    parts = {"processes": sorted(children), "threads": threads, "descriptors": descriptors}
    return "; ".join(f"{kind} {things}" for kind, things in parts.items() if things)


@pytest.fixture(autouse=True)
def no_leak(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process, a thread or a descriptor behind."""
    before = current()
    yield
    if leaked(before):
        gc.collect()
        wait_until(lambda: not leaked(before), PATIENCE, lambda: f"{request.node.name} left {leaked(before)}")
