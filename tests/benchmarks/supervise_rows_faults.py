"""Rows about faults: what is left when something dies that nobody expected to, and who notices."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

from tests.benchmarks import supervise_looks as looks
from tests.benchmarks.supervise_findings import Finding, Scale
from tests.benchmarks.supervise_raw import RawError
from tests.benchmarks.supervise_rows_control import milliseconds, percentile
from tests.benchmarks.supervise_rows_cost import use
from tests.benchmarks.supervise_rows_speed import SETTLED
from tests.benchmarks.supervise_systems import PythonServices, System
from tests.benchmarks.supervise_trial import PATIENCE, Trial, TrialError, sleeping, trial

#: A service (0) with a child in its session (1), one in a session of its own (2), and a double fork (3).
FAMILY = "sleep {1} &\nsetsid sleep {2} &\n(setsid sleep {3} &)\nexec sleep {0}"
DOUBLE_FORK = "(setsid sleep {1} &)\nexec sleep {0}"
#: Seconds after which whoever is still there counts as left.
GRACE = 1.0
#: Double forks beside the programs when the system itself is killed.
DOUBLE_FORKS = 20


def family(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """What is left of a service's children: child / own session / double fork."""
    with _family(kind) as life:
        main = life.finder.living()[0]
        life.command("stop").wait(PATIENCE)
        looks.wait_gone(main, PATIENCE)
        yield Finding("left after a stop", word=_left(life, _children(life), GRACE))
    with _family(kind) as life:
        old, children = life.finder.living()[0], _children(life)
        looks.kill(old)
        at = looks.wait_for(lambda: life.finder.look().get(0, set()) - old, PATIENCE)
        yield Finding(
            "left beside the new one after kill -9", word=_left(life, children, 0.0) if at else "never back"
        )
    with _family(kind) as life:
        children = _children(life)
        life.kill_daemon()
        yield Finding("left 1 s after kill -9 of the system", word=_left(life, children, GRACE))


@contextlib.contextmanager
def _family(kind: type[System]) -> Iterator[Trial]:
    with trial(kind) as life:
        life.configure([life.script(0, FAMILY, 0, 1, 2, 3)], 4)
        life.up()
        time.sleep(SETTLED)
        yield life


def _children(life: Trial) -> list[set[int]]:
    living = life.finder.living()
    return [living.get(index, set()) for index in (1, 2, 3)]


def _left(life: Trial, children: list[set[int]], grace: float) -> str:
    looks.wait_gone(set().union(*children), grace)
    return " / ".join(str(sum(map(looks.is_alive, each))) for each in children)


