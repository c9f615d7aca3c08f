"""``python -m tests.faults``: inject faults for as long as wanted, and print what came of them."""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import sys
import time
from dataclasses import fields
from pathlib import Path

from tests.faults.faults import FAMILIES, FAMILY_OF
from tests.faults.findings import Kind, Tally
from tests.faults.rounds import play


def table(tally: Tally) -> str:
    """The result as a Markdown table, with the measured times below."""
    heads = ["family", "fault", "injected", *Kind, "again right, median ms", "most ms"]
    lines = [f"| {' | '.join(heads)} |", f"|---|---|{'---:|' * (len(heads) - 2)}"]
    order = [*FAMILY_OF, *sorted(tally.found.keys() - FAMILY_OF.keys())]
    for name in (name for name in order if name in tally.injected or name in tally.found):
        counts, times = tally.found.get(name, {}), tally.recovery.get(name, [])
        cells = [FAMILY_OF.get(name, ""), name, tally.injected.get(name, "-")]
        cells += [counts.get(kind, 0) for kind in Kind]
        cells += [round(statistics.median(times) * 1000), round(max(times) * 1000)] if times else ["-", "-"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    found = sum(sum(counts.values()) for counts in tally.found.values())
    lines.append(f"\n{sum(tally.injected.values())} faults, {found} findings")
    for what, times in tally.seconds.items():
        median, most = statistics.median(times) * 1000, max(times) * 1000
        lines.append(f"{what}: median {median:.0f} ms, most {most:.0f} ms of {len(times)}")
    if tally.grown:
        lines.append(
            f"a provider grew by: median {statistics.median(tally.grown)} kB, most {max(tally.grown)} kB"
        )
    return "\n".join(lines)


def as_json(tally: Tally) -> dict[str, object]:
    """All of it, for who adds up several runs."""
    return {field.name: getattr(tally, field.name) for field in fields(tally)}


def add_up(results: list[Path]) -> int:
    """Print what several runs come to; the exit code is 1 if anything was wrong."""
    tally = Tally()
    for result in results:
        tally.add(json.loads(result.read_text()))
    print(table(tally))
    return 0 if tally.is_clean else 1


def main() -> int:
    """Run rounds; the exit code is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how many, of 20 faults each")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no round after so many")
    parser.add_argument("--seed", default="", help="decides everything; generated if left out")
    parser.add_argument("--round", type=int, help="replay only this one")
    parser.add_argument("--family", choices=sorted(FAMILIES), default="", help="only these faults")
    parser.add_argument("--json", type=Path, help="also write the result here")
    parser.add_argument("--add", type=Path, nargs="+", help="run nothing; add up results of --json")
    options = parser.parse_args()
    if options.add:
        return add_up(options.add)
    seed = options.seed or secrets.token_hex(4)
    tally, began = Tally(), time.monotonic()
    numbers = range(options.rounds) if options.round is None else [options.round]
    try:
        for number in numbers:
            if time.monotonic() - began > options.seconds:
                break
            told = len(tally.details)
            try:
                play(seed, number, options.family, tally)
            except AssertionError as error:
                tally.details.append(f"seed {seed} round {number}: {error}")
            print(*tally.details[told:], sep="\n", end="", file=sys.stderr)
            print(f"round {number}: {tally.injected.total()} faults", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        pass
    print(f"seed {seed}\n\n{table(tally)}")
    if options.json:
        options.json.write_text(json.dumps({"seed": seed, **as_json(tally)}, indent=2))
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
