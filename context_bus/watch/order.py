"""What is to be launched, and how. Pure: knows words of the command line; must not know processes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from context_bus.errors import FeedbackNeedsTaskid, FeedpathMissing, WatchError
from context_bus.watch.values import NO_INFO, Info

#: The argument by which a command is told to write feedback.
_FEEDBACK = "--feedback"
#: What may become of a command when a part of its launcher is killed.
ON_ORPHAN = ("end", "adopt")
#: What a command may read.
STDIN = ("pass", "close")


class Order(NamedTuple):
    """One command to launch.

    Args:
        argv: Program and arguments.
        taskid: The reservation to take up; None to have a new id.
        name: Name of the task; empty for that of the reservation, or of the program.
        info: Three texts that belong to it.
        feedpath: Directory of its feedback file; empty for the present one, or one beside the database if no
            feedback is expected.
        expects_feedback: Whether missing feedback is an error.
        timeout: Seconds without feedback that it may live, if feedback is expected.
        grace: Seconds between asking what is to end and killing it; also what a command that has ended leaves
            to what it started.
        max_runtime: Seconds that it may run; None for ever.
        cwd: Directory to run in; empty for the present one.
        env: Environment variables to set.
        stdin: "pass" what the launcher reads, or "close".
        output: File that its output is appended to; empty for that of the launcher.
        error: File for its standard error; empty to go where the output goes.
        max_bytes: Size at which these files are rotated; 0 never.
        backups: Rotated files to keep.
        on_orphan: Whether to "end" or "adopt" it when a part of the launcher is killed.
        bus: Endpoint at which the bus is told of it; empty for nowhere.
        retain: Seconds after which rows of the history are deleted at its end; None to keep them.
        instances: How many to run at the same time, each a task of its own.
    """

    argv: tuple[str, ...]
    taskid: int | None = None
    name: str = ""
    info: Info = NO_INFO
    feedpath: str = ""
    expects_feedback: bool = False
    timeout: float = 30.0
    grace: float = 2.0
    max_runtime: float | None = None
    cwd: str = ""
    env: Mapping[str, str] = MappingProxyType({})
    stdin: str = "pass"
    output: str = ""
    error: str = ""
    max_bytes: int = 0
    backups: int = 3
    on_orphan: str = "end"
    bus: str = ""
    retain: float | None = None
    instances: int = 1


def is_feedback_expected(argv: Sequence[str]) -> bool:
    """Whether a command is told by its arguments to write feedback: ``--feedback``, or ``--feedback=...``."""
    return any(word == _FEEDBACK or word.startswith(f"{_FEEDBACK}=") for word in argv)


def check(order: Order) -> Order:
    """Look whether an order can be carried out; returns it with absolute paths.

    Raises:
        WatchError: It cannot; says why.
    """
    if not order.argv:
        raise WatchError("no command is named; put it behind --")
    for name, value, known in (("stdin", order.stdin, STDIN), ("on_orphan", order.on_orphan, ON_ORPHAN)):
        if value not in known:
            raise WatchError(f"{name} is {value!r}; it can be {' or '.join(known)}")
    if order.taskid is None and is_feedback_expected(order.argv):
        raise FeedbackNeedsTaskid
    if order.taskid is not None and order.instances > 1:
        raise WatchError(f"{order.instances} instances cannot share taskid {order.taskid}; leave it away")
    if order.instances < 1:
        raise WatchError(f"{order.instances} instances cannot be launched; at least one")
    feedpath = os.fspath(order.feedpath or "")
    if feedpath and not os.path.isdir(feedpath):
        raise FeedpathMissing(feedpath)
    return order._replace(
        feedpath=_absolute(feedpath),
        output=_absolute(os.fspath(order.output or "")),
        error=_absolute(os.fspath(order.error or "")),
        expects_feedback=order.expects_feedback or is_feedback_expected(order.argv),
        max_bytes=order.max_bytes or 0,
    )


def _absolute(path: str) -> str:
    return os.path.abspath(path) if path else ""
