"""Rows about control: what a query and a command cost, and who waits for whom."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from tests.benchmarks import supervise_looks as looks
from tests.benchmarks.supervise_findings import Finding, Scale
from tests.benchmarks.supervise_raw import Raw, RawError
from tests.benchmarks.supervise_rows_speed import SETTLED, kill_and_await
from tests.benchmarks.supervise_systems import HOME, System, name_of
from tests.benchmarks.supervise_trial import PATIENCE, Trial, TrialError, sleeping, trial

#: Somebody who has no rights: ``nobody`` on most systems.
NOBODY = 65534
#: Seconds a stubborn neighbour takes to stop.
NEIGHBOUR_STOPS = 5.0
#: Seconds after which a program that does not end is killed.
STOP_TIMEOUT = 2.0


def milliseconds(seconds: list[float]) -> tuple[float, ...]:
    """The same in the unit of the table."""
    return tuple(1000 * each for each in seconds)


def percentile(samples: list[float], share: float) -> float:
    """The sample below which a share of them lies."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def raw(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """Calls over one open connection, without a command line."""
    lines = (
        "status, p50 ms",
        "status, p99 ms",
        f"status of all {scale.many}, p50 ms",
        "connect and status, ms",
        "restart, ms",
    )
    with sleeping(kind, scale.many) as life:
        time.sleep(SETTLED)
        try:
            client = life.raw
            client.ask("status", count=20)
            status = client.ask("status", count=scale.calls)
            everything = client.ask("status_all", count=scale.calls // 3)
            connects = [client.ask("connect")[0] for _ in range(10)]
            restarts = client.ask("restart", "w1", count=8)
        except (TrialError, RawError) as error:
            yield from (Finding(line, word=str(error)[:60]) for line in lines)
            return
    figures = (
        [percentile(status, 0.5)],
        [percentile(status, 0.99)],
        [percentile(everything, 0.5)],
        connects,
        restarts,
    )
    for line, figure in zip(lines, figures, strict=True):
        yield Finding(line, milliseconds(figure))


def command_line(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """Whole processes of the command line: until they return, and until what they command was seen."""
    verbs = ("status", "stop", "start", "restart")
    spent: dict[str, list[float]] = {verb: [] for verb in verbs}
    seen: dict[str, list[float]] = {verb: [] for verb in verbs}
    word = ""
    with sleeping(kind, scale.many) as life:
        time.sleep(SETTLED)
        try:
            for number in range(scale.commands):
                for verb in verbs:
                    returned, effect = _command(life, verb, number)
                    spent[verb].append(returned)
                    seen[verb].append(effect)
                    time.sleep(0 if verb == "status" else SETTLED)
        except TrialError as error:
            word = str(error)
    for verb in verbs:
        yield Finding(
            f"{verb} returns, ms", milliseconds(spent[verb]), word if not spent[verb] else "", digits=0
        )
    effects = {"stop": "gone", "start": "there", "restart": "new one there"}
    for verb, effect_word in effects.items():
        yield Finding(f"{verb}: {effect_word}, ms", milliseconds(seen[verb]), digits=0)


def _command(life: Trial, verb: str, index: int) -> tuple[float, float]:
    old = life.finder.look().get(index, set())
    effects = {
        "status": lambda: True,
        "stop": lambda: not any(looks.is_alive(pid) for pid in old),
        "start": lambda: life.finder.look().get(index, set()) - old,
        "restart": lambda: life.finder.look().get(index, set()) - old,
    }
    return life.run(verb, index, effects[verb])


@contextlib.contextmanager
def stopping(life: Trial, index: int) -> Iterator[None]:
    """While a stubborn program is being stopped, from the moment it was told."""
    process = life.command("stop", index)
    try:
        if life.await_told(index, NEIGHBOUR_STOPS) is None:
            raise TrialError("the neighbour was never told to stop")
        yield
    finally:
        process.kill()
        process.wait()


def neighbours(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """What happens to one program while another takes 5 s to stop."""
    restart, respawn = "restart of a neighbour meanwhile, ms", "respawn of a neighbour meanwhile, ms"
    try:
        with _beside_a_stubborn_one(kind) as life, stopping(life, 0):
            old = life.finder.look().get(1, set())
            begun = time.monotonic()
            life.raw.ask("restart", name_of(1)) if life.system.client else life.run("restart", 1)
            at = looks.wait_for(lambda: life.finder.look().get(1, set()) - old, PATIENCE)
            yield Finding(
                restart, () if at is None else (1000 * (at - begun),), "" if at else "never", digits=1
            )
    except (TrialError, RawError) as error:
        yield Finding(restart, word=_short(error))
    try:
        with _beside_a_stubborn_one(kind) as life, stopping(life, 0):
            yield Finding(respawn, (1000 * kill_and_await(life, 1, PATIENCE),), digits=1)
    except TrialError as error:
        yield Finding(respawn, word=_short(error))


@contextlib.contextmanager
def _beside_a_stubborn_one(kind: type[System]) -> Iterator[Trial]:
    with trial(kind) as life:
        life.configure([life.stubborn(0, -1, NEIGHBOUR_STOPS), life.sleeper(1)])
        life.up()
        life.await_ready(0)
        time.sleep(SETTLED)
        if life.system.client:
            life.raw.ask("status")  # connects, so that only the command is measured
        yield life


def stop_timeout(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """A program that does not end when told, with a stop timeout of 2 s: from being told to its end."""
    what = "told to killed, timeout 2 s"
    spent = []
    for _ in range(scale.runs):
        with trial(kind) as life:
            life.configure([life.stubborn(0, -1, STOP_TIMEOUT)])
            life.up()
            life.await_ready(0)
            time.sleep(SETTLED)
            old = life.finder.all_living()
            process = life.command("stop")
            told = life.await_told(0, PATIENCE)
            gone = looks.wait_gone(old, 10 * STOP_TIMEOUT)
            process.kill()
            process.wait()
            if told is None or gone is None:
                yield Finding(what, word="never told" if told is None else "never killed")
                return
            spent.append(gone - told)
    yield Finding(f"{what}, s", tuple(spent), digits=3)


def strangers(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """A raw client without credentials, run by another user of this machine."""
    what = "restart by a user without rights"
    if os.getuid() != 0:
        yield Finding(what, word="needs root to try")
        return
    with sleeping(kind, 1) as life:
        time.sleep(SETTLED)
        system, old = life.system, life.finder.all_living()
        if not system.client:
            yield Finding(what, word="no raw client")
            return
        with Raw(system.python, system.client, system.address(), HOME) as client:
            client.ask("become", count=NOBODY)
            reason = ""
            try:
                client.ask("restart")
            except RawError as error:
                reason = str(error)
        obeyed = looks.wait_for(lambda: life.finder.all_living() - old, 1.0) is not None
        yield Finding(what, word="obeyed" if obeyed else f"refused: {reason}"[:40])


def events(kind: type[System], scale: Scale) -> Iterator[Finding]:
    """A listener that is away while a program is restarted three times, and comes back: what it missed."""
    what = "events lost of 3"
    with sleeping(kind, 1) as life:
        if not life.system.listener:
            yield Finding(what, word=life.system.no_listener)
            return
        time.sleep(SETTLED)
        system = life.system
        with Raw(system.python, system.listener, system.address(), HOME) as listener:
            listener.ask("listen")
            listener.ask("leave")
            for _ in range(3):
                life.run("restart", 0)
                time.sleep(SETTLED)
            heard = listener.ask("count")
        yield Finding(what, (float(3 - heard),), digits=0)


def _short(error: Exception) -> str:
    return str(error).partition(":")[2].strip()[:60] or str(error)[:60]
