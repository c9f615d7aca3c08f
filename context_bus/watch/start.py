"""Start the command of a task: take up its reservation, prepare its place, bear it. Knows rows and births.

It runs in the watcher, a process of its own: what is set here, such as variables and the directory, is
inherited by the command, and hurts nobody else.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from context_bus.errors import InternalError, WatchError
from context_bus.process.birth import Birth, Ties, bear
from context_bus.process.program import places_of
from context_bus.process.tree import Identity, identify
from context_bus.watch import outcome, running
from context_bus.watch.orphans import VARIABLE, boot_id
from context_bus.watch.reservation import Claim, Places, claim

if TYPE_CHECKING:
    from context_bus.watch.database import Database
    from context_bus.watch.order import Order
    from context_bus.watch.outcome import Reason
    from context_bus.watch.outputs import Outputs
    from context_bus.watch.values import Task

#: Environment variables for the command: where to write feedback, its id, its name.
FEEDBACK, TASK_ID, TASK_NAME = "CONTEXT_BUS_FEEDBACK", "CONTEXT_BUS_TASK_ID", "CONTEXT_BUS_TASK_NAME"
#: Longest reason, in bytes, that a child gives for not running.
_REASON = 4096


def mark_of(watcher: Identity, taskid: int) -> str:
    """The value of ``VARIABLE`` for all that a task starts."""
    return f"{watcher.pid}.{watcher.ticks}.{taskid}"


class Launcher(NamedTuple):
    """Who launches, and what it has before it does.

    Args:
        database: Where tasks are; not open yet.
        order: What to launch.
        outputs: Where its output goes.
        front: The process that was started first.
        mask: Signals that were blocked when it was started.
        is_detached: Whether it has left its terminal.
    """

    database: Database
    order: Order
    outputs: Outputs
    front: Identity
    mask: frozenset[int]
    is_detached: bool = False


def take_up(launcher: Launcher, watcher: Identity) -> Task:
    """Make the task one that runs; without a reservation, have an id for it.

    Raises:
        NotClearToStart: Its id is not reserved, or no longer.
        StoreError: The database cannot be written.
    """
    order, database = launcher.order, launcher.database
    facts = Claim(
        order.argv,
        order.name,
        order.info,
        order.expects_feedback,
        order.timeout,
        os.path.abspath(order.cwd or os.curdir),
        boot_id(),
        (watcher, launcher.front),
        order.on_orphan,
        lambda taskid: _places(launcher, taskid),
    )
    taskid = claim(database, time.time(), order.taskid, facts)
    task = running.get(database, taskid)
    if task is None:
        raise WatchError(f"task {taskid} was forgotten before it began; the database was initialized")
    return task


def _places(launcher: Launcher, taskid: int) -> Places:
    order, path = launcher.order, os.path.abspath(launcher.database.path)
    directory = order.feedpath or (os.getcwd() if order.expects_feedback else f"{path}.feedback")
    output, error = order.output, order.error
    if launcher.is_detached and not output:
        output, error = f"{path}.logs/{taskid}.out", error or f"{path}.logs/{taskid}.err"
    feedfile = os.path.join(directory, f"feedback_{taskid}.log")
    return Places(feedfile, output or None, error or None)


class NotStarted(Exception):
    """The command cannot be started; for who archives it."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason)


class _Command(NamedTuple):
    """The command as a birth knows it."""

    name: str
    argv: tuple[str, ...]
    surroundings: None = None


def start(launcher: Launcher, task: Task, watcher: Identity) -> Identity:
    """Start the command of a task.

    Returns:
        The process; it has been executed.

    Raises:
        NotStarted: It cannot be executed, or not there; nothing of it is left.
    """
    order = launcher.order
    given = _given(launcher, task)
    _prepare(order, task)
    read_end, write_end = os.pipe()
    ties = Ties(VARIABLE, leads=False, dies_along=order.on_orphan == "end", mask=launcher.mask)
    mark = mark_of(watcher, task.id)
    try:
        pid = bear(Birth(_Command(task.name or "", order.argv), task.id, mark, given, (), write_end, ties))
    except OSError as error:
        raise NotStarted(outcome.not_prepared(f"no process can be made: {error.strerror}")) from error
    finally:
        os.close(write_end)
        launcher.outputs.part()
        if "stdin" in given:
            os.close(given["stdin"])
    identity = identify(pid)
    if identity is None:
        raise InternalError(f"process {pid}, which nobody has reaped, is not in the table")
    with open(read_end, "rb", buffering=0) as told:
        why = told.read(_REASON)
    if why:
        os.waitid(os.P_PID, pid, os.WEXITED)
        raise NotStarted(_reason(order.argv[0], why.decode(errors="surrogateescape")))
    return identity


def _given(launcher: Launcher, task: Task) -> dict[str, int]:
    try:
        given = dict(launcher.outputs.give(task.output, task.error))
    except WatchError as error:
        raise NotStarted(outcome.not_prepared(str(error))) from error
    if launcher.is_detached or launcher.order.stdin == "close":
        given["stdin"] = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    return given


def _prepare(order: Order, task: Task) -> None:
    """Put this process where the command is to be."""
    assert task.feedfile is not None
    if not (order.feedpath or order.expects_feedback):
        with contextlib.suppress(OSError):  # it is missed only if there is feedback, which is not expected
            os.makedirs(os.path.dirname(task.feedfile), exist_ok=True)
    variables = {FEEDBACK: task.feedfile, TASK_ID: str(task.id), TASK_NAME: task.name or ""}
    try:
        os.environ.update({**order.env, **variables})
    except ValueError as error:
        raise NotStarted(outcome.not_prepared(f"cannot set its environment: {error}")) from error
    if order.cwd:
        try:
            os.chdir(order.cwd)
        except OSError as error:
            words = f"cannot enter {order.cwd}: {error.strerror}"
            raise NotStarted(outcome.not_prepared(words)) from error


def _reason(program: str, told: str) -> Reason:
    """What a child says that could not be executed, as a shell counts it: not there, or there and no use."""
    why = told.removeprefix(f"cannot execute {program}: ")
    if not program or not any(os.path.lexists(place) for place in places_of(program, None)):
        return outcome.not_found(program)
    return outcome.not_executable(program, why)
