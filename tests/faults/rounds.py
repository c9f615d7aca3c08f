"""Rounds: one provider each, some faults in a row, a look after each. Wires the parts together."""

from __future__ import annotations

import json
import random
import tempfile
import time
from pathlib import Path

from context_bus.testing.wait import wait_until
from tests.faults import looks
from tests.faults.faults import faults_for
from tests.faults.findings import Finding, Kind, Tally
from tests.faults.hand import Hand
from tests.faults.judge import Judge
from tests.faults.subject import TRANSACTION, Manner, Subject

#: Faults in one round.
IN_ROUND = 20
#: How providers are run, in turn.
MANNERS = (Manner(), Manner(keeps=True), Manner(is_poor=True))
#: How often what nobody brings back is started again by command before the next fault.
BRING_BACK = 0.5
#: Events that are shown of a round with findings.
SHOWN = 60


def play(seed: str, number: int, family: str, tally: Tally, faults: int = IN_ROUND) -> None:
    """Play one round; the same seed and number decide the same.

    Raises:
        AssertionError: The provider does not come up at all.
    """
    rng = random.Random(f"{seed}/{number}")
    manner = MANNERS[2] if family == "exhaustion" else MANNERS[number % len(MANNERS)]
    directory = Path(tempfile.mkdtemp(prefix="faults-"))
    subject = Subject(directory, manner)
    try:
        subject.start(f"--start={TRANSACTION}")
        _Round(subject, rng, tally, f"seed {seed} round {number}").play(family, faults)
    finally:
        subject.close()


class _Round:
    """One round.

    Args:
        subject: Who suffers.
        rng: Decides.
        tally: Counts.
        where: Name of the round.
    """

    def __init__(self, subject: Subject, rng: random.Random, tally: Tally, where: str) -> None:
        self._subject, self._rng, self._tally, self._where = subject, rng, tally, where
        self._judge = Judge(subject)
        self._hand = Hand(subject, self._judge, rng, tally)

    def play(self, family: str, faults: int) -> None:
        """Inject faults until one leaves something wrong: what comes after would find it again and again."""
        choice = faults_for(self._subject, family)
        if self._is_wrong("start", self._judge.settle()):
            return
        for _ in range(faults):
            name = self._rng.choice(list(choice))
            self._tally.injected[name] += 1
            self._hand.begin()
            try:
                found = choice[name](self._hand)
                found += self._judge.settle(self._hand.touched)
            except (AssertionError, OSError) as error:
                found = [Finding(Kind.STATE, f"{type(error).__name__}: {error}")]
            if self._is_wrong(name, found):
                return
            self._tally.recovered(name, time.monotonic() - self._hand.done_at)
            self._bring_back()
        self._tally.grown.append(self._judge.grown())
        self._is_wrong("end", self._end())

    def _is_wrong(self, name: str, found: list[Finding]) -> bool:
        self._tally.note(name, self._where, found)
        if found:
            events = self._subject.events
            told = [json.dumps(event)[:400] for event in events.seen[-SHOWN:]] if events else []
            self._tally.details += [*told, self._subject.tail()]
        return bool(found)

    def _bring_back(self) -> None:
        """Start again, by command and not each time, what no policy brings back."""
        wanted = self._judge.wanted
        down = [name for name, is_wanted in wanted.items() if not is_wanted]
        if down and (all(name in down for name in wanted) or self._rng.random() < BRING_BACK):
            # Not every one is up in the end: some have failed, and only ``restart`` starts these.
            self._subject.services()
            self._subject.ask("restart", down)
            wanted.update(dict.fromkeys(down, True))
            if self._is_wrong("bring back", self._judge.settle(down)):
                raise AssertionError(f"{down} do not come back")

    def _end(self) -> list[Finding]:
        subject = self._subject
        code = subject.end()
        if code is None:
            return [Finding(Kind.STATE, f"does not end on SIGTERM:\n{subject.tail()}")]
        found = self._judge.history()
        try:
            wait_until(lambda: not looks.census(subject.mark), 1.0)
        except AssertionError:
            left = looks.census(subject.mark).values()
            found += [Finding(Kind.ORPHAN, f"outlives the end: {one}") for one in left]
        if not subject.project.ports_free():
            found.append(Finding(Kind.LEAK, "ports are held after the end"))
        return found + [Finding(Kind.LEAK, str(path)) for path in subject.state.rglob("*.sock")]
