"""How well processes are kept: ours beside circus, supervisord and pm2, and beside a bare floor, in one run.

    python -m tests.benchmarks.supervise --peers                  (about 45 minutes)
    python -m tests.benchmarks.supervise --quick                  (ours and the floor, under 3 minutes)
    python -m tests.benchmarks.supervise --only launch,respawn --systems bare,ours --json out.json

Each row is measured for one system after the other, so that all meet about the same load of the machine.
Everything is seen from outside, in /proc, in steps of 1 ms, 4 ms where many are watched; the end of a
process is told by the kernel. The system under test is asked only where a row is about its answers. All
systems run with their defaults, on loopback and unix sockets. Cells are medians; behind a slash stands the
worst of several. A word in place of a figure says what a system cannot do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tests.benchmarks import supervise_rows_control as control
from tests.benchmarks import supervise_rows_cost as cost
from tests.benchmarks import supervise_rows_faults as faults
from tests.benchmarks import supervise_rows_speed as speed
from tests.benchmarks.supervise_findings import QUICK, Finding, Group, Scale, table
from tests.benchmarks.supervise_ours import Ours, OursPython
from tests.benchmarks.supervise_peers import install
from tests.benchmarks.supervise_raw import RawError
from tests.benchmarks.supervise_systems import BareSystem, System
from tests.benchmarks.supervise_trial import TrialError

#: Every row, in the order of the output.
GROUPS = (
    Group("launch", "From the command to the last program executed", speed.launch),
    Group("python", "Services written in Python", speed.python),
    Group("respawn", "kill -9 of one program until another was executed", speed.respawn),
    Group("all", "kill -9 of all programs at once", speed.killed_at_once),
    Group("idle", "At rest, all processes of the system", cost.idle),
    Group("statistics", "With figures published every second", cost.statistics),
    Group("raw", "Calls over an open connection", control.raw),
    Group("cli", "The command line, whole processes", control.command_line),
    Group("neighbours", "While another program takes 5 s to stop", control.neighbours),
    Group("timeout", "A program that does not end", control.stop_timeout),
    Group("shutdown", "SIGTERM to the system", speed.shutdown),
    Group("slow", "SIGTERM to the system, slow programs", speed.slow_shutdown),
    Group(
        "starting",
        "SIGTERM to the system when a quarter of the programs is there",
        speed.stopped_while_starting,
    ),
    Group("family", "Children of a service: child / own session / double fork", faults.family),
    Group("killed", "kill -9 of the system", faults.killed),
    Group("guardian", "kill -9 of what stands between", faults.guardian),
    Group("hung", "A service that hangs", faults.hung),
    Group("loop", "A program that fails at once", faults.crash_loop),
    Group("flood", "A program that floods its output", faults.flood),
    Group("descriptors", "Descriptors", cost.descriptors),
    Group("leaks", "After many restarts of one program", cost.leaks),
    Group("thousand", "More programs", cost.thousand),
    Group("events", "Events over a reconnect", control.events),
    Group("strangers", "Without credentials", control.strangers),
)
#: Systems that need no peers.
OWN: tuple[type[System], ...] = (BareSystem, Ours, OursPython)
#: Those of them that run only if they are named.
UNUSUAL = (OursPython,)


@dataclass(frozen=True, slots=True)
class Weather:
    """How fast the machine was when a row was measured.

    Args:
        load: Load average of the last minute.
        spawn: Milliseconds to run ``true``.
        loop: Milliseconds for a fixed loop of Python.
    """

    load: float
    spawn: float
    loop: float


def weather(tries: int = 10) -> Weather:
    """Look at the machine."""
    spawns, loops = [], []
    for _ in range(tries):
        begun = time.perf_counter()
        subprocess.run(["true"], check=True)
        between = time.perf_counter()
        sum(number * number for number in range(20_000))
        spawns.append(between - begun)
        loops.append(time.perf_counter() - between)
    return Weather(os.getloadavg()[0], 1000 * statistics.median(spawns), 1000 * statistics.median(loops))


def measure(group: Group, kind: type[System], scale: Scale) -> list[Finding]:
    """One row for one system; what it could not do stands in a cell, too."""
    findings: list[Finding] = []
    try:
        findings.extend(group.row(kind, scale))
    except (TrialError, RawError, OSError, subprocess.TimeoutExpired) as error:
        findings.append(Finding("not measured", word=str(error)[:100]))
    return findings


def run(groups: Sequence[Group], systems: Sequence[type[System]], scale: Scale) -> dict[str, object]:
    """Measure and print all rows.

    Returns:
        Everything that was found, as it goes into a file.
    """
    ours = [kind.name for kind in systems if issubclass(kind, Ours)]
    rows: dict[str, object] = {}
    for group in groups:
        found: dict[str, list[Finding]] = {}
        looked: dict[str, Weather] = {}
        for kind in systems:
            print(f"{group.key}: {kind.name} ...", file=sys.stderr, flush=True)
            looked[kind.name] = weather()
            found[kind.name] = measure(group, kind, scale)
        loads = [each.load for each in looked.values()]
        print(f"\n**{group.title}** (load {min(loads):.1f} to {max(loads):.1f})\n")
        print("\n".join(table(found, ours)), flush=True)
        rows[group.key] = {
            "title": group.title,
            "weather": {name: asdict(each) for name, each in looked.items()},
            "found": {name: [asdict(finding) for finding in each] for name, each in found.items()},
        }
    return {"machine": machine(), "scale": asdict(scale), "rows": rows}


def machine() -> Mapping[str, object]:
    """Where this is measured."""
    return {
        "when": datetime.now().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
    }


def chosen(names: str, known: Sequence[str], what: str) -> list[str]:
    """Names given on the command line, in their usual order."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := sorted(set(wanted) - set(known)):
        raise SystemExit(f"no {what} {', '.join(unknown)}; there are {', '.join(known)}")
    return [name for name in known if name in wanted]


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    peers = Path(tempfile.gettempdir()) / "context_bus_peers"
    parser.add_argument(
        "--peers",
        nargs="?",
        type=Path,
        const=peers,
        metavar="DIR",
        help=f"run the peers, too; they are kept in DIR ({peers})",
    )
    parser.add_argument("--systems", default="", help="by default bare, ours and the peers")
    parser.add_argument("--only", default="", help="rows: " + ", ".join(group.key for group in GROUPS))
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--restarts", type=int, help="restarts of the row about leaks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file")
    options = parser.parse_args()
    scale = QUICK if options.quick else Scale()
    if options.restarts:
        scale = scale.with_restarts(options.restarts)
    others = install(options.peers) if options.peers else []
    kinds: list[type[System]] = [BareSystem, *others, *OWN[1:]]
    known = {kind.name: kind for kind in kinds}
    usual = ",".join(name for name, kind in known.items() if kind not in UNUSUAL)
    systems = [known[name] for name in chosen(options.systems or usual, list(known), "system")]
    keys = chosen(
        options.only or ",".join(group.key for group in GROUPS), [group.key for group in GROUPS], "row"
    )
    here = machine()
    print(f"{here['when']}, Python {here['python']}, Linux {here['kernel']}, {here['cores']} cores")
    everything = run([group for group in GROUPS if group.key in keys], systems, scale)
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
