"""What ``bus hz`` and ``bus bw`` share: all but the words in which a rate is told. Knows the options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.endpoint_options import listen_option
from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option, rate_options
from context_bus.cli.output import say_json
from context_bus.client.whereabouts import endpoints_of

if TYPE_CHECKING:
    from context_bus.cli.meter import Rate


def rate_command(name: str, unit: str, say_rate: Callable[[Rate], None]) -> click.Command:
    """Make a command that measures a rate.

    Args:
        name: What it is called.
        unit: What it counts, for its help: messages or bytes.
        say_rate: Tells a rate to people.
    """

    @click.command(
        name,
        help=f"""Measure how many {unit} a second a topic carries.

        Reports every second while messages come; without TOPIC it measures all topics together.
        """,
        epilog=examples(
            "{command} numbers --count=2",
            "{command} --window=100 --timeout=3 --count=1 --json",
        ),
    )
    @click.argument("topics", metavar="[TOPIC]...", nargs=-1)
    @listen_option
    @rate_options
    @json_option("Print each report as JSON.")
    def command(
        topics: tuple[str, ...],
        listen: str | None,
        context_file: Path | None,
        window: int | None,
        count: int | None,
        timeout: float | None,
        as_json: bool,
    ) -> None:
        from context_bus.cli.rates import measure

        endpoint = endpoints_of(context_file, None, listen).listen
        report = say_json if as_json else say_rate
        measure(endpoint, topics, window=window, count=count, timeout=timeout, report=report)

    return command
