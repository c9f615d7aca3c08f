"""``task reserve``, ``list``, ``feedback``, ``update`` and ``init``: what they print and refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from context_bus.cli.main import context_bus
from context_bus.watch import running
from context_bus.watch.database import Database
from context_bus.watch.values import Outcome
from tests.cli.conftest import Call
from tests.cli.tasks import Tasks

# -- reserve -------------------------------------------------------------------------------------


def test_reserve_prints_the_bare_id(tasks: Tasks, call: Call) -> None:
    """For scripts: nothing but the number, or one JSON object; no id comes twice."""
    ended = call("task", "reserve")
    assert (ended.code, ended.out, ended.err) == (0, "1\n", "")
    assert call("task", "reserve", "--json").out == '{"taskid": 2}\n'


def test_reserve_keeps_name_and_texts(tasks: Tasks, call: Call) -> None:
    """They are in the row until the launch takes it up."""
    call("task", "reserve", "--name", "backup", "--info1", "one", "--info3", "three")
    with Database(tasks.path) as database:
        (task,) = running.tasks(database)
    assert (task.name, task.info1, task.info2, task.info3) == ("backup", "one", None, "three")


@pytest.mark.parametrize(
    ("option", "fitting"), [(("--unique",), 1), (("--at_most", "2"), 2), (("--at-most=2",), 2)]
)
def test_reserve_refuses_one_too_many_of_a_name(
    tasks: Tasks, call: Call, option: tuple[str, ...], fitting: int
) -> None:
    """As many as may be are given, the next one is refused with 7; another name is another matter."""
    for _ in range(fitting):
        assert call("task", "reserve", "--name", "backup", *option).code == 0
    ended = call("task", "reserve", "--name", "backup", *option)
    assert (ended.code, ended.out) == (7, "")
    assert ended.error.startswith("Could not reserve task, ")
    assert call("task", "reserve", "--name", "other", *option).code == 0


# -- the database --------------------------------------------------------------------------------


def test_first_reservation_makes_the_default_database(nowhere: Path, call: Call) -> None:
    """Whoever names no database has one of his own, not to be read by others."""
    assert call("task", "reserve").out == "1\n"
    assert nowhere.is_file()
    assert nowhere.parent.stat().st_mode & 0o777 == 0o700
    assert call("task", "list").out.splitlines()[1].split() == ["1", "reserved"]


@pytest.mark.parametrize(
    ("args", "out", "err"),
    [
        (["list"], "No tasks.\n", ""),
        (["list", "--json"], "[]\n", ""),
        (["history"], "", "no task has ended yet\n"),
        (["history", "--json"], "[]\n", ""),
        (["update"], "0 tasks\n", ""),
        (["clear", "--all"], "0 tasks deleted from the history\n", ""),
        (["killall", "backup"], "0 tasks ended\n", ""),
        (["killall", "backup", "--json"], '{"ended": 0}\n', ""),
        (["clear", "--all", "--json"], '{"deleted": 0}\n', ""),
        (["update", "--json"], '{"tasks": 0}\n', ""),
    ],
    ids=" ".join,
)
def test_default_database_that_is_not_there_holds_nothing(
    nowhere: Path, call: Call, args: list[str], out: str, err: str
) -> None:
    """To look makes nothing, and is no error."""
    ended = call("task", *args)
    assert (ended.code, ended.out, ended.err) == (0, out, err)
    assert not nowhere.parent.exists()


@pytest.mark.parametrize(
    "args", [["list"], ["reserve"], ["history"], ["kill", "1"], ["update"]], ids=" ".join
)
def test_named_database_that_is_not_there_is_an_error(tmp_path: Path, call: Call, args: list[str]) -> None:
    """A slip in a name makes no second database."""
    ended = call("task", *args, "--db", str(tmp_path / "no.db"))
    assert (ended.code, ended.out) == (9, "")
    assert "no.db does not exist" in ended.error
    assert not (tmp_path / "no.db").exists()


def test_init_makes_and_empties(tmp_path: Path, call: Call) -> None:
    """T1 at this face: made when it is not there; emptied when it is, and ids begin at 1 again."""
    db = f"--db={tmp_path / 'new/tasks.db'}"
    assert call("task", "init", db).out == f"{tmp_path}/new/tasks.db is ready, and empty\n"
    assert [call("task", "reserve", db).out for _ in range(2)] == ["1\n", "2\n"]
    assert call("task", "init", db).code == 0
    assert call("task", "list", db).out == "No tasks.\n"
    assert call("task", "reserve", db).out == "1\n"


def test_init_refuses_while_a_task_runs(tasks: Tasks, call: Call) -> None:
    """--force has it all the same."""
    tasks.run()
    ended = call("task", "init")
    assert ended.code == 7
    assert "--force" in ended.error
    assert call("task", "init", "--force").code == 0
    assert call("task", "list").out == "No tasks.\n"


def test_init_leaves_other_files_alone(tmp_path: Path, call: Call) -> None:
    """A text is no database, and stays as it is."""
    file = tmp_path / "notes.txt"
    file.write_text("not to be lost")
    ended = call("task", "init", "--db", str(file))
    assert ended.code == 9
    assert "notes.txt is not an SQLite database" in ended.error
    assert file.read_text() == "not to be lost"


# -- list ----------------------------------------------------------------------------------------


def test_list_shows_every_task(tasks: Tasks, call: Call) -> None:
    """T13 at this face: three reservations are three rows and three objects."""
    for name in ("one", "two", "three"):
        tasks.reserve(name)
    lines = call("task", "list").out.splitlines()
    assert [line.split() for line in lines] == [
        ["ID", "NAME", "STATUS"],
        ["1", "one", "reserved"],
        ["2", "two", "reserved"],
        ["3", "three", "reserved"],
    ]
    found = json.loads(call("task", "list", "--json").out)
    assert [(task["id"], task["name"], task["status"]) for task in found] == [
        (1, "one", "RESERVED"),
        (2, "two", "RESERVED"),
        (3, "three", "RESERVED"),
    ]


def test_list_leaves_out_what_is_not_wanted(tasks: Tasks, call: Call) -> None:
    """By name, and by whether they run."""
    tasks.reserve("backup")
    tasks.run("backup")
    tasks.run("report")
    ids = lambda *args: [task["id"] for task in json.loads(call("task", "list", "--json", *args).out)]  # noqa: E731
    assert ids() == [1, 2, 3]
    assert ids("--name", "backup") == [1, 2]
    assert ids("--running") == [2, 3]
    assert ids("--running", "--name", "backup") == [2]


@pytest.mark.parametrize(
    ("age", "status"), [(5, "running"), (15, "silent"), (25, "stalled"), (45, "stalled")]
)
def test_list_tells_the_status_by_the_age_of_the_feedback(
    tasks: Tasks, call: Call, age: int, status: str
) -> None:
    """T14 at this face: whatever the database says, the file knows better. Of 40 seconds."""
    taskid = tasks.run(ago=100, told="[step]1", expects=True, timeout=40)
    at = time.time() - age
    os.utime(tasks.feedfile(taskid), (at, at))
    row = call("task", "list").out.splitlines()[1]
    assert row.split()[2] == status
    assert f"{age}s/40s" in row or f"{age + 1}s/40s" in row


def test_list_shows_progress_and_words(tasks: Tasks, call: Call) -> None:
    """A quarter took a minute and a half, so four and a half are left."""
    tasks.run(ago=90, told="[info]Setting up\n[progress]25\n[case]7\n", info=("unseen", "", ""))
    tasks.run("report", info=("for", "", "me"))
    head, first, second = call("task", "list").out.splitlines()
    assert head.split() == ["ID", "NAME", "STATUS", "PID", "TIME", "PROGRESS", "LEFT", "HEARD", "INFO"]
    elapsed, share, left = first.split()[4:7]
    assert (elapsed[:3], share, left[:3]) == ("1m3", "25%", "4m3")
    assert first.endswith("Setting up case=7")
    assert second.endswith("for, me")


def test_list_as_json_tells_everything(tasks: Tasks, call: Call) -> None:
    """All columns, and what is known at this moment."""
    taskid = tasks.run(ago=10, told="[progress]50", expects=True, timeout=2.5, output=Path("/tmp/x.out"))
    (task,) = json.loads(call("task", "list", "--json").out)
    assert task["id"] == taskid
    assert task["argv"] == ["sleep", "60"]
    assert task["feedback"] == {"progress": "50"}
    assert task["expects_feedback"] is True
    assert (task["progress"], task["timeout"], task["output"]) == (0.5, 2.5, "/tmp/x.out")
    assert 10 <= task["duration"] < 20
    assert task["left"] == pytest.approx(task["duration"], abs=0.1)
    assert task["heard"] < 5
    assert task["keepers"] == [{"pid": os.getpid(), "ticks": task["ticks"]}]


def test_words_of_a_task_do_not_rule_the_terminal(tasks: Tasks, call: Call) -> None:
    """Line breaks and escapes in names and feedback are blanks."""
    tasks.run("a\nb\x1b[2J", told="[info]c\x1b[31m d\te")
    lines = call("task", "list").out.splitlines()
    assert len(lines) == 2
    assert "\x1b" not in lines[1]
    assert lines[1].split()[1:3] == ["a", "b"]


def test_list_imports_little(tasks: Tasks) -> None:
    """Prompts call it: no table of colours, no JSON library, no library of databases or processes."""
    tasks.run(told="[progress]1")
    code = (
        "import sys\nfrom context_bus.cli.border import run\nfrom context_bus.cli.main import context_bus\n"
        "assert run(context_bus, 'context-bus', ['task', 'list']) == 0\n"
        "heavy = {'rich', 'msgspec', 'zmq', 'psutil', 'sqlalchemy', 'watchfiles', 'asyncio'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


# -- feedback and update -------------------------------------------------------------------------


def test_feedback_of_a_task_that_runs_is_read_now_and_kept(tasks: Tasks, call: Call) -> None:
    """T22 at this face: its file as it stands; the database has it afterwards."""
    taskid = str(tasks.run(told="[step]1\n[name]Töpfer\n"))
    assert json.loads(call("task", "feedback", taskid, "--json").out) == {"step": "1", "name": "Töpfer"}
    tasks.feedfile(int(taskid)).write_text("[step]2\n")
    ended = call("task", "feedback", taskid)
    assert [line.split() for line in ended.out.splitlines()] == [["KEYWORD", "VALUE"], ["step", "2"]]
    with Database(tasks.path) as database:
        assert json.loads(running.last_feedback(database, int(taskid))) == {"step": "2"}


def test_feedback_of_a_task_that_has_ended_is_its_last(tasks: Tasks, call: Call) -> None:
    """From the history; text of an older program comes as it is."""
    first = tasks.ended(feedback='{"result": "ok"}')
    second = tasks.ended(feedback="to be implemented")
    third = tasks.ended()
    assert json.loads(call("task", "feedback", str(first), "--json").out) == {"result": "ok"}
    assert call("task", "feedback", str(second)).out == "to be implemented\n"
    assert call("task", "feedback", str(third)).err == f"task {third} has reported nothing\n"
    assert call("task", "feedback", str(third), "--json").out == "{}\n"


def test_update_refreshes_durations_and_nothing_else(tasks: Tasks, call: Call) -> None:
    """T29 at this face: who was last seen when stays as it is."""
    tasks.run(ago=50)
    with Database(tasks.path) as database:
        (before,) = running.tasks(database)
        assert call("task", "update").out == "1 task\n"
        (after,) = running.tasks(database)
    assert (before.duration, after.lastupdate) == (0, before.lastupdate)
    assert after.duration is not None
    assert 50 <= after.duration < 60


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["feedback", "99"], 7, "unknown taskid 99; it has ended or never was"),
        (["feedback", "first"], 2, "'first' is no task id; expected a number such as 7"),
        (["feedback", "0"], 2, "'0' is no task id"),
        (["wait", "1", str(2**63)], 2, "is no task id"),
        (["feedback"], 2, "missing argument 'ID'"),
        (["logs", "99"], 7, "unknown taskid 99"),
        (["logs", "1"], 7, "task 1 writes to no file; launch it with --output or --detach"),
        (["wait", "99"], 7, "unknown taskid 99"),
        (["wait"], 2, "missing argument 'ID...'"),
        (["wait", "1", "--timeout=-1"], 2, "'-1' is not at least 0 seconds"),
        (["kill", "99"], 7, "unknown taskid 99; it has ended or never was"),
        (["kill", "2"], 7, "task 2 is in status reserved, not running, won't kill"),
        (["kill", "1", "--signal", "HUPP"], 2, 'did you mean "SIGHUP"?'),
        (["kill", "1", "--signal", "77"], 2, "'77' is no number of a signal"),
        (["kill", "1", "--signal", "STOP"], 2, "suspends a process and does not end it"),
        (["kill", "1", "--grace", "soon"], 2, "'soon' is not a number of seconds"),
        (["killall"], 2, "missing argument 'NAME'"),
        (["launch"], 2, "missing argument '-- COMMAND [ARGUMENT]...'"),
        (["launch", "--timeout=-3", "--", "true"], 2, "'-3' is not above 0 seconds"),
        (["launch", "--env", "PATH", "--", "true"], 2, "'PATH' sets nothing; expected NAME=VALUE"),
        (["launch", "--max_runtime", "soon", "--", "true"], 2, '"soon" is no duration'),
        (["launch", "--max_bytes", "0", "--output=x", "--", "true"], 2, "'0' is no size at all"),
        (["launch", "--bus", "here", "--", "true"], 2, "'here' is no endpoint"),
        (
            ["launch", "--feedpath", "/nowhere", "--", "true"],
            7,
            "feedpath does not exist or is not a directory",
        ),
        (
            ["launch", "--", "sleep", "--feedback", "x"],
            7,
            "taskid is required if task is expected to feedback",
        ),
        (["reserve", "--unique"], 2, "--unique and --at_most are about a name; add --name"),
        (["reserve", "--name=x", "--at_most=0"], 2, "0 is not in the range x>=1"),
        (["list", "--db", "/"], 2, "File '/' is a directory"),
        (["lsit"], 2, "no such command 'lsit'; did you mean 'list'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_slip_is_one_line(tasks: Tasks, call: Call, args: list[str], code: int, words: str) -> None:
    """What is wrong and what to do, and nothing is done. T9 and T24 at this face."""
    tasks.run()
    tasks.reserve()
    ended = call("task", *args)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.error
    assert [task["id"] for task in json.loads(call("task", "list", "--json").out)] == [1, 2]


# -- completion ----------------------------------------------------------------------------------


def completed(*words: str) -> list[str]:
    """What a shell would offer for the last word."""
    shell = ShellComplete(context_bus, {}, "context-bus", "_CONTEXT_BUS_COMPLETE")
    return [item.value for item in shell.get_completions(["task", *words[:-1]], words[-1])]


def test_ids_and_names_are_completed(tasks: Tasks) -> None:
    """Those that run, then the ended ones where those are of use; each only once."""
    ended = str(tasks.ended("report", Outcome.FAILED))
    first, second = str(tasks.run("backup")), str(tasks.run("backup"))
    assert completed("feedback", "") == [first, second, ended]
    assert completed("kill", "") == [first, second]
    assert completed("wait", first, "") == [second, ended]
    assert completed("history", "--name", "") == ["backup", "report"]
    assert completed("stats", "r") == ["report"]
    assert completed("killall", "") == ["backup"]


def test_nothing_is_completed_where_nothing_is(nowhere: Path) -> None:
    """Neither an error nor a database comes of it."""
    assert completed("kill", "") == []
    assert completed("kill", "--db", "/nowhere/x.db", "") == []
    assert not nowhere.parent.exists()
