"""``bus info``: say what is in a recording."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import FileInProject, json_option
from context_bus.cli.output import say, say_json, say_table
from context_bus.cli.wording import in_bytes, plural, span

if TYPE_CHECKING:
    from context_bus.bus.recording import Index
    from context_bus.bus.recording_reader import Recording


@click.command("info", epilog=examples("{command} monday.rec", "{command} monday.rec --check --json"))
@click.argument("file", type=FileInProject())
@click.option(
    "--check", is_flag=True, help="Read all of it, so that damage shows, not only the sum at its end."
)
@json_option()
def command(file: Path, check: bool, as_json: bool) -> None:
    """Say how long a recording is, what it holds of whom, what was missed, and whether it is whole.

    A recording whose recorder was killed has no sum at its end; it is read through.
    """
    from context_bus.bus.recording_reader import open_recording

    with open_recording(file) as recording:
        index = recording.sum_up(check=check)
        if as_json:
            say_json(_document(file, recording, index))
        else:
            _print(file, recording, index)


def _document(file: Path, recording: Recording, index: Index) -> dict[str, object]:
    about = recording.about
    return {
        "file": str(file),
        "size": recording.size,
        "program": about.program,
        "endpoint": about.endpoint,
        "topics_asked": list(about.topics),
        "start": about.started / 1e9,
        "end": (about.started + index.ended) / 1e9,
        "seconds": index.ended / 1e9,
        "messages": sum(tally.messages for tally in index.tallies),
        "frames": index.frames,
        "bytes": index.bytes,
        "blocks": index.blocks,
        "missed": sum(tally.missed for tally in index.tallies),
        "strangers": index.strangers,
        "whole": recording.is_whole and not recording.damaged_bytes,
        "ended": recording.is_whole,
        "damaged_bytes": recording.damaged_bytes,
        "damaged_messages": recording.damaged_messages,
        "cut_bytes": recording.cut_bytes,
        "tallies": [
            {
                "topic": tally.topic,
                "sender": tally.sender,
                "messages": tally.messages,
                "bytes": tally.bytes,
                "missed": tally.missed,
            }
            for tally in index.tallies
        ],
    }


def _print(file: Path, recording: Recording, index: Index) -> None:
    about = recording.about
    messages = sum(tally.messages for tally in index.tallies)
    missed = sum(tally.missed for tally in index.tallies)
    asked = ", ".join(about.topics) or "all topics"
    say(f"file      {file}  {in_bytes(recording.size)} in {plural(index.blocks, 'block')}")
    say(f"recorded  {_when(about.started, index.ended)}  {span(index.ended / 1e9)}")
    say(f"from      {about.endpoint or 'unknown'}  {asked}")
    say(f"messages  {messages:,}  {in_bytes(index.bytes)}  missed {missed:,}")
    say(f"state     {_state(recording)}")
    if index.tallies:
        say()
        say_table(
            ("topic", "sender", "messages", "bytes", "missed"),
            [
                (tally.topic or "(others)", tally.sender, tally.messages, tally.bytes, tally.missed)
                for tally in index.tallies
            ],
        )


def _when(started: int, ended: int) -> str:
    if not started:
        return "nobody knows when"
    first, last = (datetime.fromtimestamp(at / 1e9).astimezone() for at in (started, started + ended))
    same_day = "%H:%M:%S" if first.date() == last.date() else "%Y-%m-%d %H:%M:%S"
    return f"{first:%Y-%m-%d %H:%M:%S} to {last:{same_day}}"


def _state(recording: Recording) -> str:
    parts = []
    if recording.damaged_bytes:
        lost = plural(recording.damaged_messages, "message")
        parts.append(f"damaged: {in_bytes(recording.damaged_bytes)} cannot be read, with at least {lost}")
    if not recording.is_whole:
        cut = f"; its last {in_bytes(recording.cut_bytes)} are no whole block" if recording.cut_bytes else ""
        parts.append(f"not ended in order: the recorder was killed, or still records{cut}")
    return "; ".join(parts) or "whole"
