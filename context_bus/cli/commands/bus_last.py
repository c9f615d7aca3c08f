"""``bus last``: print the last message that each sender of a topic keeps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.endpoint_options import listen_option
from context_bus.cli.lazy import examples
from context_bus.cli.options import Seconds, json_option
from context_bus.cli.output import say, say_table
from context_bus.client.whereabouts import endpoints_of

if TYPE_CHECKING:
    from context_bus.client.lastvalues import LastValue


@click.command(
    "last",
    epilog=examples(
        "{command} weather",
        "{command} weather --field content.celsius",
        "{command} weather --json --timeout=0.5",
    ),
)
@click.argument("topic")
@listen_option
@click.option(
    "--timeout",
    type=Seconds(positive=True),
    default=1.0,
    show_default=True,
    help="Seconds to wait for the first answer.",
)
@click.option("--field", "path", metavar="PATH", help="Print this field only, e.g. content.celsius.")
@json_option("Print one JSON object per line.")
def command(
    topic: str,
    listen: str | None,
    context_file: Path | None,
    timeout: float,
    path: str | None,
    as_json: bool,
) -> None:
    """Print the last message of TOPIC, of each sender that keeps it, and end.

    Publishers keep what they are told to keep; the provider what the context file names in KeepLast.
    Exits with 3 when nobody keeps a value of TOPIC.
    """
    from context_bus.client.lastvalues import last_values

    values = last_values(endpoints_of(context_file, None, listen).listen, topic, timeout)
    now = time.time()
    if as_json or path:
        for value in values:
            _say(topic, value, path, now, as_json)
    else:
        say_table(
            ("sender", "age", "content"), [(each.sender, _age(each, now), _content(each)) for each in values]
        )


def _say(topic: str, value: LastValue, path: str | None, now: float, as_json: bool) -> None:
    import msgspec

    from context_bus.cli.frames import MISSING, look_up

    found = look_up(value.body, path, MISSING) if path else value.body
    if found is MISSING:
        return
    if as_json:
        age = round(now - value.sent_at, 3) if value.sent_at else None
        shown = {"topic": topic, "sender": value.sender, "age": age}
        found = shown | ({"field": path, "value": found} if path else {"message": found})
    say(found if isinstance(found, str) else msgspec.json.encode(found).decode())


def _age(value: LastValue, now: float) -> str:
    """How long ago it was sent, in two units at most."""
    from context_bus.view.figures import span

    if not value.sent_at:
        return ""
    seconds = max(0.0, now - value.sent_at)
    return f"{seconds:.1f}s" if seconds < 10 else span(seconds)


def _content(value: LastValue) -> str:
    import msgspec

    from context_bus.cli.frames import look_up, printable

    content = look_up(value.body, "content", value.body)
    return printable(content.encode() if isinstance(content, str) else msgspec.json.encode(content))
