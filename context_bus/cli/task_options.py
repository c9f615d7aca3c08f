"""Options and arguments that commands of ``task`` share, each refused in one line when it is wrong."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import click

from context_bus.cli.border import Invocation
from context_bus.cli.options import Seconds
from context_bus.cli.task_completing import names, task_ids
from context_bus.cli.task_database import DB_ENV

F = TypeVar("F", bound=Callable[..., object])

#: Greatest number of a row that a database has.
MAX_ID = 2**63 - 1


class TaskId(click.ParamType[int]):
    """The id of a task: a number from 1 on."""

    name = "id"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        if not str(value).isdecimal() or not 0 < int(value) <= MAX_ID:
            self.fail(f"'{value}' is no task id; expected a number such as 7", param, ctx)
        return int(value)


class SignalName(click.ParamType[signal.Signals]):
    """A signal that ends a process: ``TERM``, ``SIGINT``, ``9``."""

    name = "signal"

    def convert(
        self, value: str | signal.Signals, param: click.Parameter | None, ctx: click.Context | None
    ) -> signal.Signals:
        """Read the name or the number."""
        from context_bus.config.quantities import parse_signal

        if isinstance(value, signal.Signals):
            return value
        try:
            name = signal.Signals(int(value)).name if value.isdecimal() else value
        except ValueError:
            self.fail(f"'{value}' is no number of a signal", param, ctx)
        try:
            return signal.Signals[parse_signal(name)]
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Span(click.ParamType[float]):
    """A duration with units, read as `moments.Duration` does, but that its reader is imported when needed."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; in seconds."""
        from context_bus.cli.moments import Duration

        return Duration().convert(value, param, ctx)


class Variable(click.ParamType[tuple[str, str]]):
    """A variable of an environment: ``NAME=VALUE``."""

    name = "variable"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Take it apart."""
        if isinstance(value, tuple):
            return value
        name, mark, rest = value.partition("=")
        if not name or not mark:
            self.fail(f"'{value}' sets nothing; expected NAME=VALUE", param, ctx)
        return name, rest


def db_option(function: F) -> F:
    """Add ``--db``; the command gets None where none is named. Its process ends with its last line."""

    @functools.wraps(function)
    def marked(*args: object, **kwargs: object) -> object:
        invocation = click.get_current_context().find_object(Invocation)
        if invocation is not None:
            invocation.leaves_at_once = True
        return function(*args, **kwargs)

    return click.option(
        "--db",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=DB_ENV,
        metavar="FILE",
        help="Database of tasks.  [default: ~/.local/state/context_bus/tasks.db, made when needed]",
    )(cast(F, marked))


def task_argument(function: F) -> F:
    """Add ``ID``, which the shell completes."""
    return click.argument("taskid", metavar="ID", type=TaskId(), shell_complete=task_ids)(function)


def tasks_argument(function: F) -> F:
    """Add ``ID...``, which the shell completes; each counts once."""

    @functools.wraps(function)
    def with_ids(taskids: tuple[int, ...], **others: object) -> object:
        return function(taskids=tuple(dict.fromkeys(taskids)), **others)

    return click.argument(
        "taskids",
        metavar="ID...",
        nargs=-1,
        required=True,
        type=TaskId(),
        shell_complete=task_ids,
    )(cast(F, with_ids))


def name_option(text: str) -> Callable[[F], F]:
    """Make ``--name``, which the shell completes."""
    return click.option("--name", default=None, metavar="NAME", help=text, shell_complete=names)


def info_options(function: F) -> F:
    """Add ``--info1`` to ``--info3``; the command gets them as one ``info``."""

    @functools.wraps(function)
    def with_info(info1: str, info2: str, info3: str, **others: object) -> object:
        return function(info=(info1, info2, info3), **others)

    wrapped: Callable[..., object] = with_info
    for number in (3, 2, 1):
        wrapped = click.option(
            f"--info{number}", default="", metavar="TEXT", help="Anything to be kept with the task."
        )(wrapped)
    return cast(F, wrapped)


def kill_options(function: F) -> F:
    """Add ``--signal`` and ``--grace``."""
    for option in (
        click.option(
            "--grace",
            type=Seconds(),
            default=0.5,
            show_default=True,
            help="Seconds from the signal to SIGKILL for what has not ended.",
        ),
        click.option(
            "--signal", "number", type=SignalName(), default="TERM", show_default=True, help="Signal to send."
        ),
    ):
        function = option(function)
    return function
