"""``bus hz``: measure how many messages a second a topic carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from context_bus.cli.output import say
from context_bus.cli.rate_command import rate_command

if TYPE_CHECKING:
    from context_bus.cli.meter import Rate


def _say(rate: Rate) -> None:
    say(
        f"average rate: {rate.rate:.3f}/s  min: {rate.shortest:.6f} s  max: {rate.longest:.6f} s  "
        f"std dev: {rate.deviation:.6f} s  window: {rate.messages}"
    )


command = rate_command("hz", "messages", _say)
