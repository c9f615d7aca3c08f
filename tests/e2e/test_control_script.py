"""``control.py`` as its document has it, at a database that nothing runs in: the real script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.desk import Desk, run_examples, the_refusal
from tests.e2e.project import TOOLS, run_tool


def test_t2_first_reservation_is_told_and_listed(desk: Desk) -> None:
    """T2: id 1, in words; the row is RESERVED with its time and nothing else."""
    before = int(time.time())
    assert desk.done("task", "--reserve") == "Taskid 1 has been reserved\n"
    text = desk.done("task", "--list", "--json")
    at = json.loads(text)["1"]["reservetime"]
    assert before <= at <= time.time()
    assert text == (
        '{"1": {"name": "noname", "info1": null, "info2": null, "info3": null, "pid": null, '
        f'"status": "RESERVED", "feedback": null, "reservetime": {at}, "starttime": null, "duration": null, '
        '"lastupdate": null, "timeout": null}}\n'
    )


def test_t4_second_of_a_unique_name_is_refused(desk: Desk) -> None:
    """T4: the words of the original, on stderr; without a name it is about ``noname``."""
    words = "Could not reserve task, already exist and unique is set"
    assert desk.done("--reserve", "--taskname", "backup") == "Taskid 1 has been reserved\n"
    assert desk.refused("--reserve", "--unique", "--taskname", "backup") == words
    assert desk.done("task", "--reserve", "--unique") == "Taskid 2 has been reserved\n"
    assert desk.refused("task", "--reserve", "--unique", "--taskname", "") == words
    assert desk.done("--reserve", "--taskname", "backup") == "Taskid 3 has been reserved\n"


@pytest.mark.parametrize("by", [["--update"], ["database", "--update"], ["--reserve"]], ids=" ".join)
def test_t5_reservation_expires(desk: Desk, by: list[str]) -> None:
    """T5: some seconds old it is kept, later it is gone with the next update or reservation."""
    desk.done("--reserve")
    desk.done("--reserve")
    now = int(time.time())
    desk.sql("UPDATE tasks SET reservetime = ? WHERE id = ?", [(now - 60, 1), (now - 2, 2)])
    desk.done(*by)
    assert list(desk.tasks())[:1] == ["2"]


def test_t13_all_tasks_are_listed(desk: Desk) -> None:
    """T13: a row for each of three, as table and as JSON; both grammars print the same."""
    assert desk.done("--list") == desk.done("task", "--list") == "No tasks.\n"
    assert desk.done("--list", "--json") == "{}\n"
    for name in ("one", "two", "three"):
        desk.done("--reserve", "--taskname", name)
    table = desk.done("--list").splitlines()
    assert [len(line) for line in table] == [181] * 7
    assert [line.split("|")[1:3] for line in table[3:6]] == [
        ["        1 ", " one                  "],
        ["        2 ", " two                  "],
        ["        3 ", " three                "],
    ]
    members = [
        "name", "info1", "info2", "info3", "pid", "status", "feedback", "reservetime", "starttime",
        "duration", "lastupdate", "timeout",
    ]  # fmt: skip
    assert {taskid: list(task) for taskid, task in desk.tasks().items()} == dict.fromkeys("123", members)


def test_t24_kill_of_what_does_not_run_is_refused(desk: Desk) -> None:
    """T24: the words of the original, exit code 1, and nothing is killed."""
    assert desk.refused("task", "--kill", 99) == "unknown taskid, won't kill"
    desk.done("--reserve")
    words = "task is in status reserved, not running, won't kill"
    assert desk.refused("--kill", 1) == desk.refused("task", "--kill", 1) == words
    assert list(desk.tasks()) == ["1"]


def test_t27_history_is_listed_and_cleared(desk: Desk) -> None:
    """T27: a thousand rows as JSON and as table, in the order in which they ended; clearing says how many."""
    assert desk.done("--history") == desk.done("history", "--list") == "{}\n"
    assert [len(line) for line in desk.done("--history", "--human").splitlines()] == [180, 180, 180, 180]
    columns = "taskid, taskname, termsignal, termerror, starttime, endtime, duration, feedback, outcome"
    rows = [(number, f"t{number}", "", "", 5, 9, 4, "{}", "done") for number in range(1, 1001)]
    desk.sql(f"INSERT INTO history({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    found = json.loads(desk.done("history", "--list"))
    assert list(found) == [str(number) for number in range(1, 1001)]
    assert list(found["1"].items()) == [
        ("taskid", 1), ("taskname", "t1"), ("info1", None), ("info2", None), ("info3", None),
        ("termsignal", ""), ("termerror", ""), ("starttime", 5), ("endtime", 9), ("duration", 4),
        ("feedback", "{}"),
    ]  # fmt: skip
    table = desk.done("history", "--list", "--human").splitlines()
    assert len(table) == 1004
    assert table[3] == (
        "|        1 |        1 | t1                   | None         | None         | None         |"
        "           |           |             5 |           9 |        4 |                    {} |"
    )
    assert desk.done("--clear") == "1000 tasks cleared from the history\n"
    assert desk.done("--history") == "{}\n"
    desk.sql("INSERT INTO history(taskname, outcome) VALUES ('one', 'done')")
    assert desk.done("history", "--clear") == "1 task cleared from the history\n"


def test_missing_database_is_one_line(tmp_path: Path) -> None:
    """And no empty file is left; where none is named, it is ``sqlite.db``."""
    for words in (("--list",), ("task", "--reserve"), ("history", "--list"), ("--kill", "1")):
        line = the_refusal(run_tool("control.py", *words, cwd=tmp_path))
        assert line.startswith("db file sqlite.db does not exist; ")
    assert os.listdir(tmp_path) == []
    ended = run_tool("control.py", "database", "--initialize", "--update", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "Initializing database sqlite.db\n", "")
    assert (tmp_path / "sqlite.db").exists()


def test_t30_no_litter_unless_asked_for(desk: Desk) -> None:
    """T30: nothing but the database in the directory; --debug logs to stderr, --debug_file into a file."""
    desk.done("--list")
    desk.done("--history")
    beside = {name for name in os.listdir(desk.directory) if not name.startswith("tasks.db")}
    assert beside == set()
    assert desk.control("--debug", "--list").stdout == "No tasks.\n"
    assert desk.control("task", "-d", "--list").stdout == "No tasks.\n"
    assert desk.done("--debug_file", "own.log", "--list") == "No tasks.\n"
    assert (desk.directory / "own.log").exists()


def test_reader_who_leaves_is_no_error(desk: Desk) -> None:
    """``control.py --history | head -1``: silence."""
    rows = [(number, "n" * 100, "done") for number in range(5000)]
    desk.sql("INSERT INTO history(taskid, taskname, outcome) VALUES (?, ?, ?)", rows)
    line = f"{sys.executable} {TOOLS}/control.py --db {desk.db} --history --human | head -1"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("-" * 180 + "\n", "")


def test_feedback_that_the_original_left_is_a_text(desk: Desk) -> None:
    """It is no JSON; what is printed is."""
    columns = "taskid, termsignal, endtime, feedback, outcome"
    desk.sql(f"INSERT INTO history({columns}) VALUES (7, '0', 9, 'to be implemented', 'done')")
    assert desk.done("--feedback", 7) == '"to be implemented"\n'


def test_every_example_of_the_helps_runs(tmp_path: Path) -> None:
    """In the order in which they stand, as a reader would type them."""
    (tmp_path / "feedback_1.log").write_text("[a]1\n")
    for words in (["control.py"], ["control.py", "task"], ["control.py", "history"], ["parse.py"]):
        run_examples(tmp_path, *words)
    run_examples(tmp_path, "control.py", "database", **{"tasks.db": "sqlite.db"})
