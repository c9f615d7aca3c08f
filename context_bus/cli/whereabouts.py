"""Where the provider of a context file is, without reading that file if its card says so.

Reading XML costs more than all else that a command does; a provider that runs leaves its card beside its
state. Knows the card and the endpoints; opens no socket.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from context_bus.cli.endpoints import DEFAULT_LISTEN, DEFAULT_PUBLISH, Endpoints, port_below, resolve
from context_bus.cli.options import EndpointUrl, FileInProject, Seconds, json_option

F = TypeVar("F", bound=Callable[..., object])

#: Seconds to wait for the outcome of a command.
TIMEOUT = 30.0


def provider_options(function: F) -> F:
    """Add what names a provider: ``-c``, ``--publish``, ``--listen``, ``--state``; and ``--json``."""
    for option in (
        json_option(),
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
            help="Context file of the provider.",
        ),
    ):
        function = option(function)
    return function


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
        click.option("-t", "--transaction", default="", help="Transaction.  [default: the only one]"),
    ):
        function = option(function)
    return provider_options(function)


def endpoints_of(
    context_file: Path | None, publish: str | None, listen: str | None, state: str = ""
) -> Endpoints:
    """Where the provider is.

    Args:
        context_file: Its context file, if one was named.
        publish: Where to publish, if that was said.
        listen: Where to listen, if that was said.
        state: Its state directory, if it has one that is not beside the file.

    Raises:
        ConfigurationError: The context file cannot be used.
    """
    if context_file is None:
        publish = publish or DEFAULT_PUBLISH
        is_default = publish == DEFAULT_PUBLISH
        return Endpoints(listen or (DEFAULT_LISTEN if is_default else port_below(publish)), publish)
    found = _on_card(context_file, state)
    if found is None:
        return resolve(listen, publish, context_file)
    return Endpoints(listen or found.listen, publish or found.publish)


def _on_card(context_file: Path, state: str) -> Endpoints | None:
    """What the card of a provider that lives says; None if there is none."""
    import msgspec

    from context_bus.context.card import Card, card_file
    from context_bus.store.place import place_of

    try:
        card = msgspec.json.decode(card_file(place_of(context_file, state)).read_bytes(), type=Card)
        # The file may have been edited since; a provider that lives is where it was.
        if _start_of(card.pid) != card.ticks:
            return None
    except (OSError, msgspec.DecodeError):
        return None
    return Endpoints(card.listen_on, card.publish_to)


def _start_of(pid: int) -> int:
    """Start of a process in clock ticks since boot."""
    text = Path(f"/proc/{pid}/stat").read_bytes()
    return int(text[text.rindex(b")") + 2 :].split()[19])
