"""``launch.py`` as its document has it, and ``control.py`` beside what runs: real scripts, real commands."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e import procs
from tests.e2e.desk import PATIENCE, Desk, run_examples
from tests.e2e.project import ROOT, TOOLS, run_tool

TESTPROG = str(ROOT / "tests/watch/testprog.py")


def test_t5_expired_reservation_is_not_launched(desk: Desk) -> None:
    """T5: the id is gone, and nothing is started."""
    taskid = desk.done("--reserve").split()[1]
    desk.sql("UPDATE tasks SET reservetime = reservetime - 60")
    ended = desk.launch("--taskid", taskid, "--", "touch", "started")
    assert (ended.returncode, ended.stderr) == (1, f"taskid={taskid} is not clear to start\n")
    assert desk.tasks() == {}
    assert not (desk.directory / "started").exists()


def test_texts_given_at_reservation_are_kept(desk: Desk) -> None:
    """The original dropped them; a launch that gives others is stronger. T28: the history has them."""
    words = ("--info1", "a", "--info2", "b", "--info3", "c")
    desk.done("--reserve", "--taskname", "job", *words)
    assert [desk.tasks()["1"][f"info{number}"] for number in (1, 2, 3)] == ["a", "b", "c"]
    assert desk.launch("--taskid", 1, "--info2", "B", "--", "true").returncode == 0
    (row,) = desk.past()
    assert [row[f"info{number}"] for number in (1, 2, 3)] == ["a", "B", "c"]
    assert row["taskname"] == "job"


def test_t7_launch_of_an_unknown_id_starts_nothing(desk: Desk) -> None:
    """T7: the words of the original, exit code 1."""
    ended = desk.launch("--taskid", 9, "--", "touch", "started")
    assert (ended.returncode, ended.stdout) == (1, "Command_line=touch started\n")
    assert ended.stderr == "taskid=9 is not clear to start\n"
    assert not (desk.directory / "started").exists()


def test_t9_feedback_without_a_task_id_is_refused(desk: Desk) -> None:
    """T9: the words of the original, exit code 1, for an empty id and for none."""
    for words in (("--taskid", ""), ()):
        ended = desk.launch(*words, "--", "touch", "--feedback", "started")
        assert ended.returncode == 1
        assert ended.stderr == ("taskid is required if task is expected to feedback, --feedback is set\n")
    assert (desk.tasks(), desk.past()) == ({}, [])


def test_t10_arguments_arrive_as_they_were_given(desk: Desk) -> None:
    """T10: blanks stay, a further ``--`` as well; the command line comes first."""
    ended = desk.launch("--", "printf", "%s|", "a  b", "--", "", "--db")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Command_line=printf %s| a  b --  --db\na  b|--||--db|"


@pytest.mark.parametrize(
    ("command", "code", "signal", "words"),
    [
        (("true",), 0, "", ""),
        (("sh", "-c", "exit 7"), 7, "", "exit code 7"),
        (("sh", "-c", "kill -TERM $$"), 143, "SIGTERM", "ended by signal 15 (SIGTERM)"),
        (("sh", "-c", "kill -KILL $$"), 137, "SIGKILL", "ended by signal 9 (SIGKILL)"),
        (("no-such-command",), 127, "", "command not found: no-such-command"),
    ],
    ids=["well", "exit-7", "term", "kill", "missing"],
)
def test_t11_end_of_the_command_is_the_launchers(
    desk: Desk, command: Sequence[str], code: int, signal: str, words: str
) -> None:
    """T11: five ends, five exit codes and five rows; with ``--compat-rc`` each is 0, as it was."""
    assert desk.launch("--", *command).returncode == code
    assert desk.launch("--compat-rc", "--", *command).returncode == 0
    ends = [(row["termsignal"], row["termerror"]) for row in desk.past()]
    assert ends == [(signal, words), (signal, words)]


def test_command_may_be_given_as_one_text(desk: Desk) -> None:
    """As the document's usage says; quotes are those of a shell."""
    ended = desk.launch("--command", "sh -c 'echo \"$0\"' 'a  b'")
    assert ended.stdout == 'Command_line=sh -c echo "$0" a  b\na  b\n'


