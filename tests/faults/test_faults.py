"""A few seeded rounds of faults against real providers; many more by ``python -m tests.faults``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.project import ROOT
from tests.faults.findings import Tally
from tests.faults.rounds import MANNERS, play

#: Its rounds begin with: kill guardian; kill provider during a command; no descriptors for the provider.
SEED = "suite-37341"


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", range(len(MANNERS)), ids=("plain", "keeping", "poor"))
def test_faults_lose_no_process_and_no_record(number: int) -> None:
    """Whatever is killed, frozen or taken away, what was wanted is there again, once, in any manner."""
    tally = Tally()
    play(SEED, number, "", tally, faults=3)
    assert tally.is_clean, "\n".join(tally.details)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_faults_leave_nothing_when_the_run_is_killed() -> None:
    """A run that is killed in the middle leaves neither a process nor a directory."""
    command = [sys.executable, "-m", "tests.faults", "--rounds=1", "--seed=killed", "--family=kill"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        mark, directory = wait_until(lambda: _warden_of(run.pid), 20.0, "a provider has a warden")
        wait_until(lambda: len(procs.marked(mark)) > 5, 20.0, "the provider has services")
    finally:
        run.kill()
        run.wait()
    assert not procs.wait_none_marked(mark, 20.0)
    wait_until(lambda: not directory.exists(), 20.0, f"{directory} is taken away")


def _warden_of(pid: int) -> tuple[str, Path] | None:
    """Whose processes the warden of a run ends, and the directory that it takes away."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and procs.parent(int(entry.name)) == pid:
            words = (entry / "cmdline").read_text().split("\0")
            if "tests.faults.warden" in words:
                return words[3], Path(words[4])
    return None
