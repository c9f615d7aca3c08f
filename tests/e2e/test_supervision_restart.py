"""Restart policies on real programs: what is started again, how often, and why not."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from context_bus.config.supervision import Condition, Requirement, Restart, RestartWhen
from context_bus.context.states import State
from context_bus.context.trace import ServiceChanged, ServiceFrozen
from tests.context.live import context, live
from tests.e2e.supervised import changes, run, shell, state_letter

#: Restarts without a wait worth mentioning, and two of them at most.
FAST = Restart(delay=0.01, max_delay=0.01, max_restarts=2, window=60.0)


@pytest.mark.parametrize("policy", [RestartWhen.ON_FAILURE, RestartWhen.ALWAYS])
def test_a_program_that_fails_to_boot_is_fatal_after_its_restarts(
    tmp_path: Path, policy: RestartWhen
) -> None:
    """Three runs, not one more; the reason tells the exit code."""

    async def work() -> None:
        conf = context(tmp_path, shell("a", "echo >> runs; exit 7", restart=replace(FAST, policy=policy)))
        async with live(conf) as here:
            here.send("start")
            reason = (await here.state("a", State.FATAL)).reason
        assert reason.startswith(
            "fatal: restarted 2 times within 60 s, last: ended with exit code 7 after 0."
        )
        assert reason.endswith("; a restart command tries again; see max_restarts")
        assert len(next(iter(tmp_path.rglob("runs"))).read_text().splitlines()) == 3

    run(work())


@pytest.mark.parametrize(("line", "state"), [("exit 3", State.EXITED), ("exit 4", State.FAILED)])
def test_success_codes_tell_an_end_from_a_failure(tmp_path: Path, line: str, state: State) -> None:
    """An end with a code of success is as planned, with any other it is a failure; never means never."""

    async def work() -> None:
        conf = context(tmp_path, shell("a", line, restart=Restart(success_codes=(0, 3))))
        async with live(conf) as here:
            here.send("start")
            ended = await here.state("a", state)
            assert ended.reason == ("" if state is State.EXITED else "ended with exit code 4")
        assert [each.new for each in here.of(ServiceChanged)] == [State.STARTING, State.STARTED, state]

    run(work())


def test_a_killed_program_is_replaced_and_a_stopped_one_is_not(tmp_path: Path) -> None:
    """What dies comes back with another pid; what was told to stop stays so."""

    async def work() -> None:
        conf = context(
            tmp_path, shell("a", "exec sleep 1000", restart=replace(FAST, policy=RestartWhen.ALWAYS))
        )
        async with live(conf) as here:
            first = (await here.command("start")).services[0].pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            second = (await here.state("a", State.STARTED, count=2)).pid
            assert second not in (None, first)
            await here.command("stop")
            await here.state("a", State.STOPPED)
        # Nothing came of it until the end of the provider, which is after everything.
        assert len(changes(here, "a", State.STARTED)) == 2
        assert here.of(ServiceChanged)[-1].new is State.STOPPED

    run(work())


def test_a_frozen_program_is_shown_and_thaws(tmp_path: Path) -> None:
    """SIGSTOP without liveness is told, and undone by SIGCONT; the process stays."""

    async def work() -> None:
        async with live(context(tmp_path, shell("a", "exec sleep 1000"))) as here:
            pid = (await here.command("start")).services[0].pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            await here.until(lambda: [e.is_frozen for e in here.of(ServiceFrozen)] == [True], "frozen")
            os.kill(pid, signal.SIGCONT)
            await here.until(lambda: [e.is_frozen for e in here.of(ServiceFrozen)] == [True, False], "thawed")
            assert state_letter(pid) not in ("", "T", "Z")

    run(work())


def test_a_requirement_that_fails_fails_its_dependents(tmp_path: Path) -> None:
    """Who waits for the completion of what fails does not start, and says whose fault it is."""

    async def work() -> None:
        needs = (Requirement("first", Condition.COMPLETED),)
        conf = context(tmp_path, shell("second", "exec sleep 1000", requires=needs), shell("first", "exit 5"))
        async with live(conf) as here:
            here.send("start")
            failed = await here.state("second", State.FAILED)
            assert failed.reason == "requires first, which has failed: ended with exit code 5"
        seen = [each.new for each in here.of(ServiceChanged) if each.service_id == "second"]
        assert seen == [State.WAITING, State.FAILED]

    run(work())