def test_launch_cases_of_the_originals_tests(desk: Desk) -> None:
    """launch10: a sleep without a task id. launch20: progress under a reserved id, with texts and no name."""
    prog = (sys.executable, TESTPROG, "--scenario")
    assert desk.launch("--", *prog, "sleeping", "--sleep", "0.1").returncode == 0
    taskid = desk.done("--reserve").split()[1]
    texts = ("--info1", "INFO1", "--info2", "INFO2", "--info3", "INFO3")
    file = desk.directory / f"feedback_{taskid}.log"
    words = ("--taskid", taskid, "--feedpath", desk.directory, "--timeout", 10, *texts)
    ended = desk.launch(*words, "--", *prog, "progressing", "--feedback", file, "--delay", "0.0001")
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second = desk.past()
    assert first["termerror"] == second["termerror"] == ""
    assert [second[f"info{number}"] for number in (1, 2, 3)] == ["INFO1", "INFO2", "INFO3"]
    assert json.loads(second["feedback"])["progress"] == "100"
    assert not file.exists()


def test_refusals_of_launch_are_one_line_on_stderr(desk: Desk) -> None:
    """The literal words of the original and what to do; exit code 1, where it was 0."""
    ended = run_tool("launch.py", "--db", "none.db", "--", "true", cwd=desk.directory)
    assert ended.returncode == 1
    assert ended.stderr.startswith("db file none.db does not exist; ")
    assert len(ended.stderr.splitlines()) == 1
    taskid = desk.done("--reserve").split()[1]
    ended = desk.launch("--taskid", taskid, "--feedpath", "nowhere", "--", "true", "--feedback", "x")
    assert ended.returncode == 1
    assert ended.stderr.startswith("feedpath does not exist or is not a directory")
    assert len(ended.stderr.splitlines()) == 1


def test_detached_task_runs_on_by_itself(desk: Desk) -> None:
    """Its id is told; it is found in the list and can be killed."""
    ended = desk.launch("--detach", "--name", "free", "--", "sleep", "60")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Command_line=sleep 60\nTaskid 1 has been started\n"
    task = desk.tasks()["1"]
    assert (task["name"], task["status"]) == ("free", "RUNNING")
    assert desk.done("--kill", 1) == ""
    assert procs.wait_gone([task["pid"]], 0.0) == []


def test_t22_feedback_of_a_task_is_printed_as_it_is_now(desk: Desk) -> None:
    """T22: the parsed JSON of a task that runs, afterwards its last words; an id nobody has is refused."""
    taskid = desk.done("--reserve").split()[1]
    file = desk.directory / f"feedback_{taskid}.log"
    writer = ("sh", "-c", 'echo "[step]1" >"$2"; echo ready; read line; echo "[step]2" >>"$2"', "sh")
    with desk.running("--taskid", taskid, command=(*writer, "--feedback", str(file))) as launcher:
        assert desk.done("task", "--feedback", taskid) == '{"step": "1"}\n'
        assert desk.done("--feedback", taskid) == '{"step": "1"}\n'
        task = desk.tasks()[taskid]
        assert (task["status"], task["feedback"], task["timeout"]) == ("RUNNING", 1, 30)
        assert launcher.stdin is not None
        launcher.stdin.close()
        assert launcher.wait(PATIENCE) == 0
    assert desk.done("--feedback", taskid) == '{"step": "2"}\n'
    assert "unknown taskid 99" in desk.refused("--feedback", 99)


def test_t14_list_tells_how_a_task_stands_now(desk: Desk) -> None:
    """T14: by the age of its feedback at the time of the look; also how long it runs."""
    taskid = desk.done("--reserve").split()[1]
    file = desk.directory / f"feedback_{taskid}.log"
    command = ("sh", "-c", 'echo "[a]1" >"$2"; echo ready; read line', "sh", "--feedback", str(file))
    with desk.running("--taskid", taskid, "--timeout", 40, command=command):
        desk.sql("UPDATE tasks SET starttime = starttime - 100")
        stands = []
        for age in (5, 15, 25, 35):
            os.utime(file, (time.time() - age,) * 2)
            task = desk.tasks()[taskid]
            assert 100 <= task["duration"] < 100 + PATIENCE
            stands.append(task["status"])
    assert stands == ["RUNNING", "SILENT", "STALLED", "STALLED"]


def test_t23_kill_ends_the_whole_tree(desk: Desk) -> None:
    """T23: within a second, a child of a child as well; the history says by what."""
    command = ("sh", "-c", "sleep 77 & echo ready; wait")
    with desk.running(command=command) as launcher:
        pid = desk.tasks()["1"]["pid"]
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert desk.done("--kill", 1) == ""
        assert procs.wait_gone([pid, int(child)], 0.0) == []
        assert launcher.wait(PATIENCE) == 143
    (row,) = desk.past()
    assert row["termsignal"] == "SIGTERM"
    assert row["termerror"].startswith("killed on request")
    assert desk.done("--list") == "No tasks.\n"


