"""Counters of the bus that only go up, and are not more than somebody can keep. Pure.

What nodes tell begins at nothing with each of their processes, and is forgotten a minute after they have
gone. Who adds it up over months needs totals that go on, under names that are the same after a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from context_bus.view.owners import Owners
from context_bus.view.snapshot import Snapshot

#: Topics of senders that are told apart; all that come later are one.
MOST = 1_000
#: What later ones are called.
REST = "(rest)"
#: Publishers that are remembered, those that were seen last.
REMEMBERED = 8_192


class Names(NamedTuple):
    """What is told apart."""

    topic: str
    sender: str
    transaction: str


class Counts(NamedTuple):
    """What is counted of it."""

    messages: int = 0
    bytes: int = 0
    lost: int = 0
    rejected: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def since(self, before: Counts) -> Counts:
        """What came since; all of it if the counting has begun anew."""
        pairs = zip(self, before, strict=True)
        return Counts(*(now - then if now >= then else now for now, then in pairs))


class Counting:
    """Adds up."""

    def __init__(self) -> None:
        self._totals: dict[Names, Counts] = {}
        self._last: OrderedDict[tuple[str, str], Counts] = OrderedDict()

    def take(self, snapshot: Snapshot) -> None:
        """Take in what is known now."""
        owners = Owners(snapshot)
        for row in snapshot.bus:
            key = row.topic, row.sender
            counts = Counts(row.messages, row.bytes, row.lost, row.rejected)
            before = self._last.get(key)
            came = counts.since(before or Counts())
            self._last[key] = counts
            self._last.move_to_end(key)
            if before is not None and not row.sender and not row.rate:
                # Publishers of long ago are summed up under no name; they were counted under their own.
                came = Counts(lost=came.lost, rejected=came.rejected)
            self._add(Names(row.topic, *owners.of(row)), came)
        while len(self._last) > REMEMBERED:
            self._last.popitem(last=False)

    def totals(self) -> Iterator[tuple[Names, Counts]]:
        """All totals."""
        yield from self._totals.items()

    def _add(self, names: Names, came: Counts) -> None:
        if names not in self._totals and len(self._totals) >= MOST:
            names = Names(REST, REST, "")
        self._totals[names] = self._totals.get(names, Counts()).plus(came)
