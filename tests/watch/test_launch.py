"""Launching: what is run, and what is written down of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from context_bus.watch import reservation
from context_bus.watch.database import Database
from context_bus.watch.values import Outcome
from tests.watch.launching import Launching


def test_launch_needs_a_reservation(launching: Launching, tmp_path: Path) -> None:
    """T7: an id that is not reserved starts nothing."""
    result = launching.run("--taskid", "9", "--", "touch", "started")
    assert result.returncode == 7
    assert result.stderr == "context-bus: taskid=9 is not clear to start\n"
    assert not (tmp_path / "started").exists()
    assert not launching.past()


def test_launch_takes_up_a_reservation_once(launching: Launching, database: Database) -> None:
    """T7: the id is that of the reservation, and is not clear any more."""
    taskid = reservation.reserve(database, time.time(), "backup", info=("one", "", "three"))
    assert launching.run("--taskid", str(taskid), "--info2", "two", "--", "true").returncode == 0
    row = launching.only()
    assert (row.taskid, row.taskname) == (taskid, "backup")
    assert (row.info1, row.info2, row.info3) == ("one", "two", "three")
    assert launching.run("--taskid", str(taskid), "--", "true").returncode == 7


def test_launch_without_an_id_has_one(launching: Launching) -> None:
    """T8: a command that gives no feedback needs no reservation; its name is that of the program."""
    assert launching.run("--", "/bin/true").returncode == 0
    row = launching.only()
    assert (row.taskid, row.taskname, row.argv) == (1, "true", ("/bin/true",))
    assert row.outcome is Outcome.DONE


@pytest.mark.parametrize("words", [("--feedback", "f.log"), ("--feedback=f.log",)])
def test_feedback_by_argument_needs_an_id(launching: Launching, words: tuple[str, ...]) -> None:
    """T9: who tells a command where to write its feedback has to know the id before."""
    result = launching.run("--", "touch", "started", *words)
    assert result.returncode == 7
    expected = "taskid is required if task is expected to feedback, --feedback is set"
    assert result.stderr == f"context-bus: {expected}\n"
    assert not launching.past()


@pytest.mark.parametrize(
    "arguments", [("a  b", "", "-x"), ("--", "a", "--"), ("*", "$HOME", "`id`", "\n"), ("é", "\udcff")]
)
def test_arguments_come_as_they_are(launching: Launching, arguments: tuple[str, ...]) -> None:
    """T10: no blank, empty argument, later ``--`` or byte is lost or changed, and the history knows."""
    result = launching.run("--", "printf", "[%s]", *arguments, errors="surrogateescape")
    assert result.stdout == "".join(f"[{one}]" for one in arguments)
    assert launching.only().argv == ("printf", "[%s]", *arguments)


def test_ends_are_told_from_each_other(launching: Launching, tmp_path: Path) -> None:
    """T11: every way to end has an exit code and a row of its own."""
    plain = tmp_path / "plain"
    plain.write_text("no program")
    for argv, code, signal_name, words in (
        (["true"], 0, "", ""),
        (["sh", "-c", "exit 7"], 7, "", "exit code 7"),
        (["sh", "-c", "kill -TERM $$"], 143, "SIGTERM", "ended by signal 15 (SIGTERM)"),
        (["sh", "-c", "kill -KILL $$"], 137, "SIGKILL", "ended by signal 9 (SIGKILL)"),
        (["nosuch"], 127, "", "command not found: nosuch"),
        (["./plain"], 126, "", "not executable: ./plain: Permission denied"),
        ([""], 127, "", "command not found: "),
    ):
        result = launching.run("--", *argv)
        row = launching.past()[0]
        assert (result.returncode, row.termsignal, row.termerror) == (code, signal_name, words)
        assert row.exitcode == (None if signal_name else code)
        assert row.outcome is (
            Outcome.DONE if not code else Outcome.NOTFOUND if code in (126, 127) else Outcome.FAILED
        )
    assert launching.tasks() == []


def test_directory_that_is_missing_is_said(launching: Launching) -> None:
    """T11: it is neither the command's end nor a command that is not there."""
    result = launching.run("--cwd", "/no/such", "--", "true")
    assert result.returncode == 126
    words = "cannot enter /no/such: No such file or directory"
    assert result.stderr == f"context-bus: task 1: {words}\n"
    assert launching.only().termerror == words


def test_overhead_is_bounded(launching: Launching) -> None:
    """T12: a command of no length does not take a launcher's seconds; some load is allowed for."""
    launching.run("--", "true")
    began = time.monotonic()
    assert launching.run("--", "true").returncode == 0
    assert time.monotonic() - began < 3.0


