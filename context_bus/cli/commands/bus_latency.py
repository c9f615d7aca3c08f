"""``bus latency``: measure the way of a message to the forwarder and back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.endpoint_options import both_options
from context_bus.cli.lazy import examples
from context_bus.cli.options import Seconds, json_option
from context_bus.cli.output import say, say_json, say_table
from context_bus.client.whereabouts import endpoints_of
from context_bus.errors import RequestTimeout

if TYPE_CHECKING:
    from context_bus.client.conversation import Conversation

#: Percentiles that are shown.
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
#: Messages sent before those that are measured, until caches and buffers are warm.
WARM_UP = 20


@click.command(
    "latency",
    epilog=examples(
        "{command}",
        "{command} --count=200 --rate=100 --size=1500 --json",
    ),
)
@both_options
@click.option(
    "--count", type=click.IntRange(min=1, max=10_000_000), default=1000, show_default=True, help="Messages."
)
@click.option(
    "--size",
    type=click.IntRange(min=1, max=100_000_000),
    default=400,
    show_default=True,
    help="Bytes of JSON.",
)
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Messages a second; else one after the other."
)
@click.option(
    "--timeout",
    type=Seconds(positive=True),
    default=1.0,
    show_default=True,
    help="Seconds after which one is lost.",
)
@json_option()
def command(
    listen: str | None,
    publish: str | None,
    context_file: Path | None,
    count: int,
    size: int,
    rate: float | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Send messages through the forwarder to ourselves and print how long they took.

    A message goes publisher, forwarder, subscriber; both ends are in this process, on one clock.
    """
    from context_bus.client.conversation import Conversation

    with Conversation(endpoints_of(context_file, publish, listen)) as conversation:
        conversation.open()
        times = _measure(conversation, count, size, rate, timeout)
    if not times:
        raise RequestTimeout(f"none of {count} messages came back within {timeout:g} s")
    _print(sorted(times), count, as_json)


def _measure(
    conversation: Conversation, count: int, size: int, rate: float | None, timeout: float
) -> list[float]:
    body = b'"' + b"x" * (size - 2) + b'"' if size > 1 else b"0"
    times = []
    began = time.monotonic()
    for number in range(-WARM_UP, count):
        if rate is not None and number >= 0:
            time.sleep(max(0.0, began + (number + WARM_UP) / rate - time.monotonic()))
        took = conversation.round_trip(body, timeout)
        if number >= 0 and took is not None:
            times.append(took)
    return times


def _print(ordered: list[float], count: int, as_json: bool) -> None:
    from context_bus.kernel.percentile import percentile

    figures = {"min": ordered[0]}
    figures |= {f"p{share:g}": percentile(ordered, share) for share in PERCENTILES}
    figures |= {"max": ordered[-1], "mean": sum(ordered) / len(ordered)}
    micro = {name: round(seconds * 1e6, 1) for name, seconds in figures.items()}
    lost = count - len(ordered)
    if as_json:
        say_json({"unit": "us", "messages": len(ordered), "lost": lost, **micro})
        return
    say_table([*micro, "lost"], [[*(f"{value:.0f} us" for value in micro.values()), lost]])
    say(f"{len(ordered)} messages to the forwarder and back")
