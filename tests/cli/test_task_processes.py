"""``task launch``, ``wait``, ``logs``, ``kill`` and ``list --follow`` with processes that run."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from context_bus.process import tree
from context_bus.testing.wait import wait_until
from context_bus.watch import running
from context_bus.watch.database import Database
from context_bus.watch.values import Outcome
from tests.cli.tasks import Tasks, myself

#: Seconds for what takes a second at most on a machine that does something else, too.
PATIENCE = 20.0
#: The command line in a process of its own.
PROGRAM = (sys.executable, "-m", "context_bus", "task")


def run(*args: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]  # options as they come
        [*PROGRAM, *args], capture_output=True, text=True, timeout=PATIENCE, check=False, **options
    )


@contextlib.contextmanager
def started(*args: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on; interrupted here if the test did not end it."""
    process = subprocess.Popen(
        [*PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(PATIENCE)


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], PATIENCE)[0], "nothing was printed"
    return process.stdout.readline()


@pytest.fixture
def launched(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tasks]:
    """A database whose tasks are killed at the end, with the working directory beside it."""
    monkeypatch.chdir(tasks.path.parent)
    yield tasks
    with Database(tasks.path) as database:
        for task in running.tasks(database, reserved=False):
            if myself() not in task.keepers:  # a row without processes
                assert run("kill", str(task.id), "--signal=KILL").returncode == 0


def detach(*args: str) -> int:
    """Launch a command that goes on by itself; returns the id."""
    ended = run("launch", "--detach", *args)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return int(ended.stdout)


# -- launch --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["nosuch-program"], 127),
        (["/etc/passwd"], 126),
        (["--", "true"], 127),
        (["true", "--", "--timeout"], 0),
    ],
    ids=str,
)
def test_launch_exits_as_its_command(launched: Tasks, command: list[str], code: int) -> None:
    """Whatever stands behind the first ``--`` is the command's own; --compat_rc makes 0 of it."""
    assert run("launch", "--", *command).returncode == code
    assert run("launch", "--compat-rc", "--", *command).returncode == 0


def test_launch_passes_input_output_and_arguments(launched: Tasks) -> None:
    """T10 at this face: two blanks stay two, an empty argument is one, and options of the command its own."""
    script = 'printf "%s|" "$@"; cat; echo err >&2'
    ended = run("launch", "sh", "-c", script, "--db", "a  b", "", "-n", input="from stdin")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "a  b||-n|from stdin", "err\n")