def killed(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """kill -9 of the system: what is left, double forks included, and what a second launch makes of it."""
    total = scale.many + DOUBLE_FORKS
    with _many_with_double_forks(kind, scale) as life:
        everything = life.finder.all_living()
        begun = time.monotonic()
        life.kill_daemon()
        at = looks.wait_gone(everything, GRACE)
        left = len(life.finder.all_living())
        yield Finding(
            f"{total}: all gone after, ms",
            () if at is None else (1000 * (at - begun),),
            "" if at else "never",
            0,
        )
        yield Finding("left after 1 s", (float(left),), digits=0)
    with sleeping(kind, scale.many) as life:
        time.sleep(SETTLED)
        life.kill_daemon()
        yield Finding("launched again: living / wanted", word=_launched_again(life)[0])
    yield from _kept(kind, scale)


def _kept(kind: type[System], scale: Scale) -> Iterator[Finding]:
    what, after = "kept: living / wanted (the same)", "kept: taken over, s"
    if kind.keep is None:
        yield Finding(what, word="cannot keep")
        return
    with trial(kind) as life:
        life.configure([life.sleeper(index) for index in range(scale.many)])
        life.up(*kind.keep)
        time.sleep(SETTLED)
        life.kill_daemon()
        time.sleep(GRACE)
        word, spent = _launched_again(life, *kind.keep)
        yield Finding(what, word=word)
        yield Finding(after, spent)


def _launched_again(life: Trial, *options: str) -> tuple[str, tuple[float, ...]]:
    """What lives after a second launch, and how many are the same; seconds until it says that all run."""
    old = life.finder.all_living()
    spent: tuple[float, ...] = ()
    client = life.raw if life.system.client else None
    begun = life.launch(*options)
    if client is not None:
        client.say("await_all", count=life.programs)
        with contextlib.suppress(RawError):
            spent = (float(client.hear()) - begun,)
    else:
        looks.wait_for(lambda: life.finder.all_living() - old, PATIENCE / 4)
    life.settle()
    if life.daemon.poll() is not None:
        return f"refuses, {len(old)} live", ()
    now = life.finder.all_living()
    return f"{len(now)} / {life.count} ({len(now & old)} the same)", spent


@contextlib.contextmanager
def _many_with_double_forks(kind: type[System], scale: Scale) -> Iterator[Trial]:
    with trial(kind) as life:
        forking = [
            life.script(index, DOUBLE_FORK, index, scale.many + index) for index in range(DOUBLE_FORKS)
        ]
        plain = [life.sleeper(index) for index in range(DOUBLE_FORKS, scale.many)]
        life.configure([*forking, *plain], scale.many + DOUBLE_FORKS)
        life.up()
        time.sleep(SETTLED)
        yield life


def guardian(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """kill -9 of the programs' parent where that is not the system's first process, and of both."""
    for what, both in (("guardian killed", False), ("both killed at once", True)):
        with _many_with_double_forks(kind, scale) as life:
            guardians = life.guardians()
            if not guardians:
                yield Finding(f"{what}: left after 1 s", word="has none")
                continue
            old = life.finder.all_living()
            looks.kill({*guardians, life.daemon.pid} if both else guardians)
            looks.wait_gone(old, GRACE)
            yield Finding(f"{what}: left after 1 s", (float(sum(map(looks.is_alive, old))),), digits=0)
            if both:
                life.daemon.wait()
                yield Finding(f"{what}, launched again: living / wanted", word=_launched_again(life)[0])
            else:
                is_back = life.await_living(life.count, 2 * scale.watch)
                back = "all" if is_back else f"{len(life.finder.living())} of {life.count}"
                yield Finding(f"{what}: back", word=back)


def hung(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """SIGSTOP of a service: until its state is told in another word, and until it is replaced."""
    for what in ("program", "Python service"):
        with trial(kind) as life:
            is_python = what != "program"
            life.configure(PythonServices(1, life.work / "up") if is_python else [life.sleeper(0)])
            life.up()
            time.sleep(SETTLED)
            told, replaced, word = _noticed(life, scale.watch)
            never = f"not within {scale.watch:g}"
            yield Finding(f"{what}: told after s", told, word if told else f"{never}: {word}")
            yield Finding(f"{what}: replaced after s", replaced, "" if replaced else never)


def _noticed(life: Trial, watch: float) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Seconds until it is told, and until it is replaced, if ever; and the last word."""
    word = before = life.ask_state()
    told: tuple[float, ...] = ()
    old = life.finder.all_living()
    begun = time.monotonic()
    looks.kill(old, signal.SIGSTOP)
    while time.monotonic() < begun + watch:
        if life.finder.all_living() - old:
            return told, (time.monotonic() - begun,), word
        if not told and (word := life.ask_state()) != before:
            told = (time.monotonic() - begun,)
        time.sleep(looks.COARSE_STEP)
    return told, (), word


def crash_loop(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """A program that fails at once, again and again."""
    with trial(kind) as life:
        life.configure([life.script(0, "echo >> {work}/spawns\nexit 1"), life.sleeper(1)], 1)
        life.up()
        cpu, _, _ = use(life.daemons(), scale.watch)
        spawns = len((life.work / "spawns").read_text().splitlines())
        try:
            state = life.ask_state()
        except TrialError as error:
            state = str(error)
    yield Finding(f"starts in {scale.watch:g} s", (float(spawns),), digits=0, is_compared=False)
    yield Finding("CPU meanwhile, %", (cpu,))
    yield Finding("state told", word=state)


def flood(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """A program that writes to its standard output as fast as it can, into a log with rotation."""
    line = "0123456789" * 8
    with trial(kind) as life:
        life.configure([life.script(0, f"exec yes {line} {{0}}", 0, logged=True), life.sleeper(1)], 2)
        life.up()
        time.sleep(GRACE)
        writer = next(iter(life.finder.living()[0]))
        spent: list[float] = []
        before, begun = looks.written(writer), time.monotonic()
        if life.system.client:
            with contextlib.suppress(RawError):
                spent = life.raw.ask("status", "w1", 200)
        rest, daemons = max(0.5, scale.watch / 5 - (time.monotonic() - begun)), life.daemons()
        cpu, _, _ = use(daemons, rest)
        rate = (looks.written(writer) - before) / (time.monotonic() - begun) / 1e6
    yield Finding("taken, MB/s", (rate,), digits=0, more_is_better=True)
    yield Finding("CPU of the system, %", (cpu,), digits=0)
    yield Finding(
        "raw status meanwhile, p99 ms",
        milliseconds([percentile(spent, 0.99)]) if spent else (),
        "" if spent else "no raw client",
    )