def test_times_and_texts_are_kept(launching: Launching) -> None:
    """T28: to less than a second, and exactly as seconds that passed."""
    before = time.time()
    launching.run(
        *("--name", "n", "--info1", "a", "--info2", "b", "--info3", "c", "--", "sh", "-c", "sleep 1.2")
    )
    row = launching.only()
    assert (row.taskname, row.info1, row.info2, row.info3) == ("n", "a", "b", "c")
    assert row.elapsed is not None
    assert row.starttime is not None
    assert row.endtime is not None
    assert 1.2 <= row.elapsed < 1.2 + time.time() - before
    assert row.endtime - row.starttime == row.duration == round(row.elapsed)
    assert before - 1 <= row.starttime <= time.time()


def test_command_knows_its_task(launching: Launching, tmp_path: Path) -> None:
    """Where to write feedback, id and name are in its environment; feedback is asked of nobody."""
    script = 'echo "[progress]50" > "$CONTEXT_BUS_FEEDBACK"; echo "$CONTEXT_BUS_TASK_ID'
    result = launching.run("--name", "mine", "--", "sh", "-c", f'{script} $CONTEXT_BUS_TASK_NAME"')
    assert result.stdout == "1 mine\n"
    assert json.loads(launching.only().feedback) == {"progress": "50"}
    assert not list((tmp_path / "tasks.db.feedback").iterdir())


def test_feedback_left_from_earlier_is_none(launching: Launching, tmp_path: Path) -> None:
    """T18: it is moved aside, so that it is neither shown nor mistaken for a beat."""
    left = tmp_path / "feedback_1.log"
    left.write_text("[a]old\n")
    assert launching.run("--feedpath", str(tmp_path), "--", "true").returncode == 0
    assert launching.only().feedback == "{}"
    assert not left.exists()
    assert (tmp_path / "feedback_1.log.old").read_text() == "[a]old\n"


def test_feedpath_must_be_there(launching: Launching) -> None:
    """It is said before anything is written down."""
    result = launching.run("--feedpath", "nowhere", "--", "true")
    assert result.returncode == 7
    assert result.stderr.startswith("context-bus: feedpath does not exist or is not a directory: nowhere;")
    assert not launching.past()


def test_run_that_takes_too_long_is_ended(launching: Launching) -> None:
    """With all its processes, however deaf to SIGTERM."""
    script = "trap '' TERM; sleep 300 & wait; wait"
    result = launching.run("--max_runtime", "0.3", "--grace", "0.2", "--", "sh", "-c", script)
    assert result.returncode == 124
    row = launching.only()
    assert (row.outcome, row.termsignal, row.termerror) == (
        Outcome.TIMEOUT,
        "SIGKILL",
        "ran longer than 0.3 s",
    )


def test_history_is_kept_as_long_as_wanted(launching: Launching) -> None:
    """What ended before is deleted at the end of the next one."""
    launching.run("--", "true")
    launching.run("--retain", "3600", "--", "true")
    assert len(launching.past()) == 2
    launching.run("--retain", "-10", "--", "true")
    assert launching.past() == []


def test_place_is_what_was_asked_for(launching: Launching, tmp_path: Path) -> None:
    """Directory, variables, and the input, which is the launcher's unless it is to be closed."""
    place = tmp_path / "place"
    place.mkdir()
    words = ("--cwd", str(place), "--env", "A=b=c", "--", "sh", "-c", 'echo "$(pwd) $A $(cat)"')
    with open(launching.path.with_name("input"), "w+") as given:
        given.write("read")
        given.seek(0)
        assert launching.run(*words, stdin=given).stdout == f"{place} b=c read\n"
        given.seek(0)
        assert launching.run("--stdin", "close", *words, stdin=given).stdout == f"{place} b=c \n"


def test_launcher_hands_on_what_a_shell_would(launching: Launching) -> None:
    """Open descriptors, ignored signals and no others, nothing blocked."""
    read_end, write_end = os.pipe()
    argv = ("--", "sh", "-c", f"echo here > /dev/fd/{write_end}; grep -E '^Sig(Blk|Ign)' /proc/self/status")
    result = launching.run(*argv, pass_fds=(write_end,))
    os.close(write_end)
    with open(read_end) as told:
        assert told.read() == "here\n"
    fields = dict(line.split(":\t") for line in result.stdout.splitlines())
    assert int(fields["SigBlk"], 16) == 0
    assert int(fields["SigIgn"], 16) & 0x7FFFFFFF == _ignored_here()


def _ignored_here() -> int:
    """Signals that are ignored by who runs the tests, without those that Python itself ignores."""
    with open("/proc/self/status") as status:
        fields = dict(line.split(":\t") for line in status.read().splitlines() if ":\t" in line)
    return int(fields["SigIgn"], 16) & 0x7FFFFFFF & ~(1 << 12 | 1 << 24)


def test_nothing_is_left_lying_about(launching: Launching, tmp_path: Path) -> None:
    """T30: no log of ours, no file but the database and what belongs to it."""
    launching.run("--", "true")
    assert not list((tmp_path / "tasks.db.feedback").iterdir())
    names = {one.name for one in tmp_path.iterdir()}
    assert names <= {"tasks.db", "tasks.db-wal", "tasks.db-shm", "tasks.db.feedback"}
