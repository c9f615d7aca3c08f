"""Where somebody types what is to be shown. Knows Textual."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class FilterBox(Input):
    """One line that is seen while it is typed in."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "all again", show=False)]

    class Typed(Message):
        """What is typed so far."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """Somebody has done with it."""

    def __init__(self, *, id: str) -> None:
        super().__init__(placeholder="part of an id, name, state or transaction", id=id)

    def open(self, text: str) -> None:
        """Begin with what was typed before."""
        self.value = text
        self.set_class(True, "-open")
        self.focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Tell it as it is typed."""
        message.stop()
        if self.has_class("-open"):
            self.post_message(self.Typed(message.value))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Keep it."""
        message.stop()
        self._leave()

    def action_give_up(self) -> None:
        """Take it back."""
        self._leave()
        self.post_message(self.Typed(""))

    def _leave(self) -> None:
        self.set_class(False, "-open")
        self.post_message(self.Left())
