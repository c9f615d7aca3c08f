"""``top`` and ``metrics`` as a shell calls them."""

from __future__ import annotations

import os
import pty
import re
import secrets
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.project import Project
from tests.e2e.shells import Shell, Supervised, write
from tests.view.shop import SERVICES


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A provider that has started everything, and a shell to it."""
    project = Project(tmp_path_factory.mktemp("shop"))
    provider = Supervised(write(project, SERVICES), secrets.token_hex(8))
    try:
        provider.start("--start=T1")
        provider.shell.until("talk", "started")
        provider.shell.until("fail", "fatal")
        yield provider.shell
    finally:
        provider.clean_up()


def test_top_into_a_pipe_is_a_table(shell: Shell) -> None:
    """Aligned columns, sorted as asked; figures of who has a process, a reason of who has none."""
    ended = shell("top", "--sort", "name")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    titles = "SERVICE|TRANSACTION|STATE|PID|UP|RST|CPU%|RSS|THR|FDS|MSG/S|LAST ERROR"
    assert re.split(r"  +", lines[0]) == titles.split("|")
    assert [line.split()[0] for line in lines[1:]] == ["fail", "stay", "talk"]
    assert lines[1].split()[2:10] == ["fatal", "-", "-", "1", "-", "-", "-", "-"]
    assert "exit code 3" in lines[1]
    assert lines[2].split()[2] == "started"


def test_top_as_json_is_one_document(shell: Shell) -> None:
    """Everything that is known, of those that are meant."""
    document = shell.json("top", "st*")
    assert isinstance(document, dict)
    assert document["provider"]["name"] == "Supervised"
    (row,) = document["services"]
    assert (row["service_id"], row["phase"], row["restarts"]) == ("stay", "started", 0)
    assert row["usage"]["threads"] == 1
    assert document["totals"]["services"] == 1
    assert document["forwarder"]["received"] > 0


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("top", "stray", "--once"), 5, "no service 'stray'; did you mean 'stay'?"),
        (("top", "-t", "T2"), 5, "no transaction 'T2'; known: T1"),
        (("top", "--sort", "size"), 2, "'size' is not one of"),
        (("top", "--every", "0"), 2, "0"),
        (("metrics", "--port", "70000"), 2, "70000 is not in the range"),
        (("metrics", "--host", "0.0.0.0"), 3, "--insecure"),
    ],
)
def test_wrong_input_is_one_line(shell: Shell, args: tuple[str, ...], code: int, words: str) -> None:
    """What is wrong, and what would be right."""
    ended = shell(*args)
    assert ended.returncode == code, ended
    (line,) = ended.stderr.splitlines()
    assert words in line


@pytest.mark.parametrize("command", ["top", "metrics"])
def test_once_without_a_provider_is_one_line(tmp_path: Path, command: str) -> None:
    """3, and how to start one; metrics say so in their own words, too."""
    ended = Shell(write(Project(tmp_path), SERVICES))(command, "--once")
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert "no context provider listens" in line
    assert "start one with" in line
    assert (ended.stdout == "") == (command == "top")
    assert command == "top" or 'context_bus_provider_up{context=""} 0.0' in ended.stdout


def test_top_on_a_terminal_paints_and_quits(shell: Shell) -> None:
    """Ctrl-C is 130, as of every command; the terminal is given back."""
    for key, code in ((b"q", 0), (b"\x03", 130)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "context_bus", "top", "-c", str(shell.file)],
            stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"},
        )  # fmt: skip
        os.close(theirs)
        seen = read_until(ours, b"", lambda text: b"fatal" in text and b"talk" in text)
        os.write(ours, key)
        seen = read_until(ours, seen, lambda text: b"\x1b[?1049l" in text)
        assert process.wait(10) == code, seen
        os.close(ours)


def read_until(fd: int, seen: bytes, is_enough: object) -> bytes:
    """Read a terminal until something was written on it."""
    assert callable(is_enough)
    deadline = time.monotonic() + 20
    while not is_enough(seen):
        readable, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        assert readable, seen
        try:
            seen += os.read(fd, 65536)
        except OSError:  # nobody is at the other end any more
            assert is_enough(seen), seen
    return seen


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_metrics_are_served_until_a_signal(shell: Shell, number: int, code: int) -> None:
    """On a free port, which is told; a scrape has the services."""
    with subprocess.Popen(
        [sys.executable, "-m", "context_bus", "metrics", "--port=0", "-c", str(shell.file)],
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        url = process.stderr.readline().split()[1].rstrip(";")
        with urllib.request.urlopen(url, timeout=20) as answer:
            text = answer.read().decode()
        assert 'service="stay"' in text
        process.send_signal(number)
        assert process.wait(10) == code
        assert process.stderr.read().strip() == ""
