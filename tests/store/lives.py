"""Providers that record until they are killed: forked, so that a test can afford hundreds of them.

A step is some changes and the wait until they are durable; then the step is acknowledged on a pipe, which
survives whatever happens to the process.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from context_bus.store.address import Address
from context_bus.store.changes import (
    EventHappened,
    ProcessBegan,
    ProcessEnded,
    ProcessReady,
    StateChanged,
    TransactionOpened,
    Wanted,
    Wish,
)
from context_bus.store.records import Reader
from context_bus.store.scribe import Limits
from tests.store.recording import QUICK, recording, remembered, run

#: Services that the steps take in turn.
SERVICES = 3


def live(
    address: Address, life: int, steps: int, at_hit: int, limits: Limits | None = None
) -> tuple[int, int]:
    """Start a provider that records.

    Args:
        address: Where.
        life: Its number.
        steps: How many.
        at_hit: It kills itself at so many statements, results, commits and writes; 0 for never.
        limits: Of its recorder. With them a step is acknowledged when it is durable; else when it is in the
            database.

    Returns:
        Its pid, and the descriptor on which it acknowledges steps.
    """
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, ours
    try:
        _kill_at(at_hit)
        run(_record(address, life, steps, lambda step: os.writev(theirs, [b"%d\n" % step]), limits))
        os._exit(0)
    finally:
        os._exit(1)


def acknowledged(fd: int) -> list[int]:
    """The steps that a dead provider acknowledged; closes the pipe."""
    with os.fdopen(fd, "rb") as pipe:
        return [int(line) for line in pipe.read().splitlines()]


def first_acknowledged(fd: int, count: int) -> list[int]:
    """Wait for so many steps of a provider that lives."""
    text = b""
    while text.count(b"\n") < count:
        text += os.read(fd, 1) or pytest.fail("the provider ended")
    return [int(line) for line in text.splitlines()]


def _kill_at(hit: int) -> None:
    hits = itertools.count(1)

    def tick(*_: object) -> None:
        if next(hits) == hit:
            os.kill(os.getpid(), signal.SIGKILL)

    def ticking(function: Callable[..., int]) -> Callable[..., int]:
        def call(*args: object, **options: object) -> int:
            tick()
            result = function(*args, **options)
            tick()
            return result

        return call

    for name in ("open", "write", "replace"):  # how the file beside the database is written
        setattr(os, name, ticking(getattr(os, name)))
    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sa.event.listen(sa.Engine, name, tick)


async def _record(
    address: Address, life: int, steps: int, acknowledge: Callable[[int], object], limits: Limits | None
) -> None:
    async with recording(address, limits=limits or QUICK) as (recorder, found):
        recorder.record(TransactionOpened("T", "context001", "context", 1.0))
        for step in range(steps):
            name, service, at = f"{life}.{step}", f"s{step % SERVICES}", float(life * 1_000_000 + step)
            recorder.record(Wanted("T", service, Wish.UP, at, name))
            recorder.record(ProcessBegan(name, "T", service, step, 1, 2, "boot", found.run, at))
            recorder.record(StateChanged("T", service, "started", at, name))
            recorder.record(ProcessReady(name, at))
            recorder.record(ProcessEnded(name, at, step))
            recorder.record(EventHappened(found.next_sequence + step, at, "step", "T", service, name))
            if limits is None:
                await recorder.flushed()
            else:
                durable = asyncio.Event()
                recorder.when_durable(durable.set)
                await durable.wait()
            acknowledge(step)


def assert_consistent(address: Address, acknowledged: dict[int, list[int]]) -> None:
    """What was acknowledged in each life is there, whole and once; of the rest at most the step that ran."""
    remembered(address)  # takes over what stands beside the database
    with Reader(address) as reader:
        history = {row.id: row for row in reader.history(limit=100_000)}
        events = [row.data for row in reader.events(limit=100_000)]
        services = {row.service_id: row for row in reader.load().services}
    assert len(events) == len(set(events))
    done = [f"{life}.{step}" for life, steps in acknowledged.items() for step in steps]
    assert not set(done) - set(events)
    assert not [name for name in done if name not in history or history[name].ended_at is None]
    begun = {f"{life}.{len(steps)}" for life, steps in acknowledged.items()}
    assert set(history) <= set(done) | begun
    assert set(events) <= set(done) | begun
    for life, steps in acknowledged.items():
        for step in steps:
            row = services[f"s{step % SERVICES}"]
            assert row.updated_at >= life * 1_000_000 + step
            assert row.conf
            assert row.wanted is Wish.UP
