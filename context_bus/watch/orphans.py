"""Ends and archives tasks whose keepers were killed. Knows the process table and the rows; not who looks.

A launcher that is killed with all its processes at once can do nothing any more: whoever looks at the
database next does it instead. One settles at a time, by a lock that goes with its process; whatever
instruction that one is killed at, the next begins again, and the history takes each task once.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

from context_bus.errors import StoreError
from context_bus.process import tree
from context_bus.watch import running
from context_bus.watch.values import Ending, Outcome, TaskStatus

if TYPE_CHECKING:
    from context_bus.process.tree import Identity
    from context_bus.watch.database import Database
    from context_bus.watch.values import Filter, Past, Task

#: Environment variable of all that a task starts: pid and start ticks of its watcher, and its id.
VARIABLE = "CONTEXT_BUS_TASK"
_BOOT = "/proc/sys/kernel/random/boot_id"


@functools.cache
def boot_id() -> str:
    """By what this boot of the machine is known."""
    with open(_BOOT) as file:
        return file.read().strip()


def living_keepers(task: Task) -> list[Identity]:
    """Those who see to the end of a task and still run."""
    return [one for one in task.keepers if tree.is_alive(one)] if is_of_this_boot(task) else []


def is_kept(task: Task) -> bool:
    """Whether anybody sees to its end."""
    return is_of_this_boot(task) and any(tree.is_alive(one) for one in task.keepers)


def is_command_alive(task: Task) -> bool:
    """Whether the very process of the command runs."""
    if task.pid is None or not is_of_this_boot(task):
        return False
    if task.ticks is None:  # an older program has left no more; it is not killed, but not forgotten either
        return tree.identify(task.pid) is not None
    return tree.is_alive(tree.Identity(task.pid, task.ticks))


def is_of_this_boot(task: Task) -> bool:
    """Whether its pids mean anything; those of an older program are taken at their word."""
    return task.boot is None or task.boot == boot_id()


def settle(
    database: Database, now: float, *, taskid: int | None = None, is_patient: bool = False
) -> list[Past]:
    """End what is left of tasks whose keepers are all dead, and archive them.

    With `onorphan` "adopt", a command that runs is given a new keeper, unless somebody wants it killed.
    Costs one look into /proc per task while nothing is wrong. What runs within a task that is to be ended is
    ended too, the caller not excepted; the next one to look goes on.

    Args:
        database: Where.
        now: Seconds since the epoch.
        taskid: Only this one.
        is_patient: Wait while somebody else settles; otherwise it is left to that one.

    Returns:
        What is in the history now. A task that another user must end is not, and stays as it is.

    Raises:
        StoreError: The database cannot be read or, by the patient, written: a list of a database that can
            only be read shows what is there.
    """
    lost = [one for one in running.tasks(database, reserved=False) if taskid in (None, one.id)]
    lost = [one for one in lost if _is_lost(one)]
    if not lost:
        return []
    settled: list[Past] = []
    with _turn(database, is_patient=is_patient) as is_ours:
        for one in lost if is_ours else ():
            try:
                past = _settle(database, one.id, now)
            except StoreError:
                if is_patient:
                    raise
                break
            settled += [past] if past is not None else []
    return settled


def _is_lost(task: Task) -> bool:
    if task.status is TaskStatus.RESERVED or is_kept(task):
        return False
    # An older program's launcher is known to nobody: while there is its pid, it may be seen to.
    return not (task.request is None and task.ticks is None and is_command_alive(task))


@contextlib.contextmanager
def _turn(database: Database, *, is_patient: bool) -> Iterator[bool]:
    """Be the only one who settles; yields whether it is so.

    The lock is on the directory: to open the database's own file and close it again would take away the
    locks that SQLite holds there.
    """
    how = fcntl.LOCK_EX if is_patient else fcntl.LOCK_EX | fcntl.LOCK_NB
    with contextlib.ExitStack() as opened:
        is_ours = True
        try:
            directory = os.open(os.path.dirname(os.path.abspath(database.path)), os.O_RDONLY | os.O_CLOEXEC)
            opened.callback(os.close, directory)
            fcntl.flock(directory, how)
        except BlockingIOError:
            is_ours = False
        except OSError:
            pass  # no such locks there: two may end the same, and still the history takes it once
        yield is_ours


def _settle(database: Database, taskid: int, now: float) -> Past | None:
    with database.writing():  # nothing is ended that cannot be archived
        task = running.get(database, taskid)
    if task is None or not _is_lost(task):  # somebody else was faster
        return None
    if task.request is None and task.onorphan == "adopt" and is_command_alive(task):
        from context_bus.watch import adopting

        adopting.adopt(database, task)
        return None
    try:
        return conclude(database, task, now)
    except PermissionError:
        return None


def conclude(database: Database, task: Task, now: float, outcome: Outcome = Outcome.KILLED) -> Past | None:
    """End all that a task has started and archive it; for who has it in hand.

    Args:
        database: Where.
        task: What is known of it, with the wish to end it if there is one.
        now: Seconds since the epoch.
        outcome: What it is called if the wish is what ended it.

    Raises:
        PermissionError: It is another user's.
        StoreError: The database cannot be written.
    """
    from context_bus.watch import history

    was_running = task.ticks is not None and is_command_alive(task)
    sent, ended = _end(task)
    # Killed before its pid was known, it is known by what was found.
    was_running = was_running or (task.pid is None and ended > 0)
    ending = _ending(task, sent if was_running else None, outcome)
    feedback = _last_feedback(database, task, now)
    ended_at = now if is_of_this_boot(task) else _before_boot(task, now)
    elapsed = max(0.0, ended_at - (task.starttime or ended_at))
    history.archive(database, task, ending, feedback, ended_at, elapsed)
    return next(history.past(database, _of(task.id)), None)


def _end(task: Task) -> tuple[signal.Signals, int]:
    """End all that it has started; returns the signal it took, and how many processes there were."""
    if not is_of_this_boot(task) or (task.ticks is None and not task.keepers):
        return signal.SIGKILL, 0
    from context_bus.process import leftovers

    command = [] if task.pid is None or task.ticks is None else [tree.Identity(task.pid, task.ticks)]
    variables = _variables(task)
    sent, ended = signal.SIGKILL, 0
    if task.request is not None and task.request.signal != signal.SIGKILL:
        sent = signal.Signals(task.request.signal)
        found = {one for each in variables for one in leftovers.find_leftovers(command or task.keepers, each)}
        ended = sum(tree.send_signal(one, sent) for one in found)
        if tree.wait_gone(found, task.request.grace):
            sent = signal.SIGKILL
    for variable in variables:
        ended += leftovers.end_leftovers(command or task.keepers, variable)
    return sent, ended


def _variables(task: Task) -> set[str]:
    """What may be in the environment of all that it has started: it names the first watcher."""
    variables = {f"{VARIABLE}={keeper.pid}.{keeper.ticks}.{task.id}" for keeper in task.keepers}
    if task.pid is not None and is_command_alive(task):  # keepers may have been replaced; it knows the first
        entries = tree.environment_of(task.pid).decode(errors="replace").split("\0")
        own = (one for one in entries if one.startswith(f"{VARIABLE}="))
        variables.update(one for one in own if one.endswith(f".{task.id}"))
    return variables


def _ending(task: Task, sent: signal.Signals | None, outcome: Outcome) -> Ending:
    """Words for the history.

    Args:
        task: What it was.
        sent: The signal that ended it; None if it had ended before.
        outcome: What it is called if somebody wished it.
    """
    name = sent.name if sent is not None else ""
    if sent is not None and task.request is not None:
        words = task.request.why
        if outcome is Outcome.KILLED:
            words += f": signal {int(sent)} ({sent.name})"
        return Ending(name, words, None, outcome, 128 + int(sent))
    if not is_of_this_boot(task):
        words = "the machine was restarted; exit code unknown"
    elif sent is None:
        words = "launcher was killed; exit code unknown"
    else:
        words = "launcher was killed; the command was ended"
    return Ending(name, words, None, Outcome.LOST, 128 + signal.SIGKILL)


def _last_feedback(database: Database, task: Task, now: float) -> str:
    """What it reported last, as JSON; its file is gone afterwards, and what was in it is in the database."""
    if task.feedfile is None:
        return running.last_feedback(database, task.id)
    import json

    from context_bus.kernel.feedback import Feedback

    feedback = Feedback()
    try:
        with open(task.feedfile, "rb", opener=_open_at_once) as file:
            while data := file.read(1 << 20):
                feedback.feed(data)
    except OSError:
        return running.last_feedback(database, task.id)
    text = json.dumps(feedback.values)
    running.store_feedback(database, task.id, text, now)
    with contextlib.suppress(OSError):
        os.unlink(task.feedfile)
    return text


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # one that is a pipe would wait for its writer


def _before_boot(task: Task, now: float) -> float:
    """The latest time at which a task of an earlier boot can have ended."""
    from context_bus.process.figures import boot_time

    return max(float(task.starttime or 0), min(now, boot_time()))


def _of(taskid: int) -> Filter:
    from context_bus.watch.values import Filter

    return Filter(taskid=taskid, limit=1)
