"""The program that other tests of this room watch does what it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("testprog.py")


def run(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=os.environ | environment,
    )


def test_sleeping_writes_nothing() -> None:
    """It needs no feedback file."""
    done = run("--scenario", "sleeping", "--sleep", 0)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_feedbacking_plays_a_file_as_it_is(tmp_path: Path) -> None:
    """Each line with its own end."""
    source, feedback = tmp_path / "text", tmp_path / "feedback.log"
    source.write_bytes(b"[a]1\r\n\n# no\n[b]2")
    assert run(
        "--scenario", "feedbacking", "--textfile", source, "--feedback", feedback, "--delay", 0
    ).returncode == 0
    assert feedback.read_bytes() == source.read_bytes()


def test_progressing_tells_of_ten_cases(tmp_path: Path) -> None:
    """A thousand steps, and hundred percent at the end; the file may be named by the environment."""
    feedback = tmp_path / "feedback.log"
    done = run("--scenario", "progressing", "--delay", 0, CONTEXT_BUS_FEEDBACK=str(feedback))
    assert done.returncode == 0, done.stderr
    lines = feedback.read_text().splitlines()
    assert lines[0] == "[playbook]testprogr"
    assert lines.count("[testcase_progress]100") == 10
    assert [line for line in lines if line.startswith("[progress]")][-1] == "[progress]100"


def test_without_a_feedback_file_it_says_so() -> None:
    """One line, no traceback."""
    done = run("--scenario", "progressing", CONTEXT_BUS_FEEDBACK="")
    assert done.returncode == 1
    assert done.stderr.startswith("testprog: no feedback file")
    assert len(done.stderr.splitlines()) == 1
