"""What must hold after a fault, and what does not. Compares the model of who is wanted with what there is."""

from __future__ import annotations

import contextlib
import sqlite3

from context_bus.testing.wait import wait_until
from tests.faults import looks
from tests.faults.actors import ACTORS, STAYING
from tests.faults.findings import Finding, Kind
from tests.faults.subject import Cast, Subject

#: Seconds for things to settle on a machine with far too much to do; a lost report costs 10 of them.
SETTLING = 25.0
#: Seconds a child may stay unreaped.
REAPED = 1.0


class Judge:
    """Keeps the model: whom somebody wants, whatever happens to them.

    Args:
        subject: Who is judged.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.wanted = {actor.id: True for actor in STAYING}

    def settle(self, timeout: float = SETTLING) -> list[Finding]:
        """Wait until all is as it must be; returns what is not, in the end."""
        last: list[Finding] = []

        def is_right() -> bool:
            last[:] = self.look()
            return not last

        with contextlib.suppress(AssertionError):
            wait_until(is_right, timeout)
        return last or self._zombies()

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
        known = {cast.provider, cast.guardian, cast.forwarder, cast.writer, *cast.services.values()}
        return [
            Finding(Kind.ORPHAN, f"unknown {one}")
            for one in seen.values()
            if one.pid not in known and not one.service
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

    # -- records -------------------------------------------------------------------------------

    def remembered(self) -> None:
        """Wait until the first start is in the store; until then a kill may lose it."""

        def is_there() -> bool:
            return self._subject.store.exists() and not self.wishes()

        wait_until(is_there, SETTLING, "the store remembers what was started")

    def wishes(self) -> list[Finding]:
        """Whether the store wants what was commanded."""
        try:
            rows = dict(self._query("select service_id, wanted from services"))
        except sqlite3.OperationalError as error:
            return [Finding(Kind.RECORD, f"the store cannot be read: {error}")]
        return [
            Finding(Kind.RECORD, f"{name} is recorded as {rows.get(name)!r}, wanted: {wanted}")
            for name, wanted in self.wanted.items()
            if (rows.get(name) == "up") is not wanted
        ]

    def history(self, is_over: bool) -> list[Finding]:
        """Whether each process has one row, and an end unless it lives."""
        rows = self._query("select id, pid, ticks, spawned_at, ended_at from processes")
        found = []
        if is_over:
            found += [Finding(Kind.RECORD, f"no end of {row[0]}, pid {row[1]}") for row in rows if not row[4]]
        found += [Finding(Kind.RECORD, f"{row[0]} ends first") for row in rows if row[4] and row[4] < row[3]]
        once = {(row[1], row[2]) for row in rows}
        if len(once) != len(rows):
            found.append(Finding(Kind.RECORD, f"{len(rows) - len(once)} processes have two rows"))
        return found

    def _query(self, statement: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self._subject.store, timeout=5.0)) as connection:
            return connection.execute(statement).fetchall()
