"""Rounds: one provider each, some faults in a row, a look after each. Wires the parts together."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from context_bus.testing.wait import wait_until
from tests.faults import looks
from tests.faults.actors import ACTORS
from tests.faults.faults import FAMILIES, Hand
from tests.faults.findings import Finding, Kind, Tally
from tests.faults.judge import Judge
from tests.faults.subject import TRANSACTION, Manner, Subject

#: Faults in one round.
IN_ROUND = 12


def play(seed: str, number: int, family: str, tally: Tally, faults: int = IN_ROUND) -> None:
    """Play one round; the same seed and number decide the same.

    Raises:
        AssertionError: The provider does not come up at all.
    """
    rng = random.Random(f"{seed}/{number}")
    choice = [name for key, group in FAMILIES.items() if family in ("", key) for name in group]
    doing = {name: do for group in FAMILIES.values() for name, do in group.items()}
    where = f"seed {seed} round {number}"
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        subject = Subject(Path(directory), Manner())
        try:
            subject.start(f"--start={TRANSACTION}")
            judge = Judge(subject)
            hand = Hand(subject, judge, rng, tally)
            tally.note("start", where, judge.settle())
            judge.remembered()
            for _ in range(faults):
                name = rng.choice(choice)
                tally.injected[name] += 1
                try:
                    found = [*doing[name](hand), *judge.settle()]
                except (AssertionError, OSError) as error:
                    found = [Finding(Kind.STATE, str(error))]
                tally.note(name, where, found)
                if found:
                    tally.details.append(subject.tail())
                    return  # what comes after would be found again and again
                _bring_back(subject, judge)
            tally.note("end", where, _end(subject, judge))
        finally:
            subject.close()


def _bring_back(subject: Subject, judge: Judge) -> None:
    """Start again, by command, what no policy brings back."""
    down = [name for name, wanted in judge.wanted.items() if not wanted and not ACTORS[name].ends]
    if down and subject.ask("start", down):
        for name in down:
            judge.wanted[name] = True


def _end(subject: Subject, judge: Judge) -> list[Finding]:
    code = subject.end()
    if code is None:
        return [Finding(Kind.STATE, f"does not end on SIGTERM:\n{subject.tail()}")]
    found = judge.history(is_over=True)
    try:
        wait_until(lambda: not looks.census(subject.mark), 1.0)
    except AssertionError:
        left = looks.census(subject.mark).values()
        found += [Finding(Kind.ORPHAN, f"outlives the end: {one}") for one in left]
    if not subject.project.ports_free():
        found.append(Finding(Kind.LEAK, "ports are held after the end"))
    return found + [Finding(Kind.LEAK, str(path)) for path in subject.state.rglob("*.sock")]
