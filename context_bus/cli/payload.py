"""JSON that the user gives on the command line, and the templates in it. Knows click; opens no socket."""

from __future__ import annotations

import sys
import time
from typing import Any

import click
import msgspec

from context_bus.kernel.message import Header, Message

#: Bytes of standard input that are read as one message.
MAX_INPUT = 64 * 1024 * 1024


class Payload:
    """A message to be sent, perhaps many times.

    Args:
        text: JSON, or ``-`` for standard input. ``{count}`` and ``{time}`` are filled in for each
            message. An object with ``header`` and ``content`` is a whole message, anything else a content.

    Raises:
        click.UsageError: It is not JSON.
    """

    def __init__(self, text: str) -> None:
        self._text = sys.stdin.read(MAX_INPUT) if text == "-" else text
        self._has_template = "{count}" in self._text or "{time}" in self._text
        self._decoded = self._decode(1)

    def message(self, count: int, header: Header) -> Message[Any]:
        """The message number ``count``, with the header's fields where it does not bring its own."""
        content = self._decode(count) if self._has_template else self._decoded
        if not (isinstance(content, dict) and content.keys() == {"header", "content"}):
            return Message(msgspec.structs.replace(header), content)
        given = msgspec.to_builtins(header) | content["header"]
        return Message(msgspec.convert(given, Header), content["content"])

    def check(self) -> None:
        """Refuse a whole message whose header has fields of the wrong kind; raises UsageError."""
        try:
            self.message(1, Header())
        except (msgspec.ValidationError, TypeError) as error:
            raise click.UsageError(f"the header cannot be sent: {error}", _context()) from None

    def _decode(self, count: int) -> Any:
        text = self._text
        if self._has_template:
            text = text.replace("{count}", str(count)).replace("{time}", f"{time.time():.6f}")
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            shown = text if len(text) <= 40 else text[:37] + "..."
            reason = str(error).removeprefix("JSON is malformed: ")
            hint = "; text is quoted: '\"hello\"'" if text[:1].isalpha() else ""
            raise click.UsageError(f"not JSON: {shown} ({reason}){hint}", _context()) from None


def _context() -> click.Context | None:
    return click.get_current_context(silent=True)
