"""``bus pub``: publish a message once, several times or at a rate."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.endpoint_options import both_options
from context_bus.cli.lazy import examples
from context_bus.cli.options import Seconds, header_options, json_option
from context_bus.cli.output import remark, say, say_json
from context_bus.client.whereabouts import endpoints_of

if TYPE_CHECKING:
    from context_bus.kernel.message import Header


@click.command(
    "pub",
    epilog=examples(
        "{command} weather '{\"celsius\": 21.5}'",
        '{command} numbers \'{"number": {count}, "at": {time}}\' --rate=20 --times=10',
        "{command} weather '{\"celsius\": 19.0}' --action=updated --service_name=station --wait=2",
    ),
)
@click.argument("topic")
@click.argument("message", metavar="JSON")
@both_options
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Messages a second; without --times for ever."
)
@click.option(
    "--times", type=click.IntRange(min=1), help="How many messages; without --rate as fast as they go."
)
@click.option("--once", is_flag=True, help="Publish one message; so it is without --rate and --times.")
@click.option(
    "--wait", type=Seconds(positive=True), help="Wait up to so many seconds until somebody listens."
)
@click.option(
    "--keep", is_flag=True, help="Keep the last message for late joiners, and stay for them until Ctrl-C."
)
@header_options
@json_option("Print topic, count and whether somebody listened as JSON.")
def command(
    topic: str,
    message: str,
    listen: str | None,
    publish: str | None,
    context_file: Path | None,
    rate: float | None,
    times: int | None,
    once: bool,
    wait: float | None,
    keep: bool,
    header: Header,
    as_json: bool,
) -> None:
    """Publish JSON on TOPIC.

    JSON is the content; an object with header and content is a whole message, - reads standard input.
    {count} and {time} in it are filled in for each message. Returns when the bus has taken it; with
    --keep it stays, since a kept value ends with its sender unless a context file has it in KeepLast.
    """
    from context_bus.cli.payload import Payload
    from context_bus.client.conversation import Conversation

    payload = Payload(message)
    payload.check()
    total = 1 if once or (rate is None and times is None) else times
    numbers: Iterable[int] = itertools.count(1) if total is None else range(1, total + 1)
    sent = 0
    with Conversation(endpoints_of(context_file, publish, listen)) as bus:
        bus.open()
        if keep:
            bus.publisher.keep(topic)
        if wait is not None:
            bus.publisher.wait_for_subscriber(topic, wait)
        try:
            for number in _paced(numbers, rate):
                bus.publisher.send_message(topic, payload.message(number, header))
                sent = number
        finally:  # also after Ctrl-C
            _report(topic, sent, bus.is_heard(topic), as_json)
        if keep:
            remark("kept until this command ends (Ctrl-C); <KeepLast> in the context file keeps it for good")
            threading.Event().wait()


def _paced(numbers: Iterable[int], rate: float | None) -> Iterator[int]:
    """Hand out numbers at a rate; a late one does not delay those that follow."""
    began = time.monotonic()
    for number in numbers:
        if rate is not None:
            time.sleep(max(0.0, began + (number - 1) / rate - time.monotonic()))
        yield number


def _report(topic: str, sent: int, is_heard: bool, as_json: bool) -> None:
    if as_json:
        say_json({"topic": topic, "sent": sent, "heard": is_heard})
    else:
        plural = "" if sent == 1 else "s"
        say(f"published {sent} message{plural} on {topic}" + ("" if is_heard else "; nobody listens to it"))
