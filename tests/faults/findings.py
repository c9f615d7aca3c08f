"""What was found wrong, by kind, and how the kinds are counted. Knows nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Columns of the table."""

    ORPHAN = "orphans"  # a process that nobody is to have
    ZOMBIE = "zombies"  # a child that was not reaped for a second
    DOUBLED = "doubled"  # a second process of one instance
    LEAK = "leaks"  # a port, socket file or descriptor that nobody needs any more
    RECORD = "records"  # a row of the store that is missing, twice, without end, or not as commanded
    STATE = "states"  # a service that is not what its policy and the commands make of it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    what: str


@dataclass(slots=True)
class Tally:
    """What a run comes to.

    Args:
        injected: How often each fault was injected.
        found: What was found after each fault, by kind.
        details: Where and what, one line each.
        seconds: Measured times by what was measured.
        recovery: By fault, the seconds from its injection until all was as it must be again.
        grown: Kilobytes by which each provider grew from its first minute to its last.
    """

    injected: Counter[str] = field(default_factory=Counter)
    found: dict[str, Counter[Kind]] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    recovery: dict[str, list[float]] = field(default_factory=dict)
    grown: list[int] = field(default_factory=list)

    def note(self, fault: str, where: str, findings: list[Finding]) -> None:
        """Count what was found after a fault."""
        self.found.setdefault(fault, Counter()).update(finding.kind for finding in findings)
        self.details += [f"{where} {fault}: {finding.kind}: {finding.what}" for finding in findings]

    def took(self, what: str, seconds: float) -> None:
        """Keep a measured time."""
        self.seconds.setdefault(what, []).append(seconds)

    def recovered(self, fault: str, seconds: float) -> None:
        """Keep how long it took until all was right again."""
        self.recovery.setdefault(fault, []).append(seconds)

    def add(self, other: Mapping[str, Any]) -> None:
        """Add another run, as it was written to JSON."""
        self.injected.update(other["injected"])
        for fault, counts in other["found"].items():
            found = {Kind(kind): number for kind, number in counts.items()}
            self.found.setdefault(fault, Counter()).update(found)
        for own, more in ((self.seconds, other["seconds"]), (self.recovery, other["recovery"])):
            for what, times in more.items():
                own.setdefault(what, []).extend(times)
        self.details += other["details"]
        self.grown += other["grown"]

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all was wrong."""
        return not self.details
