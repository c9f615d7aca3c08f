"""What is printed into pipes: plain columns, JSON, no colour."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import click
import pytest

from context_bus.cli.output import PALETTE, aligned, colour_of, say_json, say_table


def test_table_into_a_pipe_is_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns stand below each other, what is empty is a dash, nothing is cut."""
    say_table(("id", "name"), [("ts_1", "a" * 200), (None, "")])
    assert capsys.readouterr().out == f"ID    NAME\nts_1  {'a' * 200}\n-     -\n"


def test_table_on_a_terminal_takes_brackets_as_they_are() -> None:
    """A reason such as ``[Errno 2]`` is text and no markup, and rich comes with the table only."""
    code = (
        "import sys\nfrom context_bus.cli import output\n"
        "assert 'rich' not in sys.modules\n"
        "sys.stdout.isatty = lambda: True\n"
        "output.say_table(('id', 'reason'), [('ts_1', '[Errno 2] no [bold]file[/]')])\n"
        "assert 'rich' in sys.modules\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[Errno 2] no [bold]file[/]" in ended.stdout


def test_table_that_is_cut_has_one_line_a_row() -> None:
    """On a terminal of 26 columns words of the cuttable column give way, the others do not."""
    code = (
        "import sys\nfrom context_bus.cli import output\n"
        "sys.stdout.isatty = lambda: True\n"
        "rows = [('1', 'running', 'one two three four five six'), ('2', 'failed', '')]\n"
        "output.say_table(('id', 'status', 'why'), rows, {'why'})\n"
    )
    environment = os.environ | {"COLUMNS": "26"}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    head, _, first, second = click.unstyle(ended.stdout).splitlines()
    assert head.split() == ["id", "status", "why"]
    assert first.split()[:2] == ["1", "running"]
    assert first.rstrip().endswith("…")
    assert len(first.rstrip()) <= 26
    assert second.split() == ["2", "failed", "-"]


def test_json_is_one_line_or_indented(capsys: pytest.CaptureFixture[str]) -> None:
    """For programs a line, for people an indent; the same value."""
    value = {"a": [1, 2], "b": None}
    say_json(value)
    say_json(value, indent=2)
    first, _, rest = capsys.readouterr().out.partition("\n")
    assert json.loads(first) == json.loads(rest) == value


def test_empty_table_has_no_width() -> None:
    """A head alone is a line."""
    assert aligned([["A", "B"]]) == ["A  B"]


def test_colour_of_a_name_is_always_the_same() -> None:
    """A name keeps its colour from run to run; names differ."""
    assert colour_of("echo_action") == colour_of("echo_action") in PALETTE
    assert len({colour_of(f"ts_{number}") for number in range(100, 104)}) == 4
