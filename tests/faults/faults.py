"""The faults: each is done to a subject, and says what must be different afterwards. Must not judge."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial

from tests.faults import looks
from tests.faults.actors import ACTORS, BEAT, ENDING
from tests.faults.events import Event
from tests.faults.findings import Finding, Kind, Tally
from tests.faults.judge import Judge
from tests.faults.subject import Cast, Subject

#: Heartbeats after whose time a hung service must be noticed, as the reference says.
PERIODS = 2.5
#: Seconds by which a busy machine may be late with that.
LATE = 2.0
#: States at whose beginning something is killed.
STATES = ("stopping", "stopped", "starting", "started")


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

    def cast(self) -> Cast:
        """Who is who now."""
        return self.subject.cast(looks.census(self.subject.mark))

    def service(self) -> list[Finding]:
        """Kill the main process of a service."""
        cast = self.cast()
        name = self.rng.choice([name for name, wanted in self.judge.wanted.items() if wanted])
        _kill(cast.services.get(name, 0))
        if not ACTORS[name].returns:
            self.judge.wanted[name] = False
        return []

    def child(self) -> list[Finding]:
        """Kill a service together with one of its children; the others must not outlive it."""
        cast = self.cast()
        _kill(self.rng.choice([one.pid for one in self._children("family")] or [0]))
        _kill(cast.services.get("family", 0))
        return []

    def _children(self, name: str) -> list[looks.Seen]:
        seen = looks.census(self.subject.mark).values()
        return [one for one in seen if one.service == name and not one.is_main]

    def forwarder(self) -> list[Finding]:
        """Kill the forwarder."""
        return self._kill_and_wait(self.cast().forwarder, "respawned")

    def _kill_and_wait(self, pid: int, state: str) -> list[Finding]:
        events = self.subject.events
        assert events is not None
        since = events.now
        _kill(pid)
        if events.wait(lambda event: event.get("state") == state, since) is None:
            return [Finding(Kind.STATE, f"the forwarder {pid} was killed and not {state}")]
        return []

    def writer(self) -> list[Finding]:
        """Kill the writer of outputs."""
        _kill(self.cast().writer)
        return []

    def guardian(self) -> list[Finding]:
        """Kill the guardian: what returns by its policy comes back under the next one."""
        found = self._kill_and_wait(self.cast().guardian, "respawned")
        for name in self.judge.wanted:
            self.judge.wanted[name] = self.judge.wanted[name] and ACTORS[name].returns
        return found

    def provider(self) -> list[Finding]:
        """Kill the provider; nothing is left, and the next one brings back what was wanted."""
        took = self.subject.kill()
        self.tally.took("kill -9 of the provider until nothing is left", took)
        left = looks.census(self.subject.mark)
        found = [Finding(Kind.ORPHAN, f"outlives its provider: {one}") for one in left.values()]
        if not self.subject.project.ports_free():
            found.append(Finding(Kind.LEAK, "ports are held after the end of the provider"))
        return found + self._again()

    def both(self) -> list[Finding]:
        """Kill provider and guardian at once; the next provider ends what they left."""
        self.subject.kill(self.cast().guardian)
        return self._again()

    def _again(self) -> list[Finding]:
        found = self.judge.wishes()
        self.subject.start()
        return found

    def change(self) -> list[Finding]:
        """Restart a service, and kill it, or the provider, at a change of its state."""
        subject, events = self.subject, self.subject.events
        assert events is not None
        name = self.rng.choice([name for name in self.judge.wanted if ACTORS[name].returns])
        state, since = self.rng.choice(STATES), events.now
        subject.send("restart", [name])
        event = events.wait(
            lambda event: event.get("service_id") == name and event.get("new") == state, since, 5.0
        )
        victim = self.rng.choice(("service", "provider", "both"))
        if victim == "service":
            _kill(int((event or {}).get("pid") or 0))
            return []
        return self.provider() if victim == "provider" else self.both()

    def frozen(self) -> list[Finding]:
        """Stop a service that has no heartbeat; it is shown as frozen until it goes on."""
        events, pid = self.subject.events, self.cast().services.get("steady", 0)
        assert events is not None
        found = []
        for number, is_frozen in ((signal.SIGSTOP, True), (signal.SIGCONT, False)):
            since = events.now
            os.kill(pid, number)
            shown = partial(_is_shown, is_frozen=is_frozen)
            if events.wait(shown, since, 5.0) is None:
                found.append(Finding(Kind.STATE, f"{number.name} of {pid} is not shown"))
        return found

    def hung(self) -> list[Finding]:
        """Stop a service that has a heartbeat; it is noticed in time, and restarted."""
        events, cast = self.subject.events, self.cast()
        assert events is not None
        since, pid = events.now, cast.services.get("beating", 0)
        os.kill(pid, signal.SIGSTOP)
        event = events.wait(
            lambda event: event.get("service_id") == "beating" and event.get("new") == "stopping",
            since,
            PERIODS * BEAT + LATE,
        )
        return [] if event else [Finding(Kind.STATE, f"beating, {pid}, hangs and is not noticed")]

    def hostile(self) -> list[Finding]:
        """Start a service that misbehaves; it ends as its policy says, and leaves nothing."""
        events = self.subject.events
        assert events is not None
        actor, since = self.rng.choice(ENDING), events.now
        self.subject.send("start", [actor.id])
        event = events.wait(
            lambda event: event.get("service_id") == actor.id and event.get("new") == actor.ends, since
        )
        return [] if event else [Finding(Kind.STATE, f"{actor.id} does not become {actor.ends}")]

    def clients(self) -> list[Finding]:
        """Send what no client should: garbage, a megabyte, an unknown version."""
        noise = self.rng.randbytes(200)
        for frame in (b"context @@@ " + noise, noise, b"context @@@ " + b"x" * 1_000_000, b"context @@@ {}"):
            self.subject.wire.raw(frame)
        self.subject.wire.send("context", {"version": 99, "header": {"action": ["start"]}, "content": 7})
        return []

    def locked(self) -> list[Finding]:
        """Hold the store locked while a service is killed; nothing waits for it, and nothing is lost."""
        with contextlib.closing(sqlite3.connect(self.subject.store, timeout=5.0)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            self.service()
            found = self.judge.settle()
            connection.rollback()
        return found


def _is_shown(event: Event, *, is_frozen: bool) -> bool:
    return event.get("is_frozen") is is_frozen


def _kill(pid: int) -> None:
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


#: Faults by name, in families.
FAMILIES: Mapping[str, Mapping[str, Callable[[Hand], list[Finding]]]] = {
    "kill": {
        "kill service": Hand.service,
        "kill service and child": Hand.child,
        "kill forwarder": Hand.forwarder,
        "kill writer": Hand.writer,
        "kill guardian": Hand.guardian,
        "kill provider": Hand.provider,
        "kill provider and guardian": Hand.both,
        "kill at a state change": Hand.change,
    },
    "freeze": {"stop service": Hand.frozen, "stop service with heartbeat": Hand.hung},
    "services": {"hostile service": Hand.hostile},
    "clients": {"hostile client": Hand.clients},
    "exhaustion": {"locked store": Hand.locked},
}
