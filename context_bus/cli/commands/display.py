"""``display``: print every message of one or more endpoints, as it comes."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import EndpointUrl, Seconds, json_option
from context_bus.cli.output import say
from context_bus.errors import RequestTimeout

if TYPE_CHECKING:
    from context_bus.cli.frames import Sight

#: Line between two messages.
RULE = "=" * 72


@click.command(
    "display",
    epilog=examples(
        "{command} --endpoint=tcp://127.0.0.1:5556 --count=1",
        "{command} --endpoint=tcp://127.0.0.1:5556 --topic=control --topic=process --count=4",
        "{command} --endpoint=tcp://127.0.0.1:5556 --json --count=2",
    ),
)
@click.option(
    "--endpoint",
    "endpoints",
    type=EndpointUrl(),
    multiple=True,
    required=True,
    envvar="CONTEXT_BUS_LISTEN",
    help="Endpoint to listen to: a context's FrontEndEndpoint. May be given several times.",
)
@click.option("--topic", "topics", multiple=True, help="Show this topic only. May be given several times.")
@click.option("-v", "--verbose", is_flag=True, help="Show broadcast context information in full.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many messages.")
@click.option("--timeout", type=Seconds(positive=True), help="End when so many seconds bring no message.")
@json_option("Print one JSON object per line: received_at, topic, message.")
def command(
    endpoints: tuple[str, ...],
    topics: tuple[str, ...],
    verbose: bool,
    count: int | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Print every message of one or more endpoints, as it comes.

    Ends with Ctrl-C, after --count messages, or after --timeout seconds of silence.
    """
    from context_bus.cli.frames import see
    from context_bus.cli.listen import Listener, report_link

    seen = 0
    with Listener(endpoints, topics, on_link=report_link) as listener:
        while count is None or seen < count:
            frames = listener.receive(None if timeout is None else time.monotonic() + timeout)
            if not frames:
                return _silence(seen, count, timeout)
            for frame in frames[: None if count is None else count - seen]:
                _show(see(frame), verbose=verbose, as_json=as_json)
                seen += 1
    return None


def _silence(seen: int, count: int | None, timeout: float | None) -> None:
    if not seen or count is not None:
        wanted = f"; {seen} of {count} came" if count is not None and seen else ""
        raise RequestTimeout(f"no message within {timeout:g} s{wanted}")


def _show(sight: Sight, *, verbose: bool, as_json: bool) -> None:
    import msgspec

    body = "Message with [context_info]" if sight.is_context_info and not verbose else sight.body
    if as_json:
        line = {"received_at": time.time(), "topic": sight.topic, "message": body}
        say(msgspec.json.encode(line).decode())
        return
    say(RULE)
    say(f"{datetime.now():%Y-%m-%d %H:%M:%S.%f} [{sight.topic}]: ")
    text = (
        body
        if isinstance(body, str)
        else msgspec.json.format(msgspec.json.encode(body, order="sorted"), indent=4)
    )
    say(text if isinstance(text, str) else text.decode())
