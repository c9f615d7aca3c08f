"""Options of commands about a provider that runs: which one, which services, how long to wait."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar, cast

import click

from context_bus.cli.border import Invocation
from context_bus.cli.completing import service_ids, transactions
from context_bus.cli.options import EndpointUrl, FileInProject, Seconds, json_option

F = TypeVar("F", bound=Callable[..., object])

#: Seconds to wait for the outcome of a command.
TIMEOUT = 30.0


def provider_options(function: F) -> F:
    """Add what names a provider: ``-c``, ``--publish``, ``--listen``, ``--state``; and ``--json``."""
    return where_options(json_option()(function))


def where_options(function: F) -> F:
    """Add what names a provider alone, for commands that serve and print nothing."""
    function = _leaving_at_once(function)
    for option in (
        click.option(
            "--state",
            type=click.Path(file_okay=False),
            default="",
            envvar="CONTEXT_BUS_STATE",
            help="State directory of the provider, if it was given one.",
        ),
        click.option(
            "--listen",
            type=EndpointUrl(),
            envvar="CONTEXT_BUS_LISTEN",
            help="Where to listen: FrontEndEndpoint.  [default: the file's]",
        ),
        click.option(
            "--publish",
            type=EndpointUrl(),
            envvar="CONTEXT_BUS_PUBLISH",
            help="Where to publish: BackendEndpoint.  [default: the file's]",
        ),
        click.option(
            "-c",
            "--context_file",
            type=FileInProject(),
            envvar="CONTEXT_BUS_CONTEXT_FILE",
            help="Context file of the provider.  [default: the only one that runs here or in Conf]",
        ),
    ):
        function = option(function)
    return function


def _leaving_at_once(function: F) -> F:
    """Let the process of a command end with its last line; see `border.leave`."""

    @functools.wraps(function)
    def marked(*args: object, **kwargs: object) -> object:
        invocation = click.get_current_context().find_object(Invocation)
        if invocation is not None:
            invocation.leaves_at_once = True
        return function(*args, **kwargs)

    return cast(F, marked)


def service_arguments(function: F) -> F:
    """Add ``[SERVICE...]``, which the shell completes."""
    return click.argument("names", nargs=-1, metavar="[SERVICE...]", shell_complete=service_ids)(function)


def transaction_option(text: str = "Transaction.  [default: the only one]") -> Callable[[F], F]:
    """Make ``-t``, which the shell completes."""
    return click.option("-t", "--transaction", default="", help=text, shell_complete=transactions)


def command_options(function: F) -> F:
    """Add what commands besides that have: ``-t`` and ``--timeout``."""
    for option in (
        click.option(
            "--timeout",
            type=Seconds(positive=True),
            default=TIMEOUT,
            show_default=True,
            help="Seconds to wait for the outcome.",
        ),
        transaction_option(),
    ):
        function = option(function)
    return provider_options(function)
