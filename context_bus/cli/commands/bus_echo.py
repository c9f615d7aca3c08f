"""``bus echo``: print the messages of topics."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.endpoint_options import listen_option
from context_bus.cli.lazy import examples
from context_bus.cli.options import Seconds, json_option
from context_bus.cli.output import colour_of, remark, say
from context_bus.client.whereabouts import endpoints_of
from context_bus.errors import RequestTimeout

if TYPE_CHECKING:
    from context_bus.cli.condition import Condition
    from context_bus.cli.frames import Losses, Sight
    from context_bus.cli.listen import Listener


@dataclass
class Wanted:
    """What to show of what comes, and when to end."""

    condition: Condition | None
    path: str | None
    raw: bool
    as_json: bool
    no_info: bool
    count: int | None
    timeout: float | None
    heard: int = 0
    shown: int = 0

    def is_done(self) -> bool:
        """Whether enough was shown."""
        return self.count is not None and self.shown >= self.count


@click.command(
    "echo",
    epilog=examples(
        "{command} control --once",
        "{command} control --count=2 --filter \"header.action != 'stopped'\" --field content",
        "{command} --json --no-info --count=3 --timeout=5",
        "{command} weather --last --once --timeout=2",
    ),
)
@click.argument("topics", metavar="[TOPIC]...", nargs=-1)
@listen_option
@click.option("--once", is_flag=True, help="Print one message and end.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many messages were printed.")
@click.option(
    "--timeout", type=Seconds(positive=True), help="End when so many seconds bring nothing to print."
)
@click.option("--field", "path", metavar="PATH", help="Print this field only, e.g. content.status.result.")
@click.option(
    "--filter", "expression", metavar="EXPR", help='Print what fulfils this, e.g. "content.price > 3".'
)
@click.option("--last", is_flag=True, help="Begin with the last message that each sender keeps.")
@click.option("--no-info", "--no_info", is_flag=True, help="Leave out the provider's context information.")
@click.option("--raw", is_flag=True, help="Print frames as they came, a line each.")
@json_option("Print one JSON object per line.")
def command(
    topics: tuple[str, ...],
    listen: str | None,
    context_file: Path | None,
    once: bool,
    count: int | None,
    timeout: float | None,
    path: str | None,
    expression: str | None,
    last: bool,
    no_info: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """Print the messages of topics, or of every topic, until Ctrl-C.

    A condition compares fields: == != < <= > >= in, joined by and, or, not. A message that lacks the
    field does not fulfil it.
    """
    from context_bus.cli.condition import read_condition
    from context_bus.cli.frames import Losses
    from context_bus.cli.listen import Listener, report_link

    if raw and (path or as_json):
        raise click.UsageError("--raw goes with neither --field nor --json", click.get_current_context())
    if last and not topics:
        raise click.UsageError("--last needs a TOPIC", click.get_current_context())
    condition = read_condition(expression) if expression else None
    wanted = Wanted(condition, path, raw, as_json, no_info, 1 if once else count, timeout)
    endpoint = endpoints_of(context_file, None, listen).listen
    losses = Losses()
    try:
        with Listener([endpoint], topics, on_link=report_link, last=last) as listener:
            for frame in _frames(listener, wanted):
                _take(frame, wanted, losses)
    finally:
        for line in losses.lines():
            remark(line)


def _frames(listener: Listener, wanted: Wanted) -> Iterator[bytes]:
    """Frames until enough were shown; raises where a wait brought none."""
    deadline = None if wanted.timeout is None else time.monotonic() + wanted.timeout
    before = wanted.shown
    while not wanted.is_done():
        frames = listener.receive(deadline)
        if not frames:
            return _silence(wanted)
        for frame in frames:
            if wanted.is_done():
                return None
            yield frame
        if wanted.shown > before and wanted.timeout is not None:
            deadline, before = time.monotonic() + wanted.timeout, wanted.shown
    return None


def _silence(wanted: Wanted) -> None:
    if wanted.shown and wanted.count is None:
        return
    others = f"; {wanted.heard} came that were not wanted" if wanted.heard > wanted.shown else ""
    what = "no message" if not wanted.shown else f"only {wanted.shown} of {wanted.count} messages"
    raise RequestTimeout(f"{what} within {wanted.timeout:g} s{others}")


def _take(frame: bytes, wanted: Wanted, losses: Losses) -> None:
    from context_bus.cli.frames import see_all

    for sight in see_all(frame):
        wanted.heard += 1
        losses.note(sight)
        if wanted.is_done() or (wanted.no_info and sight.is_context_info):
            continue
        if wanted.condition is not None and not wanted.condition(sight.body, sight.topic):
            continue
        if _show(frame, sight, wanted):
            wanted.shown += 1
        if wanted.raw:
            return  # one frame is one line, whatever it holds


def _show(frame: bytes, sight: Sight, wanted: Wanted) -> bool:
    import msgspec

    from context_bus.cli.frames import MISSING, look_up

    if wanted.raw:
        click.echo(frame)
        return True
    value = look_up(sight.body, wanted.path, MISSING) if wanted.path else sight.body
    if value is MISSING:
        return False
    if wanted.as_json:
        shown = {"topic": sight.topic, "received_at": time.time()}
        shown |= {"field": wanted.path, "value": value} if wanted.path else {"message": value}
        say(msgspec.json.encode(shown).decode())
    elif wanted.path:
        say(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    else:
        say(_line(sight))
    return True


def _line(sight: Sight) -> str:
    """Time, topic and the four routing words, then the content, on one line."""
    import msgspec

    from context_bus.cli.frames import look_up, routing

    clock = click.style(f"{datetime.now():%H:%M:%S.%f}"[:12], dim=True)
    topic = click.style(sight.topic, fg=colour_of(sight.topic), bold=True)
    kept = ("(kept)",) if look_up(sight.body, "header.kept") is True else ()
    words = " ".join(word for word in (*kept, *routing(sight)) if word)
    content = look_up(sight.body, "content", sight.body)
    text = (
        content if isinstance(content, str) and not sight.is_json else msgspec.json.encode(content).decode()
    )
    return "  ".join(part for part in (clock, topic, words, text) if part)
