"""What a watched program says in its feedback: lines of ``[keyword]value``. Pure.

Knows bytes; must not know where they come from. The rules are those of the original tool's document; where
its code does otherwise (``[]``, keywords that begin with a digit), the document is followed.
"""

from __future__ import annotations

#: Bytes of a line beyond which it is left out as a whole, so that one that never ends costs no more memory.
LINE_LIMIT = 16 * 1024 * 1024
#: What some editors write in front of a text; no part of its first line.
_MARK = b"\xef\xbb\xbf"


def is_keyword(text: str) -> bool:
    """Whether a text may stand between the brackets: ASCII letters, digits, ``-``, ``_``; no digit first."""
    return text.isascii() and text.replace("-", "_").isidentifier()


class Feedback:
    """The pairs that lines come to, whatever pieces the lines come in.

    A line ends with LF, CR or both. White space around it does not count. A keyword keeps the place of its
    first value until it is cleared. A line that is nothing of this is left out, and told to nobody: a program
    may write there what it likes.

    Args:
        line_limit: Bytes of a line beyond which it is left out.
    """

    def __init__(self, line_limit: int = LINE_LIMIT) -> None:
        self._limit = line_limit
        self._values: dict[str, str] = {}
        self._rest = bytearray()
        self._is_first = True
        self._is_too_long = False

    @property
    def values(self) -> dict[str, str]:
        """The pairs so far, in order; a last line that has not ended yet counts as it stands."""
        values = dict(self._values)
        if self._rest:
            _apply(values, self._text(self._rest))
        return values

    def feed(self, data: bytes) -> bool:
        """Go on with what comes next.

        Returns:
            Whether the pairs may be others now; if not, they are surely the same.
        """
        if not data:
            return False
        # CR LF is the end of a line and an empty line, which counts for nothing, wherever it is torn.
        first, *others = data.replace(b"\r", b"\n").split(b"\n")
        # What counted as it stood may count otherwise, or not at all, when it goes on or ends.
        has_changed = bool(self._rest)
        self._extend(first)
        if others:
            has_changed |= self._end_line()
            for line in others[:-1]:
                has_changed |= len(line) <= self._limit and _apply(self._values, self._text(line))
            self._extend(others[-1])
        return has_changed or bool(self._rest)

    def _extend(self, piece: bytes) -> None:
        """Add to the line that has not ended, unless it is too long already."""
        self._is_too_long |= len(self._rest) + len(piece) > self._limit
        if self._is_too_long:
            self._rest.clear()
        else:
            self._rest += piece

    def _end_line(self) -> bool:
        """The line that had not ended has; returns whether that changed the pairs."""
        line, self._rest = self._rest, bytearray()
        has_changed = not self._is_too_long and _apply(self._values, self._text(line))
        self._is_first = self._is_too_long = False
        return has_changed

    def _text(self, line: bytes | bytearray) -> str:
        if self._is_first:
            line = line.removeprefix(_MARK)
        return line.decode(errors="replace").strip()


def parse(data: bytes) -> dict[str, str]:
    """The pairs that a whole feedback comes to.

    Args:
        data: All of it; the last line may lack its end.
    """
    feedback = Feedback()
    feedback.feed(data)
    return feedback.values


def _apply(values: dict[str, str], line: str) -> bool:
    """Let one line, without white space around it, change the pairs; returns whether it did."""
    if not line.startswith("["):
        return False
    if line == "[]":
        has_changed = bool(values)
        values.clear()
        return has_changed
    end = line.find("]")
    keyword = line[1:end]
    if end < 0 or (keyword not in values and not is_keyword(keyword)):
        return False
    value = line[end + 1 :]
    if not value:
        return values.pop(keyword, None) is not None
    if values.get(keyword) == value:
        return False
    values[keyword] = value
    return True
