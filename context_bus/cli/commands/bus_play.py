"""``bus play``: publish a recording again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.endpoint_options import both_options
from context_bus.cli.keys import Keys
from context_bus.cli.lazy import examples
from context_bus.cli.options import FileInProject, Seconds, json_option
from context_bus.cli.output import remark, say, say_json
from context_bus.cli.progress import Progress
from context_bus.cli.wording import plural, span
from context_bus.client.whereabouts import endpoints_of
from context_bus.errors import NobodyListens, SendTimeout

if TYPE_CHECKING:
    from context_bus.bus.player import Player
    from context_bus.client.conversation import Conversation

#: Topics on which a provider is commanded and asked: a recording of everything must not do that unawares.
COMMANDS = ("context", "process", "state")
#: Seconds for which the bus may take nothing at all before that is an error.
STALL = 60.0
#: Seconds between two looks: at a line of progress, for somebody who listens to everything.
LOOK = 0.1


class Rate(click.ParamType[float]):
    """How many times as fast as the original; 0 inside for ``max``, as fast as the bus takes it."""

    name = "rate"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the factor."""
        if value == "max":
            return 0.0
        try:
            rate = float(value)
        except ValueError:
            rate = -1.0
        if not 0.0 < rate < 1e9:
            self.fail(f"'{value}' is no rate; expected a factor such as 2.0 or 0.5, or max", param, ctx)
        return rate


