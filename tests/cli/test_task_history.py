"""``task history``, ``clear`` and ``stats``: what they print of what has ended, and what they delete."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest

from context_bus.watch.values import Outcome, Past
from tests.cli.conftest import Call
from tests.cli.tasks import Tasks

HOUR = 3600.0


@pytest.fixture
def ended(tasks: Tasks) -> Tasks:
    """Three backups, of which one failed yesterday, and a report that was killed."""
    tasks.ended("backup", Outcome.FAILED, code=7, why="exit code 7", ago=30 * HOUR + 5, elapsed=0.05)
    tasks.ended("backup", ago=2 * HOUR, elapsed=65.0, feedback='{"info": "all saved", "files": "3"}')
    tasks.ended("backup", ago=HOUR + 5, elapsed=3.21)
    why = "killed on request: signal 15 (SIGTERM)"
    tasks.ended("report", Outcome.KILLED, code=None, signal="SIGTERM", why=why, elapsed=9.0)
    return tasks


def rows(text: str) -> list[str]:
    """Lines of a table, without its head."""
    return text.splitlines()[1:]


def test_history_shows_the_last_one_first(ended: Tasks, call: Call) -> None:
    """Who, how, when, how long, why; times of today without the date."""
    shown = call("task", "history")
    assert (shown.code, shown.err) == (0, "")
    head, *lines = shown.out.splitlines()
    assert head.split() == ["ID", "NAME", "OUTCOME", "ENDED", "TOOK", "WHY"]
    assert [line.split()[:3] for line in lines] == [
        ["4", "report", "killed"],
        ["3", "backup", "done"],
        ["2", "backup", "done"],
        ["1", "backup", "failed"],
    ]
    assert [each in line for line, each in zip(lines, ("9.0s", "3.2s", "1m05s", "50ms"), strict=True)] == [
        True
    ] * 4
    assert lines[0].endswith("killed on request: signal 15 (SIGTERM)")
    assert time.strftime("%Y-%m-%d %H:%M", time.localtime(ended.past()[3].endtime)) in lines[3]


@pytest.mark.parametrize(
    ("args", "ids"),
    [
        (["--name", "backup"], [3, 2, 1]),
        (["--failed"], [4, 1]),
        (["--failed", "--name", "backup"], [1]),
        (["--since", "90m"], [4, 3]),
        (["--until", "90m"], [2, 1]),
        (["--since", "25h", "--until", "30m ago"], [3, 2]),
        (["--limit", "1"], [4]),
        (["--name", "nobody"], []),
    ],
    ids=lambda value: (
        " ".join(value) if isinstance(value, list) and value and isinstance(value[0], str) else None
    ),
)
def test_history_is_filtered(ended: Tasks, call: Call, args: list[str], ids: list[int]) -> None:
    """The same rows as a table, as JSON and as CSV."""
    assert [int(line.split()[0]) for line in rows(call("task", "history", *args).out)] == ids
    assert [row["taskid"] for row in json.loads(call("task", "history", "--json", *args).out)] == ids
    found = csv.DictReader(io.StringIO(call("task", "history", "--csv", *args).out))
    assert [int(row["taskid"]) for row in found] == ids


def test_history_as_json_and_csv_tells_everything(ended: Tasks, call: Call) -> None:
    """T28 at this face: all columns; what was reported is an object."""
    found = json.loads(call("task", "history", "--json", "--name", "backup").out)
    assert list(found[1]) == list(Past._fields)
    assert found[1]["feedback"] == {"info": "all saved", "files": "3"}
    assert (found[1]["elapsed"], found[1]["duration"]) == (65.0, 65)
    assert found[1]["endtime"] - found[1]["starttime"] == 65
    assert found[2]["argv"] == ["sleep", "60"]
    (row, *_) = csv.DictReader(io.StringIO(call("task", "history", "--csv", "--failed").out))
    assert list(row) == list(Past._fields)
    assert (row["termsignal"], row["exitcode"], json.loads(row["argv"])) == ("SIGTERM", "", ["sleep", "60"])


def test_history_shows_feedback_if_wanted(ended: Tasks, call: Call) -> None:
    """As pairs on one line."""
    assert "all saved" not in call("task", "history").out
    assert "info=all saved files=3" in call("task", "history", "--feedback").out


def test_long_history(tasks: Tasks, call: Call) -> None:
    """T27 at this face: a table shows the last of 45, and says how many more; JSON and CSV give all."""
    for _ in range(45):
        tasks.ended()
    shown = call("task", "history")
    assert len(rows(shown.out)) == 20
    assert shown.err == "25 more; see them with --limit 45\n"
    shown = call("task", "history", "--limit", "45")
    assert (len(rows(shown.out)), shown.err) == (45, "")
    assert len(json.loads(call("task", "history", "--json").out)) == 45
    assert len(call("task", "history", "--csv").out.splitlines()) == 46
    assert call("task", "clear", "--all").out == "45 tasks deleted from the history\n"
    assert json.loads(call("task", "history", "--json").out) == []


@pytest.mark.parametrize(
    ("args", "count", "left"),
    [
        (["--all"], "4 tasks", []),
        (["--name", "backup", "--failed"], "1 task", [4, 3, 2]),
        (["--until", "90m"], "2 tasks", [4, 3]),
        (["--since", "90m"], "2 tasks", [2, 1]),
        (["--name", "nobody"], "0 tasks", [4, 3, 2, 1]),
    ],
    ids=lambda value: (
        " ".join(value) if isinstance(value, list) and value and isinstance(value[0], str) else None
    ),
)
def test_clear_deletes_what_is_chosen(
    ended: Tasks, call: Call, args: list[str], count: str, left: list[int]
) -> None:
    """And says how many; tasks that run are not among them."""
    running = ended.run()
    assert call("task", "clear", *args).out == f"{count} deleted from the history\n"
    assert [past.taskid for past in ended.past()] == left
    assert call("task", "list").out.splitlines()[1].split()[0] == str(running)


def test_stats_sum_up_the_runs_of_a_name(ended: Tasks, call: Call) -> None:
    """How often, how well, how long."""
    shown = dict(line.split("  ", 1) for line in rows(call("task", "stats", "backup").out))
    facts = {name: value.strip() for name, value in shown.items()}
    assert facts["runs"] == "3"
    assert facts["failures"] == "1 (33.3%)"
    assert facts["outcomes"] == "2 done, 1 failed"
    assert facts["last run"].endswith(", 1h00m ago")
    assert facts["last failure"].endswith(", 1d06h ago")
    assert (facts["took, minimum"], facts["took, p50"], facts["took, maximum"]) == ("50ms", "3.2s", "1m05s")
    found = json.loads(call("task", "stats", "backup", "--json").out)
    assert (found["name"], found["runs"], found["failures"]) == ("backup", 3, 1)
    assert found["outcomes"] == {"done": 2, "failed": 1}
    assert found["mean"] == pytest.approx(22.753, abs=0.01)


def test_stats_of_all_and_of_a_time(ended: Tasks, call: Call) -> None:
    """Whatever their names; or only of late."""
    assert json.loads(call("task", "stats", "--all", "--json").out)["runs"] == 4
    assert json.loads(call("task", "stats", "--all", "--since", "90m", "--json").out)["runs"] == 2


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["history", "--csv", "--json"], 2, "choose one of --csv and --json"),
        (["history", "--since", "often"], 2, "'often' is no time: expected a time ago such as 90s"),
        (["history", "--since", "1h", "--until", "2h"], 2, "--since must be before --until"),
        (["history", "--limit", "0"], 2, "0 is not in the range x>=1"),
        (["clear"], 2, "say which by --name, --since, --until or --failed; or --all for the whole history"),
        (["clear", "--all", "--failed"], 2, "--all is the whole history; leave out the rest"),
        (["stats"], 2, "say one of NAME and --all"),
        (["stats", "backup", "--all"], 2, "say one of NAME and --all"),
        (["stats", "nobody"], 9, "no task named 'nobody' has ended yet"),
        (["stats", "backup", "--since", "1m"], 9, "no task named 'backup' has ended since then"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_slip_is_one_line(ended: Tasks, call: Call, args: list[str], code: int, words: str) -> None:
    """What is wrong and what to do; nothing is deleted."""
    refused = call("task", *args)
    assert (refused.code, refused.out) == (code, "")
    assert words in refused.error
    assert len(ended.past()) == 4
