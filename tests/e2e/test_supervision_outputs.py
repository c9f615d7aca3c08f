"""What services write, end to end: files, rotation, nowhere, a terminal, and who follows it."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.project import Project
from tests.e2e.shells import Supervised, write
from tests.e2e.told import Tell, Told, program

#: Bytes at which a file is rotated here, and how many lines of thirty bytes are written.
SMALL, LINES = 1000, 200
LINE = re.compile(r"line \d{4} of many, many more\n")
#: Bytes a pipe has room for, and how many are in one that takes no more: its pages need not be full.
PIPE, FULL = 64 * 1024, 48 * 1024
#: Services that end with a last line: with its end, without it, and without a chance to flush anything.
LAST = {
    "whole": "echo first; echo last",
    "cut": "echo first; printf last",
    "killed": "echo first; echo last; kill -9 $$",
    "many": "seq 20000; echo last",
}
WRITERS = (
    program("two", "echo to out; echo to err >&2; exec sleep 300", '<output stdout="out" stderr="err"/>'),
    program("one", "echo 1; echo 2 >&2; echo 3; exec sleep 300", '<output stdout="both"/>'),
    program(
        "rotated",
        f"seq -f 'line %04.0f of many, many more' {LINES}; echo done > rotated.done; exec sleep 300",
        f'<output stdout="rotated" max_bytes="{SMALL}" backups="2"/>',
    ),
    program("null", "echo never; exec sleep 300", '<output stdout="null"/>'),
    program("half", "echo never; echo seen >&2; exec sleep 300", '<output stdout="null" stderr="half"/>'),
    program("inherits", "echo inherited; exec sleep 300", '<output stdout="inherit"/>'),
    *(program(each, line, f'<output stdout="last-{each}"/>') for each, line in LAST.items()),
)


@pytest.fixture(scope="module")
def writers(tell_all: Tell) -> Told:
    """A provider whose services have written what they had to."""
    provider = tell_all(*WRITERS)
    provider.start("--start=T1")
    provider.until("inherits", "started")
    return provider


def seen(provider: Told, path: str, text: str) -> None:
    """Wait until a file holds just that."""
    wait_until(lambda: provider.text(path) == text, 20, lambda: (path, provider.text(path)))


def test_the_two_streams_go_to_two_files_or_to_one(writers: Told) -> None:
    """Each to its own; and in one file they keep their order."""
    seen(writers, "out", "to out\n")
    seen(writers, "err", "to err\n")
    seen(writers, "both", "1\n2\n3\n")


def test_a_file_is_rotated_by_size_and_so_many_parts_are_kept(writers: Told) -> None:
    """The end of what was written stands in three parts, no line is cut, and no fourth part was ever left."""
    wait_until(lambda: writers.text("rotated").endswith(f"line {LINES:04} of many, many more\n"), 20)
    parts = [writers.text(name) for name in ("rotated.2", "rotated.1", "rotated")]
    lines = LINE.findall("".join(parts))
    assert "".join(lines) == "".join(parts)
    assert [int(each[5:9]) for each in lines] == list(range(LINES - len(lines) + 1, LINES + 1))
    assert all(len(part) <= SMALL for part in parts)
    assert len(parts[0]) > SMALL - 30 < len(parts[1])
    assert {each.name for each in writers.directory.glob("rotated*")} == {
        "rotated", "rotated.1", "rotated.2", "rotated.done"
    }  # fmt: skip


def test_what_goes_nowhere_costs_no_pipe(writers: Told) -> None:
    """The process has /dev/null itself, and there is no file in its name; its other stream is kept."""
    pid = writers.until("null", "started").pid
    assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (1, 2)] == [os.devnull] * 2
    pid = writers.until("half", "started").pid
    assert os.readlink(f"/proc/{pid}/fd/1") == os.devnull
    seen(writers, "half", "seen\n")
    assert not list(writers.directory.rglob("*null*"))
    ended = writers.shell("logs", "null")
    assert (ended.returncode, ended.stderr) == (5, "error: null writes to no file of its own; see <output>\n")


def test_what_inherits_writes_where_its_provider_does(writers: Told) -> None:
    """The very same file, with no name before it."""
    pid = writers.until("inherits", "started").pid
    provider = writers.process.pid if writers.process else 0
    assert os.readlink(f"/proc/{pid}/fd/1") == os.readlink(f"/proc/{provider}/fd/1")
    wait_until(lambda: "\ninherited\n" in writers.text("told.json"), 10, lambda: writers.text("told.json"))


@pytest.mark.parametrize("name", LAST)
def test_last_words_are_never_lost(writers: Told, name: str) -> None:
    """However a service ends; and nothing is made up: a line without its end stays one."""
    writers.until(name, "failed" if name == "killed" else "exited")
    first = "".join(f"{number}\n" for number in range(1, 20001)) if name == "many" else "first\n"
    seen(writers, f"last-{name}", f"{first}last{'' if name == 'cut' else chr(10)}")


def test_last_words_before_the_end_of_all_are_kept(tell: Tell) -> None:
    """Whoever ends the provider has, when it is gone, all that services wrote on the way down."""
    line = "trap 'seq 3000; echo bye; exit 0' TERM; echo up; sleep 300 & wait"
    provider = tell(
        *(
            program(f"s{n}", line, f'<output stdout="o{n}"/><readiness type="log" target="up"/>')
            for n in "123"
        )
    )
    provider.start("--start=T1")
    for each in ("s1", "s2", "s3"):
        provider.until(each, "started")
    provider.end()
    expected = "".join(f"{line}\n" for line in ("up", *range(1, 3001), "bye"))
    assert [provider.text(f"o{n}") == expected for n in "123"] == [True] * 3


def test_who_floods_is_stopped_at_once_and_disturbs_nobody(tell: Tell) -> None:
    """Its stop needs no SIGKILL, its file stays within its bounds, and its neighbour is heard meanwhile."""
    provider = tell(
        program("flood", "exec yes", '<output stdout="flood" max_bytes="1MB" backups="1"/><stop grace="5"/>'),
        program("calm", "while sleep 0.02; do date +%s.%N; done", '<output stdout="calm"/>'),
    )
    provider.start("--start=T1")
    wait_until(lambda: provider.text("calm") and (provider.directory / "flood.1").exists(), 20)
    said = len(provider.text("calm").splitlines())
    wait_until(lambda: len(provider.text("calm").splitlines()) > said + 5, 5, "words of the neighbour")
    assert provider.shell("stop", "flood").returncode == 0
    (asked,), (ended,) = provider.changes("flood", "stopping"), provider.changes("flood", "stopped")
    assert ended.time - asked.time < 2.0
    assert ended.reason == ""
    parts = sorted(provider.directory.glob("flood*"))
    assert [each.name for each in parts] == ["flood", "flood.1"]
    assert max(each.stat().st_size for each in parts) <= 1024 * 1024
    assert {*provider.text("flood")} <= {"y", "\n"}


def test_followed_output_comes_as_it_is_written(tell: Tell) -> None:
    """The last lines first, then each new one, through rotations, until Ctrl-C."""
    line = "echo before; until [ -e go ]; do sleep 0.05; done; seq 100 400; exec sleep 300"
    provider = tell(program("a", line, '<output max_bytes="200" backups="9"/>'))
    provider.start("--start=T1")
    provider.until("a", "started")
    wait_until(lambda: provider.shell("logs", "a").stdout == "before\n", 20, "the first line")
    command = [sys.executable, "-m", "context_bus", "logs", "a", "-f", "-c", str(provider.shell.file)]
    with (provider.directory / "read").open("wb") as out:
        reader = subprocess.Popen(command, stdout=out, env=os.environ | {procs.MARK: provider.mark})
    try:
        seen(provider, "read", "before\n")
        (provider.directory / "go").touch()
        seen(provider, "read", "before\n" + "".join(f"{number}\n" for number in range(100, 401)))
        reader.send_signal(signal.SIGINT)
        assert reader.wait(10) == 130
    finally:
        reader.kill()
        reader.wait(10)


# -- the terminal ----------------------------------------------------------------------------------


class Shown(Supervised):
    """A provider as a person runs it: its standard output is one end of a pipe."""

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start it."""
        command = [sys.executable, "-m", "context_bus", "service-context", str(self.shell.file), *options]
        environment = os.environ | {procs.MARK: self.mark}
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return self.process