def test_t25_killall_ends_all_of_a_name_and_survives(desk: Desk) -> None:
    """T25: those that run; one only reserved does not end ``control.py``, nor does a name nobody has."""
    assert desk.done("--killall", "nobody") == ""
    desk.done("--reserve", "--taskname", "job")
    with desk.running("--name", "job") as one, desk.running("--name", "job") as other:
        assert desk.done("--killall", "job") == ""
        assert (one.wait(PATIENCE), other.wait(PATIENCE)) == (143, 143)
    assert [row["taskname"] for row in desk.past()] == ["job", "job"]


def test_t29_update_writes_durations_and_no_more(desk: Desk) -> None:
    """T29: ``lastupdate`` is when somebody saw the task, and stays."""
    with desk.running():
        desk.sql("UPDATE tasks SET starttime = starttime - 100, lastupdate = 17")
        assert desk.done("database", "--update") == ""
        with closing(sqlite3.connect(desk.db)) as connection:
            duration, last = connection.execute("SELECT duration, lastupdate FROM tasks").fetchone()
    assert 100 <= duration < 100 + PATIENCE
    assert last == 17


def test_database_is_not_emptied_under_a_running_task(desk: Desk) -> None:
    """T1: unless --force says so; the task comes into the history all the same."""
    with desk.running() as launcher:
        assert "--force" in desk.refused("--initialize")
        assert desk.done("database", "--initialize", "--force") == f"Initializing database {desk.db}\n"
        assert desk.done("--list") == "No tasks.\n"
        assert launcher.stdin is not None
        launcher.stdin.close()
        assert launcher.wait(PATIENCE) == 1  # what `read` says at the end of its input
    assert len(desk.past()) == 1
    assert desk.done("--initialize") == f"Initializing database {desk.db}\n"
    assert (desk.past(), desk.done("--reserve")) == ([], "Taskid 1 has been reserved\n")


def test_detached_instances_are_all_told(desk: Desk) -> None:
    """Each has an id; what cannot be executed is told as ever."""
    ended = desk.launch("--detach", "--instances", 2, "--", "true")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(ended.stdout.splitlines()[1:]) == ["Taskid 1 has been started", "Taskid 2 has been started"]
    missing = desk.launch("--detach", "--", "no-such-command")
    assert (missing.returncode, missing.stdout) == (127, "Command_line=no-such-command\n")
    assert missing.stderr == "launch.py: task 3: command not found: no-such-command\n"
    assert desk.launch("--detach", "--compat-rc", "--", "no-such-command").returncode == 0


def test_bytes_that_are_no_text_arrive_as_they_are(desk: Desk) -> None:
    """In the line and at the command, whatever the locale."""
    words: list[str | bytes] = [sys.executable, str(TOOLS / "launch.py"), "--db", str(desk.db)]
    words += ["--", "printf", "%s", b"a\xff"]
    ended = subprocess.run(words, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, b"Command_line=printf %s a\xff\na\xff")


def test_place_and_program_whose_names_are_no_text(desk: Desk) -> None:
    """The kernel knows bytes; the history shows which, on one line."""
    place = os.fsdecode(b"d\xff")
    (desk.directory / place).mkdir()
    (desk.directory / place / place).symlink_to("/bin/pwd")
    words = [sys.executable, TOOLS / "launch.py", "--db", desk.db, "--", f"./{place}"]
    ended = subprocess.run(words, cwd=desk.directory / place, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.endswith(b"/d\xff\n")
    assert "| d\\udcff              |" in desk.done("--history", "--human")


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "| true"])
def test_command_runs_though_nobody_reads(desk: Desk, closed: str) -> None:
    """A stream that is closed or broken is no reason to leave the command."""
    line = f"{sys.executable} {TOOLS}/launch.py --db {desk.db} -- touch started {closed}"
    subprocess.run(["bash", "-c", line], cwd=desk.directory, check=True)
    assert (desk.directory / "started").exists()


def test_why_a_command_was_ended_is_said_on_stderr(desk: Desk) -> None:
    """With the name of the script, since the command writes there, too."""
    ended = desk.launch("--max_runtime", "0.1s", "--", "sleep", 60)
    assert (ended.returncode, ended.stderr) == (124, "launch.py: task 1: ran longer than 0.1 s\n")


def test_t30_no_litter(desk: Desk) -> None:
    """T30: nothing but the database in the directory."""
    assert desk.launch("--", "true").returncode == 0
    assert {name for name in os.listdir(desk.directory) if not name.startswith("tasks.db")} == set()


def test_every_example_of_the_help_runs(tmp_path: Path) -> None:
    """In the order in which they stand, as a reader would type them."""
    run_tool("control.py", "--initialize", cwd=tmp_path)
    run_examples(tmp_path, "launch.py")
    desk = Desk(tmp_path, "sqlite.db")
    desk.done("--killall", "sleep")
    assert len(desk.past()) == 4