def test_launch_hands_all_options_on(launched: Tasks) -> None:
    """Name, texts, directory, environment, files: they are in the history and in what the command sees."""
    script = 'echo "$PWD $COLOUR $CONTEXT_BUS_TASK_NAME"; echo trouble >&2'
    ended = run(
        "launch", "--name=report", "--info1=a", "--info2=b", "--info3=c", "--cwd=/", "--env", "COLOUR=red",
        "--stdin=close", "--output=out.log", "--error=err.log", "--max_bytes=1M", "--backups=1", "--grace=1",
        "--max_runtime=1h", "--timeout=9", "--retain=30d", "--on_orphan=adopt", "--", "sh", "-c", script,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert Path("out.log").read_text() == "/ red report\n"
    assert Path("err.log").read_text() == "trouble\n"
    (past,) = launched.past()
    assert (past.taskname, past.info1, past.info2, past.info3) == ("report", "a", "b", "c")
    assert past.output == str(launched.path.parent / "out.log")


def test_launch_takes_up_a_reservation(launched: Tasks) -> None:
    """With its name and texts; once. T7 at this face: an id that is not reserved is refused with 7."""
    taskid = run("reserve", "--name", "backup", "--info2", "kept").stdout.strip()
    assert run("launch", "--taskid", taskid, "--", "true").returncode == 0
    (past,) = launched.past()
    assert (past.taskid, past.taskname, past.info2) == (int(taskid), "backup", "kept")
    ended = run("launch", "--taskid", taskid, "--", "touch", "started")
    assert (ended.returncode, ended.stderr) == (7, f"error: taskid={taskid} is not clear to start\n")
    assert not Path("started").exists()


def test_launch_ends_what_gives_no_feedback(launched: Tasks) -> None:
    """T15 at this face: 124, and the history says why."""
    ended = run("launch", "--expect_feedback", "--timeout=0.5", "--grace=0.2", "--", "sleep", "60")
    assert ended.returncode == 124
    (past,) = launched.past()
    assert past.outcome is Outcome.TIMEOUT
    assert "timeout: no feedback for 0.5 s" in run("history").stdout


def test_detached_launch_prints_the_bare_ids(launched: Tasks) -> None:
    """One a line, as soon as the commands run; they live on without whoever launched them."""
    ended = run("launch", "-d", "--instances=2", "--name=twin", "--", "sleep", "60")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n2\n", "")
    found = json.loads(run("list", "--json").stdout)
    assert [(task["id"], task["name"], task["status"]) for task in found] == [
        (1, "twin", "RUNNING"),
        (2, "twin", "RUNNING"),
    ]
    assert all(tree.identify(task["pid"]) for task in found)


# -- kill ----------------------------------------------------------------------------------------


def living(tasks: Tasks, taskid: int) -> list[tree.Row]:
    """Who of a task runs: by the environment that all of it has, and no task of another database."""
    mark = f"CONTEXT_BUS_FEEDBACK={tasks.path}.feedback/feedback_{taskid}.log".encode()
    rows = tree.read_table().values()
    return [row for row in rows if mark in tree.environment_of(row.pid).split(b"\0")]


def test_kill_ends_tasks_with_all_that_they_started(launched: Tasks) -> None:
    """T23 at this face: when it returns they are gone and in the history; the signal can be chosen."""
    first = detach("--", "sh", "-c", "sleep 60 & setsid sleep 60 & wait")
    second = detach("--", "sleep", "60")
    wait_until(lambda: len(living(launched, first)) >= 3, PATIENCE, lambda: living(launched, first))
    ended = run("kill", str(first), str(second), str(first), "--signal", "int", "--grace", "0.2")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{first} killed\n{second} killed\n", "")
    assert living(launched, first) == living(launched, second) == []
    third = detach("--name=third", "--", "sleep", "60")
    killed = json.loads(run("kill", str(third), "--json", "--signal=INT").stdout)
    assert (killed["taskid"], killed["taskname"], killed["outcome"]) == (third, "third", "killed")
    assert {past.outcome for past in launched.past()} == {Outcome.KILLED}
    assert all("signal 2 (SIGINT)" in (past.termerror or "") for past in launched.past())


def test_kill_of_several_ends_none_if_one_is_unknown(launched: Tasks) -> None:
    """A slip in a list of ids is told before anything is done."""
    taskid = detach("--", "sleep", "60")
    ended = run("kill", str(taskid), "99")
    assert (ended.returncode, ended.stdout) == (7, "")
    assert json.loads(run("list", "--json").stdout)[0]["id"] == taskid


def test_killall_ends_all_of_a_name(launched: Tasks) -> None:
    """T25 at this face: those that run and those that are reserved; others go on."""
    detach("--instances=1", "--name=backup", "--", "sleep", "60")
    detach("--name=backup", "--", "sleep", "60")
    other = detach("--name=report", "--", "sleep", "60")
    launched.reserve("backup")
    ended = run("killall", "backup")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3 tasks ended\n", "")
    assert [task["id"] for task in json.loads(run("list", "--json").stdout)] == [other]


# -- wait ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("exit 0", 0, "done"),
        ("exit 7", 7, "exit code 7"),
        ("kill -KILL $$", 137, "ended by signal 9 (SIGKILL)"),
    ],
)
def test_wait_exits_with_the_code_of_the_task(launched: Tasks, script: str, code: int, words: str) -> None:
    """Whether it has ended already or not."""
    taskid = str(detach("--name=backup", "--", "sh", "-c", f"sleep 0.3; {script}"))
    for _ in range(2):
        ended = run("wait", taskid)
        assert (ended.returncode, ended.stderr) == (code, "")
        assert ended.stdout.startswith(f"{taskid}  backup  ")
        assert words in ended.stdout


