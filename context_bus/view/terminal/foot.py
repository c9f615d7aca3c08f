"""The line at the foot of the tables: what was just done, else what there is to say of the chosen one."""

from __future__ import annotations

import time

from rich.segment import Segment
from rich.style import Style

from context_bus.view.happened import without_directories
from context_bus.view.snapshot import ServiceView
from context_bus.view.terminal.bars import Bars
from context_bus.view.terminal.columns import fitted

#: Seconds for which a message is shown.
MESSAGE_STAYS = 6.0
DIM, RED, YELLOW = Style(dim=True), Style(color="red"), Style(color="yellow")
BAD, GOOD = Style(color="red", bold=True), Style(color="green")


class Foot(Bars):
    """One line."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._message, self._style, self._until = "", GOOD, 0.0

    def say(self, message: str, *, is_bad: bool = False) -> None:
        """Show a message for a while."""
        self._message, self._style = message, BAD if is_bad else GOOD
        self._until = time.monotonic() + MESSAGE_STAYS
        self.update(None, "")

    def update(self, service: ServiceView | None, remark: str) -> None:
        """Show what is to be shown now.

        Args:
            service: The chosen one.
            remark: What is to be said instead of that.
        """
        if time.monotonic() < self._until:
            text, style = self._message, self._style
        elif remark:
            text, style = remark, YELLOW
        elif service is not None and service.last_error:
            text = f"{service.service_id}: {without_directories(service.last_error)}"
            style = RED if service.pid is None else YELLOW
        elif service is not None:
            name = "" if service.name == service.service_id else f"  {service.name}"
            text, style = f"{service.service_id}{name}  {short_path(service.log)}", DIM
        else:
            text, style = "", DIM
        self.show([Segment(fitted(f" {text}", self.size.width), style)])


def short_path(path: str) -> str:
    """The last parts of a path: those that differ from service to service."""
    return "/".join(path.split("/")[-3:])
