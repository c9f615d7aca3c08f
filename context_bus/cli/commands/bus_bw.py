"""``bus bw``: measure how many bytes a second a topic carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from context_bus.cli.output import say
from context_bus.cli.rate_command import rate_command

if TYPE_CHECKING:
    from context_bus.cli.meter import Rate


def _say(rate: Rate) -> None:
    mean = rate.bytes_per_second / rate.rate
    say(
        f"{human(rate.bytes_per_second)}/s  message mean: {human(mean)}  min frame: {human(rate.smallest)}  "
        f"max frame: {human(rate.largest)}  window: {rate.messages}"
    )


def human(size: float) -> str:
    """A number of bytes in a unit that people read."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.2f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


command = rate_command("bw", "bytes", _say)
