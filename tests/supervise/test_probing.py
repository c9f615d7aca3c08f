"""Asking again and again: at once, at the period, never twice at a time, and no more when told so."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from context_bus.config.supervision import Liveness, LivenessKind, Probe, Readiness, ReadinessKind
from context_bus.supervise.probing import Prober, _Rounds, phase
from tests.supervise.answering import saying, serving, silent
from tests.supervise.test_asking import free_port

#: Seconds within which anything happens that is going to.
PATIENCE = 20.0
OK = b"HTTP/1.1 200 OK\r\n\r\n"


class Told:
    """What a prober calls, and what it has called."""

    def __init__(self, name: str = "ts_103") -> None:
        self.is_ready, self.is_lost = asyncio.Event(), asyncio.Event()
        self.calls: list[str] = []
        self.prober = Prober(name, self._ready, self._lost)

    def _ready(self) -> None:
        self.calls.append("ready")
        self.is_ready.set()

    def _lost(self, reason: str) -> None:
        self.calls.append(reason)
        self.is_lost.set()


def run(scene: Callable[[Told], Awaitable[None]]) -> list[str]:
    """Play a scene in a loop of its own; nothing of the prober may be left in it.

    Returns:
        What was called.
    """

    async def main() -> list[str]:
        told = Told()
        async with asyncio.timeout(PATIENCE):
            await scene(told)
            told.prober.stop()
            await told.prober.wait()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return told.calls

    return asyncio.run(main())


def tcp(port: int, every: float = 60.0) -> Probe:
    return Probe(target=f"127.0.0.1:{port}", every=every)


def test_the_first_attempt_is_at_once() -> None:
    """Who is ready already does not wait for a period."""

    async def scene(told: Told) -> None:
        async with serving(silent) as port:
            told.prober.seek(Readiness(ReadinessKind.TCP, tcp(port)))
            await told.is_ready.wait()
            await told.prober.wait()

    assert run(scene) == ["ready"]


def test_it_is_asked_until_it_is_ready() -> None:
    """Refusals before are told as the reason so far, and forgotten then."""

    async def scene(told: Told) -> None:
        port = free_port()
        told.prober.seek(Readiness(ReadinessKind.TCP, tcp(port, every=0.01)))
        while not told.prober.said:
            await asyncio.sleep(0.001)
        assert told.prober.said == f"127.0.0.1:{port}: Connection refused"
        async with serving(silent, port=port):
            await told.is_ready.wait()
        assert told.prober.said == ""

    assert run(scene) == ["ready"]


def test_attempts_do_not_pile_up() -> None:
    """An answer that takes many periods is waited for; the attempts it cost are not made up for."""
    most = running = asked = 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most, running, asked
        running, asked = running + 1, asked + 1
        most = max(most, running)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        running -= 1
        writer.write(b"HTTP/1.1 503 Warming Up\r\n\r\n" if asked < 4 else OK)
        await reader.read()

    async def scene(told: Told) -> None:
        async with serving(slow) as port:
            target = f"http://127.0.0.1:{port}/"
            told.prober.seek(
                Readiness(ReadinessKind.HTTP, Probe(target=target, every=0.01, timeout=PATIENCE))
            )
            await told.is_ready.wait()

    assert run(scene) == ["ready"]
    assert (most, asked) == (1, 4)


def test_missed_rounds_are_left_out() -> None:
    """After one that took several periods the next is in a period of its own again, as is every other."""

    async def main() -> list[float]:
        loop, every = asyncio.get_running_loop(), 0.05
        rounds, begin = _Rounds("a", every, is_urgent=False), loop.time()
        times = []
        for seconds in (0.0, 4.5 * every, 0.0, 0.0, 0.0):
            await rounds.next()
            times.append((loop.time() - begin) / every - phase("a") + 0.02)  # timers may be a bit early
            await asyncio.sleep(seconds)
        return times

    periods = [int(each) for each in asyncio.run(main())]
    assert periods[0] >= 0
    assert len(set(periods)) == 5
    assert periods == sorted(periods)


def test_time_is_a_readiness_of_its_own() -> None:
    """It has lived that long."""

    async def scene(told: Told) -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        told.prober.seek(Readiness(ReadinessKind.TIME, after=0.05))
        await told.is_ready.wait()
        assert loop.time() - begin >= 0.05 - 0.001

    assert run(scene) == ["ready"]


def test_who_answers_no_more_is_lost() -> None:
    """After so many failures in a row, told once, with how it was asked and what came of it."""

    async def scene(told: Told) -> None:
        heard: list[bytes] = []
        async with serving(saying(OK, heard)) as port:
            probe = Probe(target=f"http://127.0.0.1:{port}/", every=0.01)
            told.prober.watch(Liveness(LivenessKind.HTTP, probe, failures=3))
            while len(heard) < 3:
                await asyncio.sleep(0.001)
            assert told.calls == []
        await told.is_lost.wait()
        await told.prober.wait()

    (reason,) = run(scene)
    assert reason.startswith("3 attempts in a row to ask it by http failed: 127.0.0.1:")


def test_what_is_told_is_not_asked() -> None:
    """Messages, lines and heartbeats come by themselves; the former question ends."""

    async def scene(told: Told) -> None:
        told.prober.seek(Readiness(ReadinessKind.TCP, tcp(free_port(), every=0.01)))
        told.prober.seek(Readiness(ReadinessKind.LOG, Probe(target="ready")))
        await told.prober.wait()
        told.prober.watch(Liveness(LivenessKind.HEARTBEAT))
        await told.prober.wait()

    assert run(scene) == []


def test_the_call_may_begin_the_next_question() -> None:
    """Ready, therefore watched from now on: from within the call."""

    async def scene(told: Told) -> None:
        lost = asyncio.Event()
        port = free_port()
        liveness = Liveness(LivenessKind.TCP, tcp(port, every=0.01), failures=2)
        prober = Prober("a", lambda: prober.watch(liveness), lambda _: lost.set())
        prober.seek(Readiness(ReadinessKind.TIME))
        await lost.wait()
        await prober.wait()

    run(scene)


def test_after_a_stop_nothing_is_called() -> None:
    """Even if the answer is there already; stopping again changes nothing."""

    async def scene(told: Told) -> None:
        told.prober.seek(Readiness(ReadinessKind.TIME))
        told.prober.stop()
        told.prober.stop()
        await told.prober.wait()

    assert run(scene) == []


def test_a_stopped_program_is_gone(tmp_path: Path) -> None:
    """After the wait there is no process of it left, not even a zombie."""
    children = Path("/proc/self/task", str(os.getpid()), "children")
    before = children.read_text().split()

    async def scene(told: Told) -> None:
        command = ("/bin/sh", "-c", f"touch {tmp_path}/runs; sleep 300")
        told.prober.seek(Readiness(ReadinessKind.COMMAND, Probe(command=command, timeout=PATIENCE)))
        while not (tmp_path / "runs").exists():
            await asyncio.sleep(0.005)
        assert children.read_text().split() != before
        told.prober.stop()
        await told.prober.wait()
        assert children.read_text().split() == before

    assert run(scene) == []


def test_a_call_that_breaks_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Whose prober it was, with the traceback; the loop goes on."""

    async def main() -> None:
        def breaks() -> None:
            raise RuntimeError("a fault of the caller")

        prober = Prober("ts_7", breaks, lambda _: None)
        prober.seek(Readiness(ReadinessKind.TIME))
        await prober.wait()

    with caplog.at_level(logging.ERROR, "context_bus.supervise.probing"):
        asyncio.run(main())
    assert "probing broke: name=ts_7" in caplog.text
    assert "a fault of the caller" in caplog.text


