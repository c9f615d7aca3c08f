"""Rows about cost: what a system uses while nothing happens, and what it never gives back."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import replace

from tests.benchmarks import supervise_looks as looks
from tests.benchmarks.supervise_findings import Finding, Scale
from tests.benchmarks.supervise_raw import RawError
from tests.benchmarks.supervise_rows_control import milliseconds, percentile
from tests.benchmarks.supervise_rows_speed import SETTLED
from tests.benchmarks.supervise_systems import Program, System
from tests.benchmarks.supervise_trial import PATIENCE, Trial, TrialError, sleepers, sleeping, trial

#: Restarts by a raw client between two looks at the clock.
BATCH = 20
#: Restarts before the first look, as a part of those between the two looks.
WARM_UP = 0.2
#: The usual limit of descriptors, and more programs than fit below it with five for each.
USUAL_LIMIT, TOO_MANY = 1024, 240


def use(of: Collection[int], seconds: float) -> tuple[float, float, looks.Cost]:
    """Percent of a core and wakeups a second over some time, and what is held at its end."""
    before = looks.cost(of)
    time.sleep(seconds)
    after = looks.cost(of)
    span = after.at - before.at
    return 100 * (after.cpu - before.cpu) / span, (after.wakeups - before.wakeups) / span, after


def idle(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """All processes of the system itself while its programs sleep."""
    with sleeping(kind, scale.many) as life:
        time.sleep(scale.rest)
        cpu, wakeups, held = use(life.daemons(), scale.idle)
        count = len(life.daemons())
    yield Finding("CPU, % of a core", (cpu,), digits=3)
    yield Finding("wakeups / s", (wakeups,))
    yield Finding("RSS, MB", (held.rss,), f"({count} processes)" if count > 1 else "", digits=1)
    yield Finding("PSS, MB", (held.pss,), digits=1)


def statistics(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """The same while figures of all programs are published every second."""
    what = "CPU with 1 Hz figures of all, %"
    if kind.statistics == "no":
        yield Finding(what, word="no figures")
        return
    with trial(kind) as life:
        life.configure(sleepers(life, scale.many), statistics=True)
        life.up()
        time.sleep(scale.rest)
        try:
            if kind.statistics == "asked":
                life.raw.ask("statistics")
        except RawError as error:
            yield Finding(what, word=str(error)[:60])
            return
        cpu, _, held = use(life.daemons(), scale.idle)
    yield Finding(what, (cpu,))
    yield Finding("RSS with figures, MB", (held.rss,), digits=1)


def descriptors(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """Descriptors of the system for each program whose output it logs; and what it does below a low limit."""
    held = []
    for count in (1, scale.many):
        with trial(kind) as life:
            life.configure(_logged(life, count))
            life.up()
            time.sleep(SETTLED)
            held.append(looks.cost(life.daemons()).descriptors)
    yield Finding("descriptors a program, logged", ((held[1] - held[0]) / (scale.many - 1),))
    with trial(kind) as life:
        life.configure(_logged(life, TOO_MANY))
        life.launch(descriptors=USUAL_LIMIT)
        looks.wait_for(life.is_up, scale.watch, looks.COARSE_STEP)
        there = len(life.finder.living())
        word = f"{there} of {TOO_MANY}" + (", and it died" if life.daemon.poll() is not None else "")
    yield Finding(f"up below ulimit -n {USUAL_LIMIT}", word=word)


def _logged(life: Trial, count: int) -> list[Program]:
    return [replace(life.sleeper(index), logged=True) for index in range(count)]


def leaks(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """What is left of many restarts of one program: descriptors, memory, zombies."""
    with sleeping(kind, 2) as life:
        time.sleep(SETTLED)
        try:
            # What is loaded late is loaded then, and what has a bound has reached it.
            _restart(life, kind, scale.restarts * WARM_UP, scale.restart_time * WARM_UP)
            before = looks.cost(life.daemons())
            done = _restart(life, kind, scale.restarts, scale.restart_time)
        except (TrialError, RawError) as error:
            yield Finding("restarts", word=str(error)[:60])
            return
        time.sleep(SETTLED)
        after = looks.cost(life.daemons())
        dead = looks.zombies(life.daemons())
    yield Finding("restarts", (float(done),), digits=0, is_compared=False)
    yield Finding(
        "descriptors more", (float(after.descriptors - before.descriptors),), digits=0, is_compared=False
    )
    yield Finding("RSS more, MB", (after.rss - before.rss,), digits=1, is_compared=False)
    yield Finding("zombies", (float(dead),), digits=0, is_compared=False)


def _restart(life: Trial, kind: type[System], count: float, seconds: float) -> int:
    """Restart a program so often, for so long at most, but once in any case; returns how often it was."""
    done, end = 0, time.monotonic() + seconds
    while not done or (done < count and time.monotonic() < end):
        step = BATCH if kind.tick < 1 else 1
        life.raw.ask("restart", count=step)
        done += step
    return done


def thousand(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """More programs than anybody should have."""
    count = scale.huge
    if not count:
        yield Finding("more than many", word="not with --quick")
        return
    with trial(kind) as life:
        life.configure(sleepers(life, count))
        yield Finding(f"{count} executed, s", (life.up(patience=2 * PATIENCE),))
        time.sleep(scale.rest)
        cpu, _, held = use(life.daemons(), scale.idle)
        yield Finding(f"{count}: CPU, %", (cpu,), digits=3)
        yield Finding(f"{count}: RSS, MB", (held.rss,), digits=1)
        try:
            spent = life.raw.ask("status_all", count=30)
            yield Finding(f"status of {count}, p50 ms", milliseconds([percentile(spent, 0.5)]))
        except (TrialError, RawError) as error:
            yield Finding(f"status of {count}, p50 ms", word=str(error)[:60])
        taken, left = life.down()
        yield Finding(f"{count}: shutdown, s", () if taken is None else (taken,), f"{left} left" * bool(left))
