"""Where a command's output goes."""

from __future__ import annotations

from pathlib import Path

from context_bus.watch.values import Outcome
from tests.watch.launching import Launching


def test_output_is_appended_to_a_file(launching: Launching, tmp_path: Path) -> None:
    """Both streams go to one file, in the order of writing, since the command has the file itself."""
    (tmp_path / "log").write_text("before\n")
    words = ("--output", "log", "--", "sh", "-c", "echo a; echo b >&2; echo c")
    result = launching.run(*words)
    assert (result.stdout, result.stderr) == ("", "")
    assert (tmp_path / "log").read_text() == "before\na\nb\nc\n"
    assert (launching.only().output, launching.only().error) == (str(tmp_path / "log"), None)


def test_errors_have_a_file_of_their_own(launching: Launching, tmp_path: Path) -> None:
    """Directories are made; output may stay where it is."""
    launching.run("--output", "new/log", "--error", "new/err", "--", "sh", "-c", "echo a; echo b >&2")
    assert (tmp_path / "new/log").read_text() == "a\n"
    assert (tmp_path / "new/err").read_text() == "b\n"
    result = launching.run("--error", "new/err", "--", "sh", "-c", "echo a; echo b >&2")
    assert (result.stdout, result.stderr) == ("a\n", "")
    assert (tmp_path / "new/err").read_text() == "b\nb\n"


def test_output_is_rotated_by_size(launching: Launching, tmp_path: Path) -> None:
    """Nothing is lost but what is older than the parts kept; what a child still writes is waited for."""
    script = "seq 1 1000; (seq 1001 2000) & exit 0"
    words = ("--output", "log", "--max_bytes", "4000", "--backups", "9", "--", "sh", "-c", script)
    launching.run(*words)
    parts = sorted(tmp_path.glob("log*"), key=lambda part: int(part.suffix[1:] or 0), reverse=True)
    assert "".join(part.read_text() for part in parts) == "".join(f"{n}\n" for n in range(1, 2001))
    assert all(part.stat().st_size <= 4000 for part in parts)


def test_rotated_streams_stay_apart(launching: Launching, tmp_path: Path) -> None:
    """Each with a pipe and parts of its own."""
    words = ("--output", "log", "--error", "err", "--max_bytes", "4000", "--backups", "1")
    launching.run(*words, "--", "sh", "-c", "seq 2000; echo b >&2")
    assert (tmp_path / "err").read_text() == "b\n"
    assert (tmp_path / "log").read_text().endswith("2000\n")
    assert {part.name for part in tmp_path.glob("log*")} == {"log", "log.1"}


def test_file_that_cannot_be_written_is_said(launching: Launching, tmp_path: Path) -> None:
    """Before anything runs; the task is over."""
    result = launching.run("--output", str(tmp_path), "--", "touch", "ran")
    assert result.returncode == 126
    said = f"output cannot be written to {tmp_path}: Is a directory"
    assert result.stderr == f"context-bus: task 1: {said}\n"
    assert (launching.only().outcome, launching.only().termerror) == (Outcome.NOTFOUND, said)
    assert not (tmp_path / "ran").exists()
