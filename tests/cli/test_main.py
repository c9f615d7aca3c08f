"""The way in: overview, names, versions, and what a start must not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from context_bus._version import VERSION
from context_bus.cli.lazy import LazyGroup, load
from context_bus.cli.main import COMMANDS, PACKAGE
from tests.cli.conftest import Call

ROOT = Path(__file__).resolve().parents[2]
#: What only a command that does something may import.
HEAVY = {"lxml", "rich", "asyncio", "psutil", "zmq", "jinja2", "yaml", "msgspec", "multiprocessing"}


def imported(*argv: str) -> set[str]:
    """Top level modules that a call imports."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = {list(argv)!r}\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as leaving:\n    assert leaving.code == 0, leaving.code\n"
        "print('MODULES', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(ended.stdout.rpartition("MODULES")[2].split())


@pytest.mark.parametrize(
    "script", ["conf_command.py", "service_context.py", "display.py", "create_service.py"]
)
def test_help_of_a_tool_imports_nothing_heavy(script: str) -> None:
    """Start-up is imports: a help text needs click and nothing else."""
    modules = imported(f"tools/{script}", "--help")
    assert "click" in modules
    assert not modules & HEAVY


def test_overview_imports_no_command() -> None:
    """The list of commands is printed from a table."""
    code = "import sys; from context_bus.cli import main; main.main(['--help'])"
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    assert "context_bus.cli.main" in ended.stderr
    assert "context_bus.cli.commands." not in ended.stderr
    assert all(name in ended.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_there_under_both_spellings(call: Call, name: str) -> None:
    """``conf-command`` and ``conf_command`` are the same, and both have a help text."""
    for spelling in {name, name.replace("-", "_")}:
        ended = call(spelling, "--help")
        assert ended.code == 0, ended
        assert f"Usage: context-bus {spelling}" in ended.out


def _all_commands() -> list[str]:
    bus = load(PACKAGE, "bus", "")
    assert isinstance(bus, LazyGroup)
    return [*COMMANDS, *(f"bus-{name}" for name in bus.table)]


@pytest.mark.parametrize("name", _all_commands())
def test_help_ends_with_examples(name: str) -> None:
    """Every command shows how it is used."""
    command = load(PACKAGE, name, "called so")
    text = command.get_help(click.Context(command))
    assert "Examples:" in text
    assert "{command}" not in text.partition("Examples:")[2]


def test_unknown_command_names_the_one_that_was_meant(call: Call) -> None:
    """A slip of the pen is answered with what was probably meant."""
    ended = call("conf-comand")
    assert ended.code == 2
    assert "no such command 'conf-comand'; did you mean 'conf-command'?" in ended.error


def test_no_command_shows_the_overview(call: Call) -> None:
    """Without a command the overview is printed, and it is an error."""
    ended = call()
    assert ended.code == 2
    assert "Usage: context-bus" in ended.err


def test_version_is_printed(call: Call) -> None:
    """``--version`` prints name and version."""
    assert call("--version").out == f"context-bus {VERSION}\n"


def test_completion_lists_commands() -> None:
    """The line that the help shows makes the shell complete commands."""
    environment = os.environ | {
        "_CONTEXT_BUS_COMPLETE": "bash_complete",
        "COMP_WORDS": "context-bus con",
        "COMP_CWORD": "1",
    }
    command = [str(Path(sys.executable).with_name("context-bus"))]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.stdout.split() == ["plain,convert", "plain,context", "plain,conf-command"]


def test_tool_shows_the_name_it_was_called_by(tmp_path: Path) -> None:
    """From any directory a script of tools/ works and calls itself as the user did."""
    script = os.path.relpath(ROOT / "tools" / "conf_command.py", tmp_path)
    ended = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert f"Usage: python {script}" in ended.stdout
    assert f"  python {script} --context_file=" in ended.stdout


def test_module_is_the_command() -> None:
    """``python -m context_bus`` is ``context-bus``."""
    command = [sys.executable, "-m", "context_bus", "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == f"context-bus {VERSION}\n"


@pytest.mark.parametrize("script", sorted((ROOT / "tools").glob("*.py")), ids=lambda path: path.name)
def test_scripts_hold_no_logic(script: Path) -> None:
    """A script is a door, not a room."""
    assert len(script.read_text().splitlines()) <= 20
