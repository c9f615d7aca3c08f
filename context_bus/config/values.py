"""Takes one part of an element as a value: by a function, or as one of a few words.

Knows levels; must not know which elements exist.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeVar

from context_bus.config.faults import did_you_mean
from context_bus.config.level import Level

T = TypeVar("T")
W = TypeVar("W", bound=enum.StrEnum)


def value(level: Level, name: str, parse: Callable[[str], T], default: T) -> T:
    """Read a part by a function that raises ValueError; the default if absent, empty or faulty."""
    text = level.text(name)
    if not text:
        return default
    try:
        return parse(text)
    except ValueError as error:
        level.fault(name, str(error))
        return default


def word(level: Level, name: str, words: type[W], default: W | None, *others: str) -> W | None:
    """Read one of a few words; None after noting a fault, and if absent without a default.

    Args:
        level: The element.
        name: The part.
        words: What it may be.
        default: What it is if absent or empty.
        others: Words that the caller knows besides, for the remedy.
    """
    text = level.text(name)
    if not text:
        return default
    if text in list(words):
        return words(text)
    level.fault(name, f'"{text}" is not known', did_you_mean(text, [*words, *others]))
    return None
