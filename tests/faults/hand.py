"""The hand that does things to a provider: who is there, who is hit, what was touched. Must not judge."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

from tests.faults import looks
from tests.faults.actors import ACTORS
from tests.faults.events import Events
from tests.faults.findings import Finding, Kind, Tally
from tests.faults.judge import Judge
from tests.faults.subject import Cast, Subject

#: Last answers to a command.
FINAL = ("rejected", "done", "failed")


class Hand:
    """Does things to a subject.

    Args:
        subject: To whom.
        judge: Keeps the model.
        rng: Decides what is left to chance.
        tally: Takes measured times.
    """

    def __init__(self, subject: Subject, judge: Judge, rng: random.Random, tally: Tally) -> None:
        self.subject, self.judge, self.rng, self.tally = subject, judge, rng, tally
        #: Services that what was done may still reach during the next fault.
        self.later: set[str] = set()
        self.begin()

    def begin(self) -> None:
        """A new fault begins."""
        #: Services whose process may be replaced by what was done.
        self.touched, self.later = self.later, set()
        #: When it was done.
        self.done_at = time.monotonic()

    @property
    def events(self) -> Events:
        """What the provider says."""
        assert self.subject.events is not None
        return self.subject.events

    def cast(self) -> Cast:
        """Who is who now."""
        return self.subject.cast(looks.census(self.subject.mark))

    def strike(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; the fault is done by that."""
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        self.done_at = time.monotonic()

    def pick(self, *, returning: bool = False) -> str:
        """A service that is up; at will only one that comes back when it is killed."""
        up = [name for name, wanted in self.judge.wanted.items() if wanted]
        return self.rng.choice([name for name in up if ACTORS[name].returns or not returning])

    def kill_service(self, name: str) -> None:
        """Kill the main process of a service."""
        self.touched.add(name)
        self.strike(self.cast().services.get(name, 0))
        if not ACTORS[name].returns:
            self.judge.wanted[name] = False

    def wait_answers(self, requests: list[str]) -> list[Finding]:
        """Wait until commands have come to their end."""
        found = []
        for request in requests:
            try:
                self.subject.wire.wait_for(
                    lambda seen, request=request: (
                        seen.header.get("request_id") == request and seen.action in FINAL
                    ),
                    "the end of a command",
                )
            except AssertionError as error:
                found.append(Finding(Kind.STATE, str(error)[:500]))
        return found

    def children(self, name: str) -> list[int]:
        """Processes that a service has started."""
        seen = looks.census(self.subject.mark).values()
        return [one.pid for one in seen if one.service == name and not one.is_main]

    def all_ended(self) -> None:
        """All services end, by the death of who is above them, and return if their policies say so."""
        self.touched.update(ACTORS)
        for name, wanted in self.judge.wanted.items():
            self.judge.wanted[name] = wanted and ACTORS[name].returns

    def wait_forwarder(self, since: int, state: str = "respawned") -> list[Finding]:
        """Wait until something is said of the forwarder."""
        if self.events.wait(lambda event: event.get("state") == state, since) is None:
            return [Finding(Kind.STATE, f"the forwarder was not {state}")]
        return []

    def kill_provider(self, *others: int) -> list[Finding]:
        """Kill the provider, and others with it; nothing is left that is not to be."""
        if not self.subject.manner.keeps:
            self.touched.update(ACTORS)
        self.done_at = time.monotonic()
        took = self.subject.kill(*others)
        if self.subject.manner.keeps or others:
            return []
        self.tally.took("kill -9 of the provider until nothing is left", took)
        left = looks.census(self.subject.mark).values()
        found = [Finding(Kind.ORPHAN, f"outlives its provider: {one}") for one in left if not one.is_command]
        if not self.subject.project.ports_free():
            found.append(Finding(Kind.LEAK, "ports are held after the end of the provider"))
        return found

    def next_provider(self) -> list[Finding]:
        """Start the next provider on the same file; the store knew what was wanted."""
        found = self.judge.wishes()
        self.subject.start()
        return found
