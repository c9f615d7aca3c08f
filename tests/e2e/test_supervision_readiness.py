"""Readiness, surroundings, grace and schedules of real programs under a real provider."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from context_bus.bus.endpoint import free_endpoint
from context_bus.config.supervision import Condition, Probe, Readiness, ReadinessKind, Requirement, Stop
from context_bus.context.states import State
from context_bus.kernel.surroundings import Surroundings
from context_bus.testing.wait import wait_until
from tests.context.live import context, live
from tests.e2e.supervised import changes, run, shell, state_letter

#: Seconds of grace of who is deaf to its signal.
GRACE = 0.3


def _when_there(file: Path) -> Readiness:
    """Ready when a file exists."""
    return Readiness(
        ReadinessKind.COMMAND,
        Probe(command=("/usr/bin/env", "test", "-e", str(file)), every=0.05),
        deadline=20.0,
    )


@pytest.mark.parametrize("kind", [ReadinessKind.TCP, ReadinessKind.HTTP, ReadinessKind.COMMAND])
def test_a_program_that_never_becomes_ready_has_failed(tmp_path: Path, kind: ReadinessKind) -> None:
    """At its deadline the service has failed, with a reason, and its process is gone."""
    address = free_endpoint().removeprefix("tcp://")
    target = {ReadinessKind.TCP: address, ReadinessKind.HTTP: f"http://{address}/"}
    command = ("/bin/false",) if kind is ReadinessKind.COMMAND else ()
    readiness = Readiness(kind, Probe(target.get(kind, ""), command, every=0.05), deadline=0.5)
    complaint = "exit code 1" if command else f"{address}: Connection refused"

    async def work() -> None:
        async with live(context(tmp_path, shell("a", "exec sleep 1000", readiness=readiness))) as here:
            here.send("start")
            warming = await here.state("a", State.WARMING)
            failed = await here.state("a", State.FAILED)
            assert failed.reason == f"not ready within 0.5 s: {complaint}"
            assert warming.pid is not None
            assert state_letter(warming.pid) == ""  # it is told of when it is gone, not before
        assert not changes(here, "a", State.STARTED)

    run(work())


def test_a_probe_makes_ready_and_lets_dependents_start(tmp_path: Path) -> None:
    """Who requires a service starts after it is ready, and stops before it."""
    readiness = _when_there(tmp_path / "here")
    needs = (Requirement("base", Condition.READY),)

    async def work() -> None:
        base = shell("base", f"touch {tmp_path}/here; exec sleep 1000", readiness=readiness)
        conf = context(tmp_path, shell("top", "exec sleep 1000", requires=needs), base)
        async with live(conf) as here:
            await here.command("start")
            order = here.events.index
            ready, began = changes(here, "base", State.STARTED)[0], changes(here, "top", State.STARTING)[0]
            assert order(ready) < order(began)
            await here.command("stop")
            gone, asked = changes(here, "top", State.STOPPED)[0], changes(here, "base", State.STOPPING)[0]
            assert order(gone) < order(asked)

    run(work())


def test_surroundings_are_those_of_the_process(tmp_path: Path) -> None:
    """What the kernel says of a program is what its definition said."""
    cpu = min(os.sched_getaffinity(0))
    around = Surroundings(
        cwd=str(tmp_path),
        env={"TOWN": "Ulm"},
        umask=0o027,
        nice=3,
        cpus=(cpu,),
        limits={"nofile": (100, 200)},
    )

    async def work() -> None:
        async with live(context(tmp_path, shell("a", "exec sleep 1000", surroundings=around))) as here:
            pid = (await here.command("start")).services[0].pid
            assert pid is not None
            proc = Path(f"/proc/{pid}")
            assert (proc / "cwd").readlink() == tmp_path
            # While one program takes the place of another, there is no environment to be read.
            environ = await asyncio.to_thread(wait_until, (proc / "environ").read_bytes)
            assert b"TOWN=Ulm" in environ.split(b"\0")
            assert "Umask:\t0027" in (proc / "status").read_text()
            assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3
            assert os.sched_getaffinity(pid) == {cpu}
            limits = (proc / "limits").read_text().splitlines()
            assert next(row for row in limits if row.startswith("Max open files")).split()[3:5] == [
                "100",
                "200",
            ]

    run(work())


def test_a_program_deaf_to_its_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    """At the end of the grace nothing of it lives on."""
    line = f"trap '' TERM; sleep 1000 & echo $! > {tmp_path}/child; touch {tmp_path}/deaf; wait; wait"
    readiness = _when_there(tmp_path / "deaf")

    async def work() -> None:
        conf = context(tmp_path, shell("a", line, readiness=readiness, stop=Stop(grace=GRACE)))
        async with live(conf) as here:
            pid = (await here.command("start")).services[0].pid
            child = int((tmp_path / "child").read_text())
            assert state_letter(child) not in ("", "Z")
            began = time.monotonic()
            await here.command("stop")
            assert GRACE <= time.monotonic() - began < GRACE + 2.0
            assert [state_letter(each) for each in (pid or 0, child)] == ["", ""]
            (stopped,) = changes(here, "a", State.STOPPED)
            assert stopped.reason == f"killed: did not end within {GRACE} s"

    run(work())


def test_a_schedule_runs_again_and_again(tmp_path: Path) -> None:
    """A program of every second ends and runs at the next."""

    async def work() -> None:
        async with live(context(tmp_path, shell("a", "exit 0", schedule="* * * * * *"))) as here:
            here.send("start")
            await here.state("a", State.EXITED, count=2)

    run(work())
