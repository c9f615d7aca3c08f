"""Command lines as argparse reads them, each fault told on one line; values that the scripts share.

Knows the standard library; whatever reads durations and sizes for people is imported when one is given.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import math
import os
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

#: Columns of a help text at most.
WIDTH = 100


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal, found out without the import of shutil: argparse makes one for each option."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width())


@functools.cache
def _width() -> int:
    with contextlib.suppress(OSError):
        return min(os.get_terminal_size().columns, WIDTH) - 2
    return WIDTH - 2


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations, says a fault on one line and ends its help with examples."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **options: Any) -> None:
        if examples:
            options["epilog"] = "\n".join(("examples:", *(f"  {line}" for line in examples)))
        # An abbreviation that is taken today is another option's name tomorrow.
        options |= {"allow_abbrev": False, "formatter_class": _Formatter}
        super().__init__(*args, **options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is; exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see '{self.prog} --help'\n")

    def add_debug(self, **options: Any) -> None:
        """Add ``--debug`` and ``--debug_file``."""
        what = "log to stderr what is done, errors with traceback"
        self.add_argument("--debug", "-d", action="store_true", help=what, **options)
        into = {"metavar": "FILE", "default": "", "help": "the same, into a file"} | options
        self.add_argument("--debug_file", "--debug-file", **into)


def _reading(read: Callable[[str], T]) -> Callable[[str], T]:
    """A type for argparse of what says itself, in a ValueError, what it expects."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


@_reading
def seconds(text: str) -> float:
    """Seconds, 0 or more."""
    found = _float(text)
    if not 0.0 <= found < 1e9:
        raise ValueError(f"'{text}' is no number of seconds, such as 30 or 1.5")
    return found


@_reading
def some_seconds(text: str) -> float:
    """Seconds, more than 0."""
    found = _float(text)
    if not 0.0 < found < 1e9:
        raise ValueError(f"'{text}' is no number of seconds above 0, such as 30 or 1.5")
    return found


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


@_reading
def number(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) < 2**63):
        raise ValueError(f"'{text}' is no whole number from 1 on")
    return int(text)


@_reading
def count(text: str) -> int:
    """A whole number from 0 on."""
    return 0 if text == "0" else number(text)


@_reading
def duration(text: str) -> float:
    """Seconds, or a time with units; more than 0."""
    from context_bus.config.quantities import parse_duration

    return parse_duration(text)


@_reading
def size(text: str) -> int:
    """Bytes, with a unit or without; 1 or more."""
    from context_bus.config.quantities import parse_size

    if (found := parse_size(text)) < 1:
        raise ValueError(f"'{text}' is no size at all, expected one such as 500K or 2G")
    return found


@_reading
def variable(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` of the environment."""
    name, equals, value = text.partition("=")
    if not (name and equals) or "\0" in text:
        raise ValueError(f"'{text}' sets no variable, expected NAME=VALUE")
    return name, value


@_reading
def text(given: str) -> str:
    """A text as a database can keep it: bytes of another encoding arrive as halves of characters."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{os.fsencode(given)!r} is no text in UTF-8") from None
    return given


@_reading
def some_text(given: str) -> str:
    """A text that is not empty."""
    if not given:
        raise ValueError("is empty")
    return text(given)
