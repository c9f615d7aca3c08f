"""Which of the tasks that have ended are meant: options that ``history``, ``clear`` and ``stats`` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar, cast

import click

from context_bus.cli.moments import Moment
from context_bus.cli.task_options import name_option
from context_bus.watch.values import Filter

F = TypeVar("F", bound=Callable[..., object])


def filter_options(function: F) -> F:
    """Add ``--name``, ``--since``, ``--until`` and ``--failed``; the command gets them as ``wanted``."""

    @functools.wraps(function)
    def with_filter(
        name: str | None, since: float | None, until: float | None, failed: bool, **others: object
    ) -> object:
        if since is not None and until is not None and since >= until:
            raise click.UsageError("--since must be before --until")
        return function(wanted=Filter(name=name, since=since, until=until, failed=failed), **others)

    wrapped: Callable[..., object] = with_filter
    for option in (
        click.option("--failed", is_flag=True, help="Only those that did not end well."),
        click.option("--until", type=Moment(), help="Only those that ended before then, as --since."),
        since_option(),
        name_option("Only those of this name."),
    ):
        wrapped = option(wrapped)
    return cast(F, wrapped)


def since_option() -> Callable[[F], F]:
    """Make ``--since``."""
    return click.option(
        "--since",
        type=Moment(),
        help="Only those that ended since then: 90s, 1h30m or 7d ago, 10:30, yesterday, '2026-03-28 10:30'.",
    )
