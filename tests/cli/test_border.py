"""The border to the shell: every way to end has its exit code and at most a line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from context_bus.cli.border import Invocation, run
from context_bus.cli.lazy import debug_option
from context_bus.errors import (
    CommandRejected,
    ConfigurationError,
    ContextBusError,
    Fault,
    InternalError,
    NotConnected,
)

ROOT = Path(__file__).resolve().parents[2]


def end_with(error: BaseException, *args: str) -> int:
    """Run a command that raises."""

    def fail() -> None:
        raise error

    return run(click.Command("fail", callback=fail, params=[debug_option()]), "fail", args)


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (NotConnected("nobody there"), 3, ["error: nobody there"]),
        (CommandRejected("no"), 5, ["error: no"]),
        (InternalError("oops"), 70, ["error: oops"]),
        (
            ConfigurationError([Fault("bad", file="a.xml", line=3), Fault("worse", "mend it", "a.xml", 9)]),
            2,
            ["error: a.xml:3: bad", "error: a.xml:9: worse; mend it"],
        ),
        (FileNotFoundError(2, "No such file or directory", "x"), 2, ["error: x: No such file or directory"]),
        (OSError(28, "No space left on device"), 1, ["error: No space left on device"]),
        (click.UsageError("This is\nwrong."), 2, ["error: this is wrong; see 'fail --help'"]),
    ],
)
def test_expected_error_is_a_line_per_fault(
    error: Exception, code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What went wrong is said on stderr, one line a fault, and the class gives the exit code."""
    assert end_with(error) == code
    out, err = capsys.readouterr()
    assert err.splitlines() == lines
    assert out == ""


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), click.Abort()])
def test_interrupt_is_130_and_silent(interrupt: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends a command with 130 and without a word."""
    assert end_with(interrupt) == 130
    assert capsys.readouterr().err.strip() == ""


def test_bug_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody expected is 70, and the way to its traceback is told."""
    assert end_with(ZeroDivisionError("division\nby zero")) == 70
    (line,) = capsys.readouterr().err.splitlines()
    assert "a bug in context-bus: ZeroDivisionError: division by zero (at test_border.py:" in line
    assert "CONTEXT_BUS_DEBUG=1" in line


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_debug_shows_the_traceback(
    way: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--debug``, or its environment variable, shows where an expected error came from."""
    if way == "environment":
        monkeypatch.setenv("CONTEXT_BUS_DEBUG", "1")
    assert end_with(NotConnected("nobody there"), *(["--debug"] if way == "flag" else [])) == 3
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1] == "error: nobody there"


def test_every_family_of_errors_has_an_exit_code() -> None:
    """No error of ours ends with 0, and only a bug with 70."""
    found: list[type[ContextBusError]] = [ContextBusError]
    for error in found:
        found += error.__subclasses__()
    assert len(found) > 15
    assert all(0 < error.exit_code <= 9 or error is InternalError for error in found)


def test_result_is_the_exit_code() -> None:
    """A number that a command returns is its exit code; anything else is 0."""
    codes: list[Callable[[], object]] = [lambda: 130, lambda: None, lambda: "text"]
    assert [run(click.Command("x", callback=code), "x", []) for code in codes] == [130, 0, 0]


def test_reader_that_goes_away_is_no_error() -> None:
    """In ``bus echo | head -1`` the end of head ends echo, with 141 and without a word."""
    code = (
        "import sys, click\n"
        "from context_bus.cli import border\n"
        "def flood():\n    while True:\n        click.echo('line')\n"
        "command = click.Command('flood', callback=border.watch_reader(flood))\n"
        "sys.exit(border.run(command, 'flood', []))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141
    process.stderr.close()


def test_invocation_remembers_the_checkout() -> None:
    """Commands find the files of the documents below the checkout."""
    assert Invocation(home=ROOT).home == ROOT


def test_terminal_of_another_alphabet_is_no_bug() -> None:
    """What cannot be encoded is spelled out."""
    code = (
        "import sys, click\n"
        "from context_bus.cli import border\n"
        "command = click.Command('say', callback=lambda: click.echo('and so on\\u2026'))\n"
        "sys.exit(border.run(command, 'say', []))\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "and so on\\u2026\n", "")


def test_ctrl_c_at_a_waiting_command_is_130() -> None:
    """A command that waits for messages ends at once and without a word."""
    command = [sys.executable, "-m", "context_bus", "display", "--endpoint=tcp://127.0.0.1:1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stderr is not None
        assert "nothing answers at tcp://127.0.0.1:1" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().strip() == ""
    assert process.returncode == 130
