"""``bus bw``: measure how many bytes a second a topic carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from context_bus.cli.output import say
from context_bus.cli.rate_command import rate_command
from context_bus.cli.wording import amount

if TYPE_CHECKING:
    from context_bus.cli.meter import Rate


def _say(rate: Rate) -> None:
    mean = rate.bytes_per_second / rate.rate
    say(
        f"{amount(rate.bytes_per_second)}/s  message mean: {amount(mean)}  "
        f"min frame: {amount(rate.smallest)}  max frame: {amount(rate.largest)}  window: {rate.messages}"
    )


command = rate_command("bw", "bytes", _say)