def test_wait_for_several_tells_each_end_at_once(launched: Tasks) -> None:
    """In the order in which they end; the code is the greatest."""
    os.mkfifo("go")
    slow = str(detach("--name=slow", "--", "sh", "-c", "read x < go; exit 2"))
    launched.end(fast := launched.run("fast"), Outcome.FAILED, code=5, why="exit code 5")
    with started("wait", slow, str(fast), "--json") as process:
        assert json.loads(line_of(process))["taskid"] == fast
        assert process.poll() is None
        Path("go").write_text("\n")
        past = json.loads(line_of(process))
        assert (past["taskid"], past["exitcode"], past["argv"][0]) == (int(slow), 2, "sh")
        assert process.wait(PATIENCE) == 5


def test_wait_ends_in_time(launched: Tasks) -> None:
    """With 7 and one line that says so; the task goes on."""
    taskid = str(detach("--", "sleep", "60"))
    ended = run("wait", taskid, "--timeout=0.2")
    assert (ended.returncode, ended.stdout) == (7, "")
    assert ended.stderr == f"error: not ended within 0.2 s: taskid {taskid}; wait longer, or kill\n"


def test_wait_is_interrupted(launched: Tasks) -> None:
    """Ctrl-C is 130 and no word; the task goes on."""
    taskid = detach("--", "sleep", "60")
    with started("wait", str(taskid), str(launched.ended())) as process:
        line_of(process)  # what has ended before is told first, then it waits
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip() == ""
    assert json.loads(run("list", "--json").stdout)[0]["id"] == taskid


# -- logs ----------------------------------------------------------------------------------------


def test_logs_of_a_detached_task(launched: Tasks) -> None:
    """While it runs and when it has ended; output and errors apart; the last lines only if wanted."""
    script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; read x < go"
    os.mkfifo("go")
    taskid = str(detach("--", "sh", "-c", script))
    wait_until(lambda: "err 3" in run("logs", taskid, "--error").stdout, PATIENCE)
    Path("go").write_text("\n")
    assert run("wait", taskid).returncode == 0
    assert run("logs", taskid).stdout == "out 1\nout 2\nout 3\n"
    assert run("logs", taskid, "--error", "-n", "1").stdout == "err 3\n"
    assert run("logs", taskid, "--lines=1", "--json").stdout == '{"line": "out 3"}\n'


def test_logs_follow_a_task_until_it_ends(launched: Tasks) -> None:
    """Line by line, across rotated files, up to a last line that has no end."""
    os.mkfifo("go")
    script = "echo first; while read x; do echo $x; done < go; printf end"
    output = ("--output=out.log", "--max_bytes=20", "--backups=9")
    taskid = str(detach(*output, "--", "sh", "-c", script))
    with started("logs", taskid, "--follow") as process:
        assert line_of(process) == "first\n"
        with open("go", "w") as go:
            for word in ("a-long-second", "a-long-third", "a-long-fourth"):
                print(word, file=go, flush=True)
                assert line_of(process) == f"{word}\n"
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, "end", "")
    assert Path("out.log.1").exists()


def test_logs_that_there_are_none_of(launched: Tasks) -> None:
    """A task that writes where its launch does has no file; errors may be among the output."""
    run("launch", "--", "true")
    run("launch", "--output=out.log", "--", "true")
    assert run("logs", "1").stderr == "error: task 1 writes to no file; launch it with --output or --detach\n"
    ended = run("logs", "2", "--error")
    assert ended.stderr == "error: the errors of task 2 go where its output goes; leave out --error\n"
    assert run("logs", "2").stdout == ""


# -- list --follow -------------------------------------------------------------------------------


def test_list_follow_into_a_pipe_is_a_line_for_each_change(launched: Tasks) -> None:
    """What is new, what it says, how it stands, how it ended; in between nothing."""
    with started("list", "--follow", "--name=backup") as process:
        taskid = launched.run("backup")  # nothing is expected of it, so no status changes by time
        assert line_of(process).split()[:3] == [str(taskid), "backup", "running"]
        launched.feedfile(taskid).write_text("[progress]40\n[info]half way\n")
        assert line_of(process).endswith("40%  half way\n")
        launched.run("report")  # not wanted
        launched.end(taskid, Outcome.FAILED, code=3, why="exit code 3")
        assert line_of(process) == f"{taskid}  backup  failed  1.5s  exit code 3\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip() == ""