class Renaming(click.ParamType[tuple[str, str]]):
    """One topic under another name: ``old:=new``."""

    name = "old:=new"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Take both names apart."""
        if isinstance(value, tuple):
            return value
        old, mark, new = value.partition(":=")
        if not (mark and old and new):
            self.fail(f"'{value}' renames nothing; expected OLD:=NEW", param, ctx)
        return old, new


class Rest:
    """Waits for the time of the next message, and meanwhile lets a press of space hold everything.

    Args:
        keys: Where it is pressed.
        show: Shows how far it is.
        show_paused: Shows that it is held.
    """

    def __init__(self, keys: Keys, show: Callable[[], object], show_paused: Callable[[], object]) -> None:
        self._keys, self._show, self._show_paused = keys, show, show_paused

    def __call__(self, seconds: float) -> float:
        """Wait; gives the seconds that it was held."""
        held, deadline = 0.0, time.monotonic() + seconds
        while (left := deadline + held - time.monotonic()) > 0 and self._keys.is_there:
            self._show()
            if self._keys.pressed(min(left, LOOK)) == " ":
                held += self._hold()
        time.sleep(max(0.0, left))
        return held

    def _hold(self) -> float:
        since = time.monotonic()
        while self._keys.is_there:
            self._show_paused()
            if self._keys.pressed(LOOK) == " ":
                break
        return time.monotonic() - since


@dataclass(frozen=True)
class Turns:
    """When to end."""

    loop: bool
    count: int | None


@click.command(
    "play",
    epilog=examples(
        "{command} monday.rec",
        "{command} monday.rec --rate=10 --topics=prices --remap prices:=prices.old",
        "{command} monday.rec --rate=max --start_offset=30 --count=1000 --wait=10",
    ),
)
@click.argument("file", type=FileInProject())
@both_options
@click.option(
    "-r", "--rate", type=Rate(), default=1.0, help="Times the original speed, or max.  [default: 1.0]"
)
@click.option("-l", "--loop", is_flag=True, help="Begin again at the end, until Ctrl-C.")
@click.option("--topics", multiple=True, metavar="TOPIC[,TOPIC]", help="Play only these topics.")
@click.option(
    "-m", "--remap", type=Renaming(), multiple=True, help="Publish a topic under another name: OLD:=NEW."
)
@click.option(
    "--start_offset", "--start-offset", type=Seconds(), default=0.0, help="Skip so many seconds of it."
)
@click.option("--duration", type=Seconds(positive=True), help="Play so many seconds of it.")
@click.option(
    "-d", "--delay", type=Seconds(), default=0.0, help="Wait so many seconds before the first message."
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many messages.")
@click.option(
    "--wait",
    "--wait_for_subscribers",
    type=Seconds(positive=True),
    help="Wait up to so many seconds until somebody listens to each topic.",
)
@click.option(
    "--new_senders", is_flag=True, help="Give senders new names, so that receivers count from the beginning."
)
@json_option("Print the result as JSON.")
def command(
    file: Path,
    listen: str | None,
    publish: str | None,
    context_file: Path | None,
    rate: float,
    loop: bool,
    topics: tuple[str, ...],
    remap: tuple[tuple[str, str], ...],
    start_offset: float,
    duration: float | None,
    delay: float,
    count: int | None,
    wait: float | None,
    new_senders: bool,
    as_json: bool,
) -> None:
    """Publish what was recorded, in its order and at its pace, byte for byte.

    Commands to a provider (topics context, process and state) are left out unless --topics names them.
    Waits where the bus takes no more; nothing is lost on the way to it. On a terminal, space pauses.
    """
    from context_bus.bus.player import Player
    from context_bus.bus.recording_reader import open_recording
    from context_bus.client.conversation import Conversation
    from context_bus.kernel.ids import new_token

    chosen = [name for text in topics for name in text.split(",") if name]
    with open_recording(file) as recording, Conversation(endpoints_of(context_file, publish, listen)) as bus:
        player = Player(
            recording,
            bus.publisher,
            rate=rate,
            topics=chosen or None,
            without=() if chosen else COMMANDS,
            remap=dict(remap),
            start=start_offset,
            duration=duration,
            mark=f"~{new_token(3)}" if new_senders else "",
        )
        bus.open()
        if wait is not None:
            _wait(bus, player.topics(), wait)
        time.sleep(delay)
        _play(bus, player, Turns(loop, count), as_json)
        _hint(player, chosen)


def _wait(bus: Conversation, topics: Sequence[str], seconds: float) -> None:
    audience, deadline = bus.publisher.audience, time.monotonic() + seconds
    for topic in topics:
        while not (audience.has(b"") or audience.wait(f"{topic} @@@ ".encode(), LOOK)):
            if time.monotonic() >= deadline:
                raise NobodyListens(f"nobody listens to topic {topic!r} within {seconds:g} s")


def _play(bus: Conversation, player: Player, turns: Turns, as_json: bool) -> None:
    began, is_through = time.monotonic(), False
    try:
        _play_turns(bus, player, turns)
        is_through = True
    finally:  # also after Ctrl-C
        _report(player, time.monotonic() - began, is_through, as_json)


def _play_turns(bus: Conversation, player: Player, turns: Turns) -> None:
    total = player.recording.index
    stalled: list[float] = []

    def line() -> str:
        of = f" of {span(total.last / 1e9)}" if total else ""
        return f"playing  {span(player.position)}{of}  {plural(player.played, 'message')}"

    def paused() -> str:
        return f"{line()}  paused; space goes on"

    def on_stall() -> None:
        now = time.monotonic()
        if not stalled or stalled[1] != player.played:
            stalled[:] = [now, player.played]
            progress.clear()
            remark("the bus takes nothing just now; waiting: a listener is slow, or the forwarder is gone")
        elif now - stalled[0] > STALL:
            raise SendTimeout(
                f"the forwarder at {bus.endpoints.publish} took nothing for {STALL:g} s; see {line()}"
            )

    player.on_stall = on_stall
    with Progress() as progress, Keys() as keys:
        if keys.is_there:
            player.sleep = Rest(keys, lambda: progress.show(line), lambda: progress.show(paused))
        for _ in itertools.count() if turns.loop else (0,):
            before = player.played
            for _ in player.play():
                progress.show(line)
                if turns.count is not None and player.played >= turns.count:
                    break
            if player.played == before or (turns.count is not None and player.played >= turns.count):
                break
        # What went out last has arrived when something that went out after it comes back.
        while bus.round_trip(b"{}", bus.publisher.send_timeout) is None:
            on_stall()


def _report(player: Player, seconds: float, is_through: bool, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "messages": player.played,
                "seconds": seconds,
                "position": player.position,
                "through": is_through,
                "left_out": player.left_out,
            }
        )
        return
    how_far = "" if is_through else f"; stopped at {span(player.position)} of the recording"
    say(f"played {plural(player.played, 'message')} in {span(seconds)}{how_far}")


def _hint(player: Player, chosen: Sequence[str]) -> None:
    """Say what was not played though one might think so."""
    commands = {topic: count for topic, count in player.left_out.items() if topic in COMMANDS}
    if commands and not chosen:
        names = ", ".join(commands)
        remark(
            f"left out {plural(sum(commands.values()), 'message')} on {names}, which command a provider; "
            f"--topics={','.join(commands)} plays them"
        )
    if not player.played:
        what = f"of {', '.join(chosen)}" if chosen else "to play"
        remark(f"there is no message {what} in this recording; 'bus info' says what is in it")
    damaged = player.recording.damaged_bytes
    if damaged:
        remark(f"{damaged:,} bytes of the recording are damaged; their messages were passed over")
