"""Names and paths are bytes to the kernel; those that are no text come back from the database unchanged."""

from __future__ import annotations

from context_bus.watch import history, running
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim, Places, claim
from context_bus.watch.values import Ending, Filter, Outcome

ODD = "d\udcff\u00e9"


def test_task_and_history_keep_every_byte(database: Database) -> None:
    """Program, directory and files of a task; and the words that name them when it has ended."""
    places = Places(f"/{ODD}/feedback_1.log", f"/{ODD}/out", f"/{ODD}/err")
    facts = Claim((f"./{ODD}", ODD), cwd=f"/{ODD}", places=lambda taskid: places)
    task = running.get(database, claim(database, 1000.0, None, facts))
    assert task is not None
    assert (task.name, task.cwd, task.argv) == (ODD, f"/{ODD}", (f"./{ODD}", ODD))
    assert (task.feedfile, task.output, task.error) == places
    ending = Ending("", f"command not found: {ODD}", 127, Outcome.NOTFOUND, 127)
    history.archive(database, task, ending, "{}", 1001.0, 1.0)
    for (past,) in ([*history.past(database, Filter())], [*history.in_order(database)]):
        assert (past.taskname, past.termerror, past.output) == (ODD, ending.termerror, places.output)
        assert (past.argv, past.feedback) == (task.argv, "{}")