def test_list_follow_as_json(launched: Tasks) -> None:
    """One object a line; a status that changes by time alone is told, too."""
    first = launched.run("first")
    with started("list", "--follow", "--json") as process:
        assert json.loads(line_of(process))["id"] == first
        taskid = launched.run("backup", ago=1, expects=True, timeout=16)
        seen = [json.loads(line_of(process)) for _ in range(2)]
        assert [(task["id"], task["status"]) for task in seen] == [(taskid, "RUNNING"), (taskid, "SILENT")]
        launched.end(taskid)
        assert json.loads(line_of(process))["outcome"] == "done"


def test_list_follow_tells_of_a_launcher_that_was_killed(launched: Tasks) -> None:
    """T26 at this face: nobody writes anything, and yet it is told, and the task is in the history."""
    taskid = detach("--name=backup", "--", "sleep", "60")
    with Database(launched.path) as database:  # not later: to open it is a change, too
        task = running.get(database, taskid)
    assert task is not None
    with started("list", "--follow") as process:
        assert line_of(process).split()[:3] == [str(taskid), "backup", "running"]
        for keeper in task.keepers:  # so that neither has time to go on alone
            tree.send_signal(keeper, signal.SIGSTOP)
        for keeper in task.keepers:
            tree.send_signal(keeper, signal.SIGKILL)
        assert line_of(process).split()[:3] == [str(taskid), "backup", "lost"]
    assert living(launched, taskid) == []
    assert run("launch", "--name=backup", "--", "true").returncode == 0


class Terminal:
    """A command on a terminal of 80 columns, and what it has painted so far."""

    def __init__(self, *args: str) -> None:
        pid, self._fd = pty.fork()
        if pid == 0:
            os.environ |= {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
            os.execv(sys.executable, [*PROGRAM, *args])
        self._pid = pid
        self._code: int | None = None
        self.text = ""

    def until(self, words: str) -> str:
        """Read until it has painted some words after what was read before; returns that."""
        end = time.monotonic() + PATIENCE
        found = ""
        while words not in found:
            left = end - time.monotonic()
            assert select.select([self._fd], [], [], max(0.0, left))[0], f"no {words!r} in {found!r}"
            found += os.read(self._fd, 65536).decode()
        self.text += found
        return click.unstyle(found)

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self._fd, key.encode())

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        if self._code is None:
            end = time.monotonic() + PATIENCE
            with contextlib.suppress(OSError):  # EIO, when it has ended
                while select.select([self._fd], [], [], max(0.0, end - time.monotonic()))[0]:
                    self.text += os.read(self._fd, 65536).decode()
            os.close(self._fd)
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._code is None:
            os.kill(self._pid, signal.SIGKILL)
            self.wait()


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 130)])
def test_list_follow_on_a_terminal_is_a_table_in_place(launched: Tasks, key: str, code: int) -> None:
    """With a bar, and the last ends below; it goes by 'q' or Ctrl-C, and leaves a cursor."""
    taskid = launched.run("backup", ago=20, told="[progress]50\n[info]half way", expects=True, timeout=90)
    with Terminal("list", "--follow") as terminal:
        row = next(line for line in terminal.until("half way").splitlines() if "backup" in line)
        assert row.split()[:3] == [str(taskid), "backup", "running"]
        assert "███···  50%" in row
        assert len(row) <= 80
        launched.end(taskid, Outcome.FAILED, why="exit code 3", code=3)
        terminal.until("exit code 3")
        assert "No tasks." in click.unstyle(terminal.text)
        terminal.press(key)
        assert terminal.wait() == code
        assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")
        assert "Traceback" not in terminal.text


def test_wait_on_a_terminal_shows_how_far_it_is(launched: Tasks) -> None:
    """A bar that is gone when all is over; what is left is one line."""
    taskid = launched.run("backup", ago=20, told="[progress]50", expects=True, timeout=90)
    with Terminal("wait", str(taskid)) as terminal:
        assert "███···  50%" in terminal.until("50%")
        launched.feedfile(taskid).write_text("[progress]75")
        terminal.until("75%")
        launched.end(taskid, Outcome.FAILED, why="exit code 3", code=3)
        assert terminal.wait() == 3
        assert click.unstyle(terminal.text).endswith(f"{taskid}  backup  failed  1.5s  exit code 3\r\n")
