"""What stands before everything else for a moment: a question, the help."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from context_bus.view.terminal.bars import Bars

ASKING = Style(reverse=True, bold=True)

HELP = """\
 Move        up down, page up, page down, home, end; j k, g G
 Services    s start     x stop      r restart    (stop and restart ask)
 Look        l Enter log     e events     E events of all     d details
             b bus: topics, rates, losses, delays; again for services
             z pane in full height   Tab to the pane, back   Esc closes it
 Sort        P CPU   M memory   N name   S state   T starts   Y messages
             < > another column   I turns it round   0 order of the file
             or click the title of a column
 Choose      / filter by id, name, state or transaction   Esc shows all
             t transactions apart, or all in one
 Other       p pause     Ctrl-L paint again     q Ctrl-C quit

 CPU% is of one core, RSS of the service and all processes that it started.
 RST counts starts after the first, MSG/S what the service publishes.\
"""


class Ask(ModalScreen[bool]):
    """Asks whether something is to be done; anything but yes is no."""

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """One line at the foot."""
        yield Bars(id="ask")

    def on_mount(self) -> None:
        """Say it."""
        self.query_one(Bars).show([Segment(f" {self.question}  y yes  n no ", ASKING)])

    def on_key(self, event: events.Key) -> None:
        """Take the answer."""
        event.stop()
        self.dismiss(event.key in {"y", "Y"})

    def on_click(self) -> None:
        """Whoever clicks elsewhere does not mean yes."""
        self.dismiss(False)


class Help(ModalScreen[None]):
    """Shows all keys."""

    BINDINGS: ClassVar = []

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        yield Static(Text(HELP), id="help")

    def on_key(self, event: events.Key) -> None:
        """Any key ends it."""
        event.stop()
        self.dismiss(None)

    def on_click(self) -> None:
        """So does the mouse."""
        self.dismiss(None)
