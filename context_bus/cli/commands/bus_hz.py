"""``bus hz``: measure how many messages a second a topic carries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.endpoints import listen_option, resolve
from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option, rate_options
from context_bus.cli.output import say, say_json

if TYPE_CHECKING:
    from context_bus.cli.meter import Rate


@click.command(
    "hz",
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
    """Measure how many messages a second a topic carries.

    Reports every second while messages come; without TOPIC it measures all topics together.
    """
    from context_bus.cli.rates import measure

    endpoint = resolve(listen, None, context_file).listen
    report = say_json if as_json else _say
    measure(endpoint, topics, window=window, count=count, timeout=timeout, report=report)


def _say(rate: Rate) -> None:
    say(
        f"average rate: {rate.rate:.3f}/s  min: {rate.shortest:.6f} s  max: {rate.longest:.6f} s  "
        f"std dev: {rate.deviation:.6f} s  window: {rate.messages}"
    )
