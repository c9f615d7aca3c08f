"""``bus list``: the topics of a bus, who speaks on them, and whether anybody listens."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.output import remark, say_json, say_table
from context_bus.cli.provider_options import provider_options
from context_bus.cli.wording import amount, per_second
from context_bus.client.whereabouts import endpoints_of

if TYPE_CHECKING:
    from context_bus.cli.traffic import Summary

#: Senders that are named; of the others there is the number.
SHOWN = 3
COLUMNS = ("topic", "senders", "listened", "msg/s", "bytes/s", "messages", "lost")


@click.command("list", epilog=examples("{command} -c Conf/Context-EchoAction.xml"))
@provider_options
def command(
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """List the topics of a bus: who sends, whether anybody listens, how much it is.

    Topics of nodes that have sent nothing yet are not known.
    """
    from context_bus.cli.traffic import Looker, summary

    with Looker(endpoints_of(context_file, publish, listen, state)) as looker:
        looker.look("rate")
        rows = sorted(looker.look("rate").rows, key=lambda row: row.topic)
    topics = [summary(topic, list(some)) for topic, some in itertools.groupby(rows, lambda row: row.topic)]
    if as_json:
        say_json(topics)
    elif topics:
        say_table(COLUMNS, map(_cells, topics))
    else:
        remark("no node reports any traffic yet")


def _cells(topic: Summary) -> tuple[object, ...]:
    more = len(topic.senders) - SHOWN
    return (
        topic.topic or "(no topic)",
        ", ".join(topic.senders[:SHOWN]) + (f" and {more} more" if more > 0 else ""),
        "yes" if topic.listened else "no",
        per_second(topic.rate),
        amount(topic.bytes_per_second),
        topic.messages,
        topic.lost,
    )
