"""Faults that take something away: space, descriptors, processes, the store. Must not judge."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.findings import Finding, Kind
from tests.faults.hand import Hand
from tests.faults.subject import Subject

#: Seconds in which something is lacking.
LACK = (0.05, 0.4)
#: Bytes written at once to fill a disk.
CHUNK = 1 << 16


def locked(hand: Hand) -> list[Finding]:
    """Hold the store locked while a service is killed; nothing waits for it, and nothing is lost."""
    with contextlib.closing(sqlite3.connect(hand.subject.store, timeout=5.0)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        hand.kill_service(hand.pick())
        found = hand.judge.settle(hand.touched, has_store=False)
        connection.rollback()
    return found


def full_disk(hand: Hand) -> list[Finding]:
    """Fill the disk of the store while a service is killed; it comes back, and is recorded later."""
    with _filled(hand.subject.state):
        hand.kill_service(hand.pick())
        return hand.judge.settle(hand.touched, has_store=False)


def full_disk_and_kill(hand: Hand) -> list[Finding]:
    """Kill the provider while the disk is full; the next one brings back what was wanted before."""
    with _filled(hand.subject.state):
        found = hand.kill_provider()
    return found + hand.next_provider()


def descriptors_of_provider(hand: Hand) -> list[Finding]:
    """Leave the provider not one more descriptor while a service is killed."""
    return _starve(hand, "nofile", hand.cast().provider)


def descriptors_of_guardian(hand: Hand) -> list[Finding]:
    """Leave the guardian not one more descriptor while a service is killed."""
    return _starve(hand, "nofile", hand.cast().guardian)


def processes(hand: Hand) -> list[Finding]:
    """Leave the guardian not one more process while a service is killed."""
    return _starve(hand, "nproc", hand.cast().guardian)


def threads(hand: Hand) -> list[Finding]:
    """Leave the provider not one more thread, and the guardian no process, while a service is killed."""
    cast = hand.cast()
    return _starve(hand, "nproc", cast.provider, cast.guardian)


def _starve(hand: Hand, what: str, *pids: int) -> list[Finding]:
    """Lower a limit, kill services, wait, and lift it again."""
    name = hand.pick(returning=True)
    with contextlib.ExitStack() as stack:
        for pid in pids:
            stack.enter_context(_limited(hand.subject, pid, what))
        for one in {name, hand.pick(returning=True)}:
            hand.kill_service(one)
        if hand.rng.random() < 0.3:
            cast = hand.cast()
            hand.strike(hand.rng.choice((cast.forwarder, *cast.writers)))
        time.sleep(hand.rng.uniform(*LACK))
        if not Path(f"/proc/{pids[0]}").exists():
            return [Finding(Kind.STATE, f"process {pids[0]} has ended of it")]
    hand.done_at = time.monotonic()
    return []


@contextlib.contextmanager
def _limited(subject: Subject, pid: int, what: str) -> Iterator[None]:
    subject.limit(pid, what, _lowest_free(pid) if what == "nofile" else 1)
    try:
        yield
    finally:
        subject.limit(pid, what, None)


def _lowest_free(pid: int) -> int:
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return min(set(range(len(used) + 1)) - used)


@contextlib.contextmanager
def _filled(place: Path) -> Iterator[None]:
    """Fill a small file system to its last byte."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (CHUNK, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\\0" * size):
                    pass
    try:
        yield
    finally:
        ballast.unlink()
