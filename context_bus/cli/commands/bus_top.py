"""``bus top``: the traffic of a bus, by topic and sender, every second."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.output import remark, say, say_json, say_table
from context_bus.cli.provider_options import provider_options
from context_bus.cli.wording import amount, delay, per_second
from context_bus.client.whereabouts import endpoints_of

if TYPE_CHECKING:
    from context_bus.bus.insight import TopicRow
    from context_bus.cli.traffic import Sight

COLUMNS = (
    "topic",
    "sender",
    "msg/s",
    "bytes/s",
    "messages",
    "bytes",
    "lost",
    "conflated",
    "rejected",
    "p50",
    "p99",
)


@click.command(
    "top",
    epilog=examples(
        "{command} --once -c Conf/Context-EchoAction.xml",
        "{command} control --count=2 --sort=bytes --json -c Conf/Context-EchoAction.xml",
    ),
)
@click.argument("topics", metavar="[TOPIC]...", nargs=-1)
@click.option("--count", type=click.IntRange(min=1), help="End after so many tables.")
@click.option("--once", is_flag=True, help="Print one table; the same as --count=1.")
@click.option(
    "--sort",
    type=click.Choice(["rate", "bytes", "lost", "latency"]),
    default="rate",
    show_default=True,
    help="What the first rows have most of.",
)
@provider_options
def command(
    topics: tuple[str, ...],
    count: int | None,
    once: bool,
    sort: str,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """Show the traffic of a bus by topic and sender: rates, totals, losses, and how long messages take.

    Every node counts at its own end and reports while somebody looks, so looking slows nothing down.
    'lost' are messages that did not arrive where they were meant to, at all listeners together; 'conflated'
    those that listeners left out on purpose. Delays are from sending to handling, over the last ten seconds.
    """
    from context_bus.cli.traffic import Looker

    left = 1 if once else count
    with Looker(endpoints_of(context_file, publish, listen, state)) as looker:
        while left is None or left > 0:
            sight = looker.look(sort)
            _show(sight, topics, as_json=as_json, in_place=left != 1)
            left = None if left is None else left - 1


def _show(sight: Sight, topics: tuple[str, ...], *, as_json: bool, in_place: bool) -> None:
    rows = [row for row in sight.rows if not topics or row.topic in topics]
    if as_json:
        import msgspec

        say_json(msgspec.structs.replace(sight, rows=tuple(rows)))
        return
    if in_place and sys.stdout.isatty():
        click.clear()
    if sight.forwarder is not None:
        say(_forwarder_line(sight))
    if rows:
        say_table(COLUMNS, [_cells(row) for row in rows])
    else:
        remark("no node reports any traffic yet")


def _forwarder_line(sight: Sight) -> str:
    assert sight.forwarder is not None
    line = f"forwarder: {sight.forwarder.received:,} messages in, {amount(sight.forwarder.received_bytes)}"
    if sight.foreign is not None and sight.foreign.messages:
        rate, size = per_second(sight.foreign.messages), amount(sight.foreign.bytes)
        line += f"; {rate}/s ({size}/s) of publishers that do not report"
    return line


def _cells(row: TopicRow) -> tuple[object, ...]:
    from context_bus.cli.traffic import who

    return (
        row.topic or "(no topic)",
        who(row),
        per_second(row.rate),
        amount(row.bytes_per_second),
        row.messages,
        amount(row.bytes),
        row.lost,
        row.conflated,
        row.rejected,
        delay(row.p50),
        delay(row.p99),
    )