def unread(pipe: IO[bytes] | None) -> int:
    """How many bytes wait in a pipe."""
    assert pipe is not None
    count = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(count, sys.byteorder)


@pytest.fixture
def show(project: Project) -> Iterator[Callable[..., Shown]]:
    """Make such providers."""
    made: list[Shown] = []

    def make(*services: str) -> Shown:
        made.append(Shown(write(project, "".join(services)), secrets.token_hex(8)))
        return made[-1]

    yield make
    for each in made:
        if each.process is not None and each.process.stdout is not None:
            each.process.stdout.close()
        each.clean_up()


def test_a_terminal_shows_each_line_behind_its_name(show: Callable[..., Shown], project: Project) -> None:
    """Whole lines, from both streams; what is not to be shown is not, and is in its file."""
    provider = show(
        program("long_name", "echo hello; echo oops >&2; exec sleep 300", '<output stdout="a" stderr="b"/>'),
        program("quiet", "echo whisper; exec sleep 300", '<output stdout="quiet" show="0"/>'),
        program("raw", "echo as it is; exec sleep 300", '<output stdout="inherit"/>'),
    )
    process = provider.start("--start=T1")
    assert process.stdout is not None
    wanted, lines = {"long_name | hello", "long_name | oops", "as it is"}, list[str]()
    while not wanted <= set(lines):
        lines.append(process.stdout.readline().decode().rstrip("\n"))
        assert lines[-1:] != [""] or process.poll() is None, lines
    file = project.directory / "quiet"
    wait_until(lambda: file.exists() and file.read_text() == "whisper\n", 10, "its file")
    provider.end()
    assert "whisper" not in "".join(lines) + process.stdout.read().decode()


def test_nobody_waits_for_a_terminal_that_takes_nothing(show: Callable[..., Shown]) -> None:
    """Paused by Ctrl-S, or a pager: services are started, restarted and stopped as ever, and so is it."""
    provider = show(
        program("flood", "exec yes"),
        program("other", "exec sleep 300", '<restart policy="always"/>', state="on_exit"),
    )
    process = provider.start("--start=T1")
    assert process.stdout is not None
    pid = int(str(provider.shell.until("flood", "started")["pid"]))
    wait_until(lambda: unread(process.stdout) > FULL, 10, "a full pipe")
    assert provider.shell("start", "other").returncode == 0
    other = int(str(provider.shell.services()["other"]["pid"]))
    os.kill(other, signal.SIGKILL)
    assert provider.shell.started_again("other", 2)["pid"] != other
    assert provider.shell("stop", "flood").returncode == 0
    assert not Path(f"/proc/{pid}").exists()
    # Whoever reads again learns how much there would have been.
    text = b""
    while not re.search(rb"\| \.\.\. \d+ lines not shown\n", text):
        text = text[-100:] + os.read(process.stdout.fileno(), PIPE)
    assert provider.shell("start", "flood").returncode == 0
    wait_until(lambda: unread(process.stdout) > FULL, 10, "a full pipe again")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
