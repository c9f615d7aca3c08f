"""What a row of the supervision benchmark found, and how it is shown beside the others.

Pure: neither starts nor looks at anything.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.benchmarks.supervise_systems import System


@dataclass(frozen=True, slots=True)
class Finding:
    """One cell of the table.

    Args:
        what: The line it stands on; names the unit.
        samples: Figures, if it is one.
        word: What to show instead of a figure, or behind it.
        digits: How many digits behind the point.
        is_compared: Whether a ratio to the best peer means something: less is better then.
        more_is_better: The other way round.
    """

    what: str
    samples: tuple[float, ...] = ()
    word: str = ""
    digits: int = 2
    is_compared: bool = True
    more_is_better: bool = False

    @property
    def median(self) -> float | None:
        """The middle of the samples."""
        return statistics.median(self.samples) if self.samples else None

    def text(self) -> str:
        """The cell as shown: median, worst of several, word."""
        if not self.samples:
            return self.word
        shown = f"{self.median:,.{self.digits}f}"
        if len(self.samples) > 1:
            worst = min(self.samples) if self.more_is_better else max(self.samples)
            shown += f" / {worst:,.{self.digits}f}"
        return f"{shown} {self.word}".strip()


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything.

    Args:
        counts: Programs of the launches.
        many: Programs of the rows with many.
        huge: Programs of the row with more than many; 0 leaves it out.
        runs: Repetitions of what takes seconds.
        kills: Processes killed one by one.
        rest: Seconds after a launch until what it stirred up has settled.
        idle: Seconds of rest that are measured.
        watch: Seconds a system is watched for something that may never come.
        calls: Calls of a raw client.
        commands: Runs of the command line, of each command.
        restarts: Restarts of the row that looks for leaks.
        restart_time: Seconds after which that row is cut short.
    """

    counts: tuple[int, ...] = (1, 50, 200)
    many: int = 200
    huge: int = 1000
    runs: int = 3
    kills: int = 50
    rest: float = 6.0
    idle: float = 20.0
    watch: float = 15.0
    calls: int = 300
    commands: int = 8
    restarts: int = 10_000
    restart_time: float = 120.0

    def with_restarts(self, restarts: int) -> Scale:
        """The same with another number of restarts, all of which are made."""
        return replace(self, restarts=restarts, restart_time=math.inf)


#: Everything once, in less than three minutes for one system.
QUICK = Scale(
    counts=(1, 200),
    huge=0,
    runs=1,
    kills=15,
    rest=2.0,
    idle=4.0,
    watch=6.0,
    calls=100,
    commands=2,
    restarts=300,
    restart_time=5.0,
)

#: A row: what it found about a system.
Row = Callable[[type[System], Scale], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Group:
    """A row as listed.

    Args:
        key: Its name on the command line.
        title: What it is about.
        row: What measures it.
    """

    key: str
    title: str
    row: Row


def table(found: Mapping[str, Sequence[Finding]], ours: Iterable[str]) -> list[str]:
    """Lines of a table in Markdown: a line for each thing found, a column for each system.

    Args:
        found: What was found, by system.
        ours: Names of the systems that are ours; each is compared with the best of the peers.
    """
    mine = [name for name in found if name in set(ours)]
    peers = [name for name in found if name not in {*mine, "bare"}]
    order = dict.fromkeys(finding.what for findings in found.values() for finding in findings)
    cells = {name: {finding.what: finding for finding in findings} for name, findings in found.items()}
    ratios = [f"{name} / best peer" for name in mine] if peers else []
    lines = ["| " + " | ".join(["", *found, *ratios]) + " |", "|---|" + "---:|" * (len(found) + len(ratios))]
    for what in order:
        row = {name: cells[name][what] for name in found if what in cells[name]}
        texts = [row[name].text() if name in row else "" for name in found]
        texts += [
            ratio(row.get(name), [row[peer] for peer in peers if peer in row]) for name in mine if peers
        ]
        lines.append("| " + " | ".join([what, *texts]) + " |")
    return lines


def ratio(mine: Finding | None, peers: Sequence[Finding]) -> str:
    """Ours over the best of the others; empty if either has no figure."""
    figures = [peer.median for peer in peers if peer.median is not None]
    if mine is None or mine.median is None or not figures or not mine.is_compared:
        return ""
    best = max(figures) if mine.more_is_better else min(figures)
    return f"{mine.median / best:.2f}" if best else ""
