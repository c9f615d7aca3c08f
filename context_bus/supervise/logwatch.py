"""Know by what a child writes that it is ready. Pure: lines come in as bytes.

Knows a regular expression; must not know where the lines come from.
"""

from __future__ import annotations

import re

from context_bus.errors import ConfigurationError, Fault

#: Bytes of a line that are looked at: an expression may take its time over a long one.
LINE_LIMIT = 4096


class LogWatch:
    """Waits for a line.

    Args:
        pattern: A regular expression, found anywhere in the line.

    Raises:
        ConfigurationError: The pattern is none.
    """

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            fault = Fault(
                f'"{pattern}" is no regular expression: {error}', "a backslash before it makes a sign plain"
            )
            raise ConfigurationError([fault]) from error
        self._has_matched = False

    @property
    def has_matched(self) -> bool:
        """Whether the line has come."""
        return self._has_matched

    def feed(self, line: bytes) -> bool:
        """Look at the next line, with or without its end.

        Returns:
            Whether it is the one that was waited for, which is told once.
        """
        if self._has_matched:
            return False
        text = line[:LINE_LIMIT].decode(errors="replace").rstrip("\r\n")
        self._has_matched = self._pattern.search(text) is not None
        return self._has_matched
