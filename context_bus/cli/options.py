"""Kinds of arguments that several commands take, each refused with one clear line when it is wrong.

Knows click and the look of endpoints and files; opens no socket, reads no file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import click

from context_bus.cli.border import Invocation

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., object])

#: Highest TCP port.
MAX_PORT = 65535


class FileInProject(click.ParamType[Path]):
    """An existing file, looked for below the working directory, then below the checkout."""

    name = "file"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Find the file."""
        invocation = ctx.find_object(Invocation) if ctx else None
        path = Path(value)
        places = [path]
        if invocation and not path.is_absolute():
            places.append(invocation.home / path)
        for place in places:
            if place.is_file():
                return place
        if any(place.is_dir() for place in places):
            self.fail(f"'{value}' is a directory, not a file", param, ctx)
        return self.fail(f"no such file: {value}{_elsewhere(places)}", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete file names."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


class EndpointUrl(click.ParamType[str]):
    """A ZeroMQ endpoint to connect to: ``tcp://HOST:PORT`` or ``ipc://PATH``."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the form, so that a slip is named here and not by a socket much later."""
        kind, mark, rest = value.partition("://")
        if not mark or kind not in {"tcp", "ipc"} or not rest:
            self.fail(f"'{value}' is no endpoint; expected tcp://HOST:PORT or ipc://PATH", param, ctx)
        if kind == "tcp":
            self._check_tcp(value, rest, param, ctx)
        return value

    def _check_tcp(
        self, value: str, rest: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> None:
        host, colon, port = rest.rpartition(":")
        if not colon or not host or not port.isdecimal():
            self.fail(f"'{value}' has no port; expected tcp://HOST:PORT", param, ctx)
        if not 1 <= int(port) <= MAX_PORT:
            self.fail(f"port {port} of '{value}' is out of range; expected 1 to {MAX_PORT}", param, ctx)
        if host == "*":
            self.fail(
                f"'{value}' is for binding; to connect, name a host: tcp://127.0.0.1:{port}", param, ctx
            )


class Seconds(click.ParamType[float]):
    """A duration: seconds as a float, zero or more."""

    name = "seconds"

    def __init__(self, *, positive: bool = False) -> None:
        self.positive = positive

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number; ``inf`` and ``nan`` are no durations."""
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"'{value}' is not a number of seconds", param, ctx)
        least = 1e-9 if self.positive else 0.0
        if not least <= seconds < 1e9:
            self.fail(f"'{value}' is not {'above' if self.positive else 'at least'} 0 seconds", param, ctx)
        return seconds


class Size(click.ParamType[int]):
    """A size in bytes, one or more: ``4096``, ``500K``, ``2G``."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number and its unit."""
        from context_bus.config.quantities import parse_size

        try:
            size = parse_size(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if size < 1:
            self.fail(f"'{value}' is no size at all; expected one such as 500K or 2G", param, ctx)
        return size


def json_option(what: str = "Print the result as JSON.") -> Callable[[F], F]:
    """The ``--json`` that every command has."""
    return click.option("--json", "as_json", is_flag=True, help=what)


def rate_options(function: F) -> F:
    """Add what ``hz`` and ``bw`` share: ``--window``, ``--count``, ``--timeout``."""
    for option in (
        click.option("--timeout", type=Seconds(positive=True), help="End after so many seconds of silence."),
        click.option("--count", type=click.IntRange(min=1), help="End after so many reports."),
        click.option(
            "--window",
            type=click.IntRange(min=2),
            help="Messages over which to measure.  [default: 10000, and at least a second]",
        ),
    ):
        function = option(function)
    return function


def header_options(function: F) -> F:
    """Add the routing fields of a message; the command gets them as one ``header``."""

    @functools.wraps(function)
    def with_header(
        action: str, service_id: str, service_name: str, transaction: str, **others: object
    ) -> object:
        from context_bus.kernel.message import Header

        return function(header=Header(action, service_id, service_name, transaction), **others)

    wrapped: Callable[..., object] = with_header
    for name in ("transaction", "service_name", "service_id", "action"):
        wrapped = click.option(f"--{name}", default="", help=f"Header field {name}.")(wrapped)
    return cast(F, wrapped)


def _elsewhere(places: list[Path]) -> str:
    return (
        f" (neither here nor as {places[-1]})"
        if len(places) > 1 and places[-1] != places[0].absolute()
        else ""
    )
