"""A click group that imports a command when it is chosen, and what all commands share in their help.

Start-up is imports: the overview and a command's help must not pay for what other commands need.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping, Sequence

import click

from context_bus.cli.border import Invocation, watch_reader

#: What stands in an example for how the reader calls the command.
CALLED = "{command}"


class LazyGroup(click.Group):
    """A group whose commands live in modules ``<package>.<prefix><name>`` as ``command``.

    Args:
        package: Where the modules are.
        table: Name of each command to its line in the overview, so that listing imports nothing.
        prefix: What the module names begin with.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        package: str = "",
        table: Mapping[str, str] | None = None,
        prefix: str = "",
        **attributes: object,
    ) -> None:
        super().__init__(name, **attributes)  # type: ignore[arg-type]  # passed on as they came
        self.package = package
        self.table = dict(table or {})
        self.prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; ``conf_command`` and ``conf-command`` are the same."""
        name = cmd_name.replace("_", "-")
        return (
            load(self.package, self.prefix + name, f"{ctx.command_path} {name}")
            if name in self.table
            else None
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant."""
        if args and not args[0].startswith("-") and args[0].replace("_", "-") not in self.table:
            raise click.UsageError(_unknown(args[0], self.table), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))


def load(package: str, name: str, called: str) -> click.Command:
    """Import the command of that name and give it what all commands share.

    Args:
        package: Where the module is.
        name: Name of the module, with ``-`` or ``_``.
        called: How the user calls the command; for its examples.
    """
    module = importlib.import_module(f"{package}.{name.replace('-', '_')}")
    command: click.Command = copy.copy(module.command)
    command.params = [*command.params, debug_option()]
    command.callback = command.callback and watch_reader(command.callback)
    command.context_settings = {"help_option_names": ["-h", "--help"], **command.context_settings}
    command.epilog = command.epilog and command.epilog.replace(CALLED, called)
    return command


def examples(*commands: str) -> str:
    """Make the end of a help text: commands that a reader can run as they stand.

    Args:
        commands: One a line; ``{command}`` is how the reader calls the command.
    """
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


def debug_option() -> click.Option:
    """Make the ``--debug`` that every command and group has."""
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=_set_debug,
        envvar="CONTEXT_BUS_DEBUG",
        help="Show the traceback of an error.",
    )


def _set_debug(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    invocation = ctx.find_object(Invocation)
    if value and invocation is not None:
        invocation.debug = True


def _unknown(name: str, known: Sequence[str] | Mapping[str, str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"no such command '{name}'" + (f"; did you mean '{close[0]}'?" if close else "")
