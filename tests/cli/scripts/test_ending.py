"""How a script ends: an exit code and, at most, one line."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from context_bus.cli.scripts import ending
from context_bus.cli.scripts.arguments import Parser
from context_bus.errors import StoreUnavailable
from tests.e2e.project import TOOLS


def _run(act: Callable[[argparse.Namespace], int], *args: str) -> int:
    def parse(words: object) -> argparse.Namespace:
        parser = Parser()
        parser.add_debug()
        return parser.parse_args(args)

    return ending.run(parse, act, None)


def _raising(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def act(options: argparse.Namespace) -> int:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (StoreUnavailable("db file x does not exist; make it"), 1, "db file x does not exist; make it\n"),
        (PermissionError(13, "Permission denied", "x.log"), 1, "x.log: Permission denied\n"),
        (OSError(28, "No space left on device"), 1, "No space left on device\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_expected_end_is_one_line(
    error: BaseException, code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """As the original: 1 for all that is refused; yet on stderr."""
    assert _run(_raising(error)) == code
    assert capfd.readouterr() == ("", said)


def test_bug_is_one_line_that_names_its_place(capfd: pytest.CaptureFixture[str]) -> None:
    """It must not look like a fault of the user."""
    assert _run(_raising(ValueError("of ours"))) == 70
    out, err = capfd.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "a bug in context-bus: ValueError: of ours (at test_ending.py:" in err


def test_debug_file_takes_the_traceback(tmp_path: Path) -> None:
    """In a process of its own, since it configures the log of the process."""
    log = tmp_path / "own.log"
    words = [sys.executable, str(TOOLS / "parse.py"), "--debug_file", str(log), "--feedback", str(tmp_path)]
    ended = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (ended.returncode, ended.stderr) == (1, f"{tmp_path}: Is a directory\n")
    assert "Traceback" in log.read_text()
    assert os.listdir(tmp_path) == ["own.log"]


def test_reader_who_leaves_is_no_error(tmp_path: Path) -> None:
    """``... | head -1``: silence, and the exit code of a broken pipe."""
    file = tmp_path / "long.log"
    file.write_text("".join(f"[k{number}]{'x' * 100}\n" for number in range(10_000)))
    words = [sys.executable, str(TOOLS / "parse.py"), "--feedback", str(file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert (process.stderr.read(), process.wait(20)) == (b"", 141)


def test_disk_that_is_full_is_one_line(tmp_path: Path) -> None:
    """What could not be printed is no success."""
    with open("/dev/full", "w") as full:
        words = [sys.executable, str(TOOLS / "parse.py"), "--feedback", str(tmp_path / "none.log")]
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[1:] == ["No space left on device"]
