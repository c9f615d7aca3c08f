"""Collects every fault of one source before anything is raised. Knows errors; must not know elements."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable

from context_bus.errors import ConfigurationError, Fault

#: Similarity above which an unknown name is taken for a slip of a known one (0 to 1).
LIKENESS = 0.8
#: The same where the name is wrong in any case, and a guess costs nothing.
LOOSE_LIKENESS = 0.6
#: Known names among which the meant one is guessed; comparing costs microseconds for each.
MAX_GUESSED = 1000
#: Known names listed in one remedy; the rest is counted.
MAX_NAMED = 12
#: Longest part of a message, in characters; what is quoted beyond is cut.
MAX_LENGTH = 300
#: Faults (and warnings) kept of one source: a source with more is junk, perhaps a stranger's.
MAX_FAULTS = 100

_logger = logging.getLogger(__name__)


def one_line(text: str) -> str:
    """Make text fit into one line of a terminal: it may quote what a stranger sent."""
    flat = " ".join(text.split())
    short = flat if len(flat) <= MAX_LENGTH else flat[: MAX_LENGTH - 3] + "..."
    return "".join(char if char.isprintable() else f"U+{ord(char):04X}" for char in short)


def _bare(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def nearest(name: str, known: Iterable[str], likeness: float = LIKENESS) -> str:
    """The known name that the user probably meant; empty if none is near."""
    by_bare = {_bare(candidate): candidate for candidate in known}
    found = difflib.get_close_matches(_bare(name), by_bare, n=1, cutoff=likeness)
    return by_bare[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy: the near name if there is one, and what is known."""
    names = list(known)
    near = nearest(name, names, LOOSE_LIKENESS) if len(names) <= MAX_GUESSED else ""
    guess = f'did you mean "{near}"? ' if near else ""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{guess}known: {', '.join(names[:MAX_NAMED])}{more}" if names else ""


class FaultList:
    """The faults and warnings of one source, in the order found.

    Args:
        file: Name of the source as messages should give it.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._seen: set[Fault] = set()
        self._noted = 0

    def fault(self, message: str, remedy: str = "", *, line: int = 0, element: str = "") -> None:
        """Note what makes the source unusable."""
        self._noted += 1
        self._add(self.faults, message, remedy, line, element)

    def warn(self, message: str, remedy: str = "", *, line: int = 0, element: str = "") -> None:
        """Note what is odd but harmless."""
        self._add(self.warnings, message, remedy, line, element)

    def _add(self, found: list[Fault], message: str, remedy: str, line: int, element: str) -> None:
        if len(found) > MAX_FAULTS:
            return
        if len(found) == MAX_FAULTS:
            message, remedy, element = "and more of the kind", "mend these first", ""
        fault = Fault(one_line(message), one_line(remedy), self.file, line, one_line(element))
        if fault not in self._seen:
            self._seen.add(fault)
            found.append(fault)

    @property
    def is_full(self) -> bool:
        """Whether there are so many faults (the same one again counts) that looking on is of no use."""
        return self._noted > MAX_FAULTS

    def raise_faults(self) -> None:
        """Raise all faults in order of their lines, if there are any.

        Raises:
            ConfigurationError: With every fault.
        """
        if self.faults:
            raise ConfigurationError(self.sorted_faults())

    def sorted_faults(self) -> tuple[Fault, ...]:
        """The faults in order of their lines."""
        return tuple(sorted(self.faults, key=lambda fault: fault.line))

    def log_warnings(self) -> None:
        """Give the warnings to the log."""
        for warning in self.warnings:
            _logger.warning("%s", warning)
