"""``events``: what has happened at a provider, and what happens."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.completing import service_ids
from context_bus.cli.lazy import examples
from context_bus.cli.output import remark, say, say_json, styled_state
from context_bus.cli.provider_options import provider_options
from context_bus.client.whereabouts import endpoints_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from context_bus.context.commands import EventReply, LoggedEvent

#: Events of the past that are shown, unless something else is said.
LAST = 50


@click.command(
    "events",
    epilog=examples(
        "{command} -n 20 -c Conf/Context-EchoAction.xml", "{command} --kind service_changed --json"
    ),
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only events with a higher number.")
@click.option(
    "-n",
    "--last",
    type=click.IntRange(min=0),
    help="So many of the past, 10000 at most.  [default: 50, or all --after]",
)
@click.option("--kind", "kinds", multiple=True, help="Only events of this kind, e.g. service_changed.")
@click.option(
    "--service", "names", multiple=True, shell_complete=service_ids, help="Only events of this service."
)
@provider_options
def command(
    follow: bool,
    after: int,
    last: int | None,
    kinds: tuple[str, ...],
    names: tuple[str, ...],
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """Show what happened at a running provider, each event with its number, and follow what happens.

    None comes twice. Those of providers before it are told as well; '--after 1' shows all that are kept.
    What was missed while a provider was replaced is asked for; what nobody has any more is counted in a line
    like '... 12 events lost' on standard error.
    """
    from context_bus.client.asking import is_meant, open_conversation
    from context_bus.client.happenings import NEVER, all_past, live, past
    from context_bus.context.commands import EVENT_TOPIC

    def is_wanted(event: LoggedEvent) -> bool:
        is_named = not names or any(is_meant(event.service_id, name) for name in names)
        return (not kinds or event.kind in kinds) and is_named

    def show(event: LoggedEvent) -> None:
        if as_json:
            say_json(event)
        else:
            say(line_of(event))

    most = last if last is not None else None if after else LAST
    topics = (EVENT_TOPIC,) if follow else ()
    with open_conversation(endpoints_of(context_file, publish, listen, state), *topics) as conversation:
        if after or not most:
            replies = all_past(conversation, after or NEVER)
        else:
            # What is not wanted is left out here, so there must be something to choose from.
            replies = iter([past(conversation, 0, 0 if kinds or names else most)])
        seen = _tell_past(replies, after, most, is_wanted, show)
        if follow:
            for event in live(conversation, seen, missed=_tell_lost, trouble=_tell_trouble):
                if is_wanted(event):
                    show(event)


def _tell_past(
    replies: Iterable[EventReply],
    known: int,
    most: int | None,
    is_wanted: Callable[[LoggedEvent], bool],
    show: Callable[[LoggedEvent], object],
) -> int:
    """Show what is wanted of the past, the last so many of it; returns the number of the last event."""
    from context_bus.client.happenings import lost_between

    chosen: deque[LoggedEvent] = deque(maxlen=most)
    seen = known
    for reply in replies:
        _tell_trouble(reply.trouble)
        _tell_lost(lost_between(known, reply.first))
        chosen.extend(filter(is_wanted, reply.events))
        while most is None and chosen:
            show(chosen.popleft())
        known, seen = reply.events[-1].sequence if reply.events else known, reply.last
    for event in chosen:
        show(event)
    return seen


def _tell_lost(count: int) -> None:
    if count:
        remark(f"... {count} event{'' if count == 1 else 's'} lost")


def _tell_trouble(reason: str) -> None:
    if reason:
        remark(f"... earlier events cannot be told: {reason}")


def line_of(event: LoggedEvent) -> str:
    """One event in one line."""
    from context_bus.view.happened import happened

    told = happened(event)
    verb = styled_state(told.verb) if event.kind == "service_changed" else told.verb
    text = "  ".join(part for part in (verb, told.rest) if part)
    where = f"  [{event.transaction}]" if event.transaction else ""
    return f"{event.sequence}  {told.clock}  {told.who}  {text}{where}"
