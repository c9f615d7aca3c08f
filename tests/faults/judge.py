"""What must hold after a fault, and what does not. Compares the model of who is wanted with what there is."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable

from context_bus.store.ahead import SUFFIX
from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.faults import looks
from tests.faults.actors import ACTORS, STAYING
from tests.faults.findings import Finding, Kind
from tests.faults.subject import Cast, Subject

#: Seconds for things to settle on a machine with far too much to do; a lost report costs 10 of them.
SETTLING = 25.0
#: States of a service that ends by itself, once it has.
AT_REST = ("", "defined", "waiting", "exited", "failed", "fatal", "stopped")
#: Numbers of events that one run of a provider has to itself.
RUN = 1_000_000_000
#: Seconds a child may stay unreaped.
REAPED = 1.0
#: Seconds until what happened must be in a store that is in order.
RECORDED = 5.0
#: Seconds in which descriptors that are in use for a moment are closed again.
CLOSED = 3.0


class Judge:
    """Keeps the model: whom somebody wants, whatever happens to them.

    Args:
        subject: Who is judged.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.wanted = {actor.id: True for actor in STAYING}
        #: Main process of each service when all was right last, and when it was born.
        self.mains: dict[str, tuple[int, int]] = {}
        #: All main processes that were ever seen.
        self._ever: set[tuple[int, int]] = set()
        #: Descriptors of provider and guardian when all was right for the first time, and kilobytes.
        self._first: dict[tuple[int, int], tuple[int, int]] = {}

    def settle(
        self, touched: Iterable[str] = ACTORS, *, timeout: float = SETTLING, has_store: bool = True
    ) -> list[Finding]:
        """Wait until all is as it must be; returns what is not, in the end.

        Args:
            touched: Services whose process may be another one than before.
            timeout: Seconds.
            has_store: Whether the store is in order.
        """
        found = _wait_for_none(self.look, timeout)
        if found:
            return found
        found = self._zombies() + self._replaced(set(touched))
        if has_store:
            found += _wait_for_none(self._rows, RECORDED)
        return found + _wait_for_none(self._descriptors, CLOSED)

    def look(self) -> list[Finding]:
        """What is not as it must be, now."""
        seen = looks.census(self._subject.mark)
        cast = self._subject.cast(seen)
        found = [*self._ports(cast, seen), *self._strangers(cast, seen)]
        for name in ACTORS:
            found += self._service(name, cast, seen)
        return found

    def _service(self, name: str, cast: Cast, seen: dict[int, looks.Seen]) -> list[Finding]:
        actor, pid = ACTORS[name], cast.services.get(name, 0)
        own = [one for one in seen.values() if one.service == name]
        mains = [one for one in own if one.is_main]
        if actor.ends and cast.states.get(name, "") not in AT_REST:
            return [Finding(Kind.STATE, f"{name} is still {cast.states.get(name)}")]
        if not self.wanted.get(name):
            return [Finding(Kind.ORPHAN, f"{name} is down, but there is {one}") for one in own]
        if len(mains) > 1:
            return [Finding(Kind.DOUBLED, f"{name}: {[one.pid for one in mains]}")]
        if cast.states.get(name) not in ("started", "updated") or pid not in seen:
            return [Finding(Kind.STATE, f"{name} is {cast.states.get(name)}, process {pid}")]
        if len(own) - len(mains) > actor.children:
            return [Finding(Kind.ORPHAN, f"{name}: {len(own)} processes: {own}")]
        if len(own) - len(mains) < actor.children:
            return [Finding(Kind.STATE, f"{name} lacks children: {own}")]
        return []

    def _strangers(self, cast: Cast, seen: dict[int, looks.Seen]) -> list[Finding]:
        known = {cast.provider, cast.guardian, cast.forwarder, *cast.writers, *cast.services.values()}
        if len(cast.writers) > 1 and not self._subject.manner.keeps:
            return [Finding(Kind.DOUBLED, f"writers: {cast.writers}")]
        for pid in cast.writers - {max(cast.writers, key=lambda pid: seen[pid].born, default=0)}:
            if not any("/logs/" in name for name in looks.descriptors(pid)):
                return [Finding(Kind.ORPHAN, f"writer {pid} of a provider that is gone has nothing to write")]
        return [
            Finding(Kind.ORPHAN, f"unknown {one}")
            for one in seen.values()
            if one.pid not in known and not one.service and not one.is_command
        ]

    def _ports(self, cast: Cast, seen: dict[int, looks.Seen]) -> list[Finding]:
        project = self._subject.project
        holders = {port: looks.listeners(port, seen) for port in (project.pub_port, project.sub_port)}
        return [
            Finding(Kind.LEAK, f"port {port} is held by {pids}, the forwarder is {cast.forwarder}")
            for port, pids in holders.items()
            if pids != [cast.forwarder]
        ]

    def _zombies(self) -> list[Finding]:
        cast = self._subject.cast(looks.census(self._subject.mark))
        parents = (cast.provider, cast.guardian)
        first = looks.zombies_of(parents)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not first & looks.zombies_of(parents), REAPED)
        return [Finding(Kind.ZOMBIE, str(pid)) for pid in first & looks.zombies_of(parents)]

    def _replaced(self, touched: set[str]) -> list[Finding]:
        """Services that nobody touched and that have another process all the same."""
        seen = looks.census(self._subject.mark)
        cast = self._subject.cast(seen)
        now = {
            name: (pid, seen[pid].born)
            for name, pid in cast.services.items()
            if self.wanted.get(name) and pid in seen
        }
        found = [
            Finding(Kind.STATE, f"{name} was {was}, is {now.get(name)}, and nobody touched it")
            for name, was in self.mains.items()
            if name not in touched and self.wanted.get(name) and now.get(name) != was
        ]
        self.mains = now
        self._ever.update(now.values())
        return found

    def _descriptors(self) -> list[Finding]:
        """Descriptors that provider and guardian have beyond those they had when all was up first."""
        if not all(self.wanted.values()):
            return []
        cast, found = self._subject.cast(looks.census(self._subject.mark)), []
        # One that has adopted services has a pipe more for each that it starts anew.
        has_adopted = self._subject.has_adopted
        for pid in (cast.guardian,) if has_adopted else (cast.provider, cast.guardian):
            now = looks.descriptors(pid)
            # A guardian holds the channel of each writer.
            key, size = (pid, len(cast.writers)), procs.rss(pid) // 1024
            first, _ = self._first.setdefault(key, (len(now), size))
            if len(now) > first:
                found.append(Finding(Kind.LEAK, f"{pid} had {first} descriptors, has {sorted(now)}"))
        return found

    def grown(self) -> int:
        """Kilobytes by which the provider has grown since all was right for the first time."""
        process = self._subject.process
        first = [size for (pid, _), (_, size) in self._first.items() if process and pid == process.pid]
        if process is None or not first:
            return 0
        with contextlib.suppress(OSError):
            return procs.rss(process.pid) // 1024 - min(first)
        return 0

    # -- records -------------------------------------------------------------------------------

    def wishes(self) -> list[Finding]:
        """Whether the store wants what was commanded."""
        rows = self.recorded_wishes()
        return [
            Finding(Kind.RECORD, f"{name} is recorded as {rows.get(name)!r}, wanted: {wanted}")
            for name, wanted in self.wanted.items()
            if (rows.get(name) == "up") is not wanted
        ]

    def recorded_wishes(self) -> dict[str, str]:
        """What is recorded as wanted, by service: in the store, and in the file that is ahead of it."""
        rows = self._query("select service_id, wanted from services")
        found = {str(name): str(wanted) for name, wanted in rows}
        ahead = self._subject.store.with_name(self._subject.store.name + SUFFIX)
        lines = ahead.read_bytes().split(b"\n")[:-1] if ahead.exists() else []
        for kind, change in (json.loads(line) for line in lines if line.startswith(b"[")):
            if kind == "Wanted":
                found[change["service_id"]] = change["wanted"]
        return found

    def _rows(self) -> list[Finding]:
        """Living processes without exactly one row that has no end."""
        rows = {
            (row[0], row[1]) for row in self._query("select pid, ticks from processes where ended_at is null")
        }
        return [
            Finding(Kind.RECORD, f"{name}, process {main[0]}, is not recorded as alive")
            for name, main in self.mains.items()
            if main not in rows
        ]

    def history(self) -> list[Finding]:
        """Whether, at the end of all, each process that was seen has one row, and an end."""
        rows = self._query("select id, pid, ticks, spawned_at, ended_at from processes")
        found = [Finding(Kind.RECORD, f"no end of {row[0]}, pid {row[1]}") for row in rows if not row[4]]
        found += [
            Finding(Kind.RECORD, f"{row[0]} ends first") for row in rows if row[4] and _less(row[4], row[3])
        ]
        known = [(row[1], row[2]) for row in rows]
        if len(set(known)) != len(known):
            found.append(Finding(Kind.RECORD, f"{len(known) - len(set(known))} processes have two rows"))
        found += [Finding(Kind.RECORD, f"no row of process {one}") for one in self._ever - set(known)]
        return found + self._events()

    def _events(self) -> list[Finding]:
        rows = [int(str(row[0])) for row in self._query("select sequence from events order by sequence")]
        gaps = [
            (one, other)
            for one, other in itertools.pairwise(rows)
            if other != one + 1 and one // RUN == other // RUN
        ]
        return [Finding(Kind.RECORD, f"events between {one} and {other} are lost") for one, other in gaps]

    def _query(self, statement: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self._subject.store, timeout=5.0)) as connection:
            try:
                return connection.execute(statement).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # it is made when there is time, or by the next provider
                    return []
                raise


def _less(one: object, other: object) -> bool:
    return float(str(one)) < float(str(other))


def _wait_for_none(look: Callable[[], list[Finding]], timeout: float) -> list[Finding]:
    """Look until nothing is found; returns what is, in the end."""
    last: list[Finding] = []

    def is_right() -> bool:
        last[:] = look()
        return not last

    with contextlib.suppress(AssertionError):
        wait_until(is_right, timeout)
    return last