def test_changes_of_health_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not every attempt: that it fails, with the reason, and that it is well again."""

    async def scene(told: Told) -> None:
        port, heard = free_port(), list[bytes]()
        probe = Probe(target=f"http://127.0.0.1:{port}/", every=0.01)
        told.prober.watch(Liveness(LivenessKind.HTTP, probe, failures=1_000_000))
        while "failure=" not in caplog.text:
            await asyncio.sleep(0.001)
        async with serving(saying(OK, heard), port=port):
            while len(heard) < 3:
                await asyncio.sleep(0.001)
            told.prober.stop()
            await told.prober.wait()

    with caplog.at_level(logging.INFO, "context_bus.supervise.probing"):
        run(scene)
    assert caplog.text.count("failure=") == 1
    assert caplog.text.count("well again") == 1


def test_phases_spread_over_the_period() -> None:
    """Of 200 names no tenth of the period gets more than twice its share; a name keeps its phase."""
    tenths = [int(phase(f"ts_{number}") * 10) for number in range(200)]
    assert all(4 <= tenths.count(tenth) <= 40 for tenth in range(10))
    assert phase("ts_1") == phase("ts_1") != phase("ts_2")


def test_watched_children_are_not_all_asked_at_once() -> None:
    """A hundred that became ready together are asked one after the other, over the period."""

    async def main() -> list[float]:
        loop, asked = asyncio.get_running_loop(), list[float]()

        async def note(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            asked.append(loop.time() - begin)
            await reader.read()

        async with serving(note) as port, asyncio.timeout(PATIENCE):
            probers = [Prober(f"ts_{number}", lambda: None, lambda _: None) for number in range(100)]
            begin = loop.time()
            for prober in probers:
                prober.watch(Liveness(LivenessKind.TCP, tcp(port, every=1.0)))
            while len(asked) < 100:
                await asyncio.sleep(0.01)
            for prober in probers:
                prober.stop()
                await prober.wait()
        return asked

    asked = asyncio.run(main())
    # A machine that is busy may ask later than at the phase, never earlier.
    for share in (0.25, 0.5, 0.75):
        due = sum(phase(f"ts_{number}") <= share for number in range(100))
        assert sum(when < share for when in asked) <= due
    assert max(asked) > 0.9
