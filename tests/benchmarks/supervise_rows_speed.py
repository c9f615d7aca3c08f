"""Rows about speed: how fast a system starts its programs, brings them back and ends them."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator

from tests.benchmarks import supervise_looks as looks
from tests.benchmarks.supervise_findings import Finding, Scale
from tests.benchmarks.supervise_raw import RawError
from tests.benchmarks.supervise_systems import PythonServices, System
from tests.benchmarks.supervise_trial import PATIENCE, Trial, TrialError, sleepers, sleeping, trial

#: Seconds a program has to live for supervisord to take its end for that of a running one.
SETTLED = 1.3


def launch(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """From the command to the last program executed; and until the system itself says so."""
    for count in scale.counts:
        spent, says, word = [], [], ""
        for _ in range(scale.runs):
            with trial(kind) as life:
                life.configure(sleepers(life, count))
                spent.append(life.up())
            with trial(kind) as life:
                life.configure(sleepers(life, count))
                try:
                    says.append(_until_it_says_so(life, count))
                except (TrialError, RawError) as error:
                    word = str(error)
        yield Finding(f"{count} executed, s", tuple(spent))
        yield Finding(f"{count}: says so, s", tuple(says), "" if says else word)


def _until_it_says_so(life: Trial, count: int) -> float:
    raw = life.raw  # is there before the launch, so that its imports are not counted
    begun = life.launch()
    raw.say("await_all", count=count)
    return float(raw.hear()) - begun


def python(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """Services written in Python: until each has its socket and says so; what they weigh together."""
    spent, weights = [], []
    for _ in range(scale.runs):
        with trial(kind) as life:
            life.configure(PythonServices(scale.many, life.work / "up"))
            spent.append(life.up(patience=2 * PATIENCE))
            weights.append(looks.cost(life.finder.all_living()).pss)
    yield Finding(f"{scale.many} Python services up, s", tuple(spent))
    yield Finding(f"{scale.many} Python services, PSS in MB", tuple(weights), digits=0)


def respawn(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """kill -9 of one program, at a random moment of the system's own rhythm, until another was executed."""
    with sleeping(kind, scale.many) as life:
        time.sleep(SETTLED)
        spent = _kill_one_by_one(life, scale.kills)
    yield Finding(f"of {len(spent)}: median / worst, ms", tuple(1000 * each for each in spent), digits=1)


def _kill_one_by_one(life: Trial, kills: int) -> list[float]:
    """Each of a different program, and the next only when it is back: another's end may wake a system up."""
    spent: list[float] = []
    for index in random.sample(sorted(life.finder.living()), kills):
        time.sleep(random.uniform(0.1, 0.1 + life.system.tick))
        spent.append(kill_and_await(life, index, PATIENCE))
    return spent


def kill_and_await(life: Trial, index: int, patience: float) -> float:
    """Seconds from the kill -9 of a program until another was executed in its place."""
    old = life.finder.look().get(index, set())
    begun = time.monotonic()
    looks.kill(old)
    at = looks.wait_for(lambda: life.finder.look().get(index, set()) - old, patience)
    if at is None:
        raise TrialError(f"not back within {patience:g} s")
    return at - begun


def killed_at_once(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """kill -9 of all programs at once, until all are back."""
    spent = []
    with sleeping(kind, scale.many) as life:
        for _ in range(scale.runs):
            time.sleep(SETTLED + random.uniform(0, life.system.tick))
            old = life.finder.all_living()
            begun = time.monotonic()
            looks.kill(old)

            def all_back(old: set[int] = old) -> bool:
                seen = life.finder.look()
                return len(seen) >= scale.many and all(pids - old for pids in seen.values())

            at = looks.wait_for(all_back, PATIENCE, looks.COARSE_STEP)
            if at is None:
                yield Finding(f"{scale.many} back, s", word="not all came back")
                return
            spent.append(at - begun)
    yield Finding(f"{scale.many} back, s", tuple(spent))


def shutdown(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """SIGTERM to the system, until it and all programs are gone."""
    spent: list[float] = []
    lefts = []
    for _ in range(scale.runs):
        with sleeping(kind, scale.many) as life:
            time.sleep(SETTLED)
            taken, left = life.down()
            spent += [] if taken is None else [taken]
            lefts.append(left)
    yield Finding(f"{scale.many} sleeping, s", tuple(spent), "" if spent else "never")
    yield Finding("left", word="/".join(map(str, lefts)))


def slow_shutdown(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """SIGTERM to the system while ten programs need a second each to end."""
    with trial(kind) as life:
        life.configure([life.stubborn(index, 1.0, None) for index in range(10)])
        life.up()
        life.await_ready(*range(10))
        time.sleep(SETTLED)
        taken, left = life.down()
        told = sum(life.was_told(index) for index in range(10))
    word = "" if told == 10 else f"(only {told} were told)"
    yield Finding(
        "10 that need 1 s each, s", () if taken is None else (taken,), word or f"{left} left" * bool(left)
    )


def stopped_while_starting(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """SIGTERM as soon as a quarter of the programs is there."""
    spent: list[float] = []
    lefts = []
    for _ in range(scale.runs):
        with trial(kind) as life:
            life.configure(sleepers(life, scale.many))
            life.launch()
            life.await_living(scale.many // 4, PATIENCE)
            begun = time.monotonic()
            life.daemon.send_signal(signal.SIGTERM)
            at = looks.wait_gone({life.daemon.pid}, scale.watch)
            life.daemon.poll()
            looks.wait_gone(life.finder.all_living(), 1.0)
            lefts.append(len(life.finder.all_living()))
            spent += [] if at is None else [at - begun]
    yield Finding("SIGTERM while starting, s", tuple(spent), "" if spent else f"not within {scale.watch:g}")
    yield Finding("left 1 s later", word="/".join(map(str, lefts)))
