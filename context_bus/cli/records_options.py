"""Options of commands that read what is on disk, whether a provider runs or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from context_bus.cli.options import FileInProject, json_option

F = TypeVar("F", bound=Callable[..., object])


def records_options(*, as_json: bool = True) -> Callable[[F], F]:
    """Add ``-c``, ``--state`` and ``--store``; and ``--json``.

    Args:
        as_json: Whether the command can print JSON.
    """

    def decorate(function: F) -> F:
        if as_json:
            function = json_option()(function)
        for option in (
            click.option(
                "--store",
                default="",
                metavar="URL",
                envvar="CONTEXT_BUS_STORE",
                help="Database of the provider, if it was given one.",
            ),
            click.option(
                "--state",
                type=click.Path(file_okay=False),
                default="",
                envvar="CONTEXT_BUS_STATE",
                help="State directory of the provider, if it was given one.",
            ),
            click.option(
                "-c",
                "--context_file",
                type=FileInProject(),
                envvar="CONTEXT_BUS_CONTEXT_FILE",
                help="Context file.  [default: the only one that has run here or in Conf]",
            ),
        ):
            function = option(function)
        return function

    return decorate


def only_transaction() -> Callable[[F], F]:
    """Make ``-t`` for records; the provider that could complete it need not run."""
    return click.option(
        "-t", "--transaction", default="", help="Transaction.  [default: the only one in that time]"
    )
