"""``parse.py``: a feedback file as a JSON object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from context_bus.cli.scripts.parse import main
from tests.cli.scripts.conftest import Call
from tests.kernel.test_feedback import MIXED


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Feedback of a hundred steps."""
    path = tmp_path / "textfile_progress.txt"
    path.write_text("".join(f"[progress]{step}\n" for step in range(1, 101)))
    return path


def test_output_is_a_json_object(call: Call, file: Path) -> None:
    """T21: the document's example, as an object."""
    ended = call(main, "--feedback", file)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, '{"progress": "100"}\n', "")


def test_double_is_what_the_original_printed(call: Call, file: Path) -> None:
    """T21: a string with the object in it, for who reads it so."""
    assert call(main, "--feedback", file, "--double").stdout == '"{\\"progress\\": \\"100\\"}"\n'


def test_members_stand_as_the_keywords_came(call: Call, file: Path) -> None:
    """The original's case of everything mixed; what is no ASCII is spelled out."""
    file.write_bytes(MIXED + "[á]no\n[last]é".encode())
    text = call(main, "--feedback", file).stdout
    assert list(json.loads(text)) == [
        "animal", "person", "town", "progress", "date_unix", "date_long", "jsample", "name", "last"
    ]  # fmt: skip
    assert text.endswith('"last": "\\u00e9"}\n')


def test_file_longer_than_one_read_is_read_whole(call: Call, file: Path) -> None:
    """A line may lie across two reads."""
    file.write_text("[a]" + "x" * 300_000 + "\n[b]2\n")
    values = json.loads(call(main, "--feedback", file).stdout)
    assert (len(values["a"]), values["b"]) == (300_000, "2")


def test_missing_file_has_no_values_and_is_told_of(call: Call, tmp_path: Path) -> None:
    """A program may be asked before its first line; whoever has mistyped the path reads why."""
    ended = call(main, "--feedback", tmp_path / "none.log")
    assert (ended.returncode, ended.stdout) == (0, "{}\n")
    assert ended.stderr == f"{tmp_path}/none.log does not exist; no feedback yet, or a wrong path\n"


def test_what_is_no_file_is_refused_on_one_line(call: Call, tmp_path: Path) -> None:
    """It will never have values."""
    ended = call(main, "--feedback", tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"{tmp_path}: Is a directory\n"


def test_no_file_is_a_fault_of_the_command_line(call: Call) -> None:
    """And so is a part of the option's name."""
    for words in ([], ["--feed", "x"]):
        ended = call(main, *words)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "the following arguments are required: --feedback" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
