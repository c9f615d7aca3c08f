"""Values as people write them: times, sizes, switches, signals, masks, processors; and back to text.

Must not know elements: what cannot be read is a ValueError that says what was expected.
"""

from __future__ import annotations

import math
import re
import signal
import time
from collections.abc import Iterable

from context_bus.config.faults import LOOSE_LIKENESS, nearest

#: Largest number of a processor that is read; the kernel's own bound is 8191.
MAX_CPU = 8191
#: Longest time that is read, in seconds: a hundred years; beyond, sums with the clock lose their meaning.
MAX_SECONDS = 100 * 365 * 86400.0
#: Largest size that is read, in bytes; what the kernel takes is a signed number of 64 bits.
MAX_SIZE = 2**63 - 1
#: How a limit that is none is written, and the number for it.
UNLIMITED, NO_LIMIT = "unlimited", -1
#: Words for yes and no.
SWITCHES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
#: Signals that suspend a process instead of ending it.
SUSPENDING = frozenset({"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"})

_NUMBER = re.compile(r"[0-9]{1,19}")
_DECIMAL = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_SIZE = re.compile(r"(?P<number>[0-9]{1,19}(?:\.[0-9]{1,9})?) ?(?P<unit>[kmg]?i?b?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
#: Units of durations, in seconds.
_DURATIONS = {"w": 7 * 86400.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?(ms|[wdhms])")
_DURATION = re.compile(rf"(?:{_PART.pattern} ?)+")
_RANGE = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?")


def parse_seconds(text: str) -> float:
    """Read a duration in seconds, 0 or more."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f'"{text}" is no duration: expected seconds, such as 0.5')
    seconds = float(text)
    if seconds > MAX_SECONDS:
        raise ValueError(f'"{text}" seconds are more than a hundred years')
    return seconds


def parse_duration(text: str) -> float:
    """Read a duration in seconds, more than 0, with units or without: ``90``, ``1h30m``, ``7d``."""
    found = _DURATION.fullmatch(text.strip().lower())
    if not found and not _DECIMAL.fullmatch(text):
        raise ValueError(f'"{text}" is no duration: expected numbers of w, d, h, m or s, such as 1h30m or 7d')
    parts = _PART.findall(text.lower()) if found else [(text, "s")]
    seconds = sum(float(number) * _DURATIONS[unit] for number, unit in parts)
    if seconds > MAX_SECONDS:
        raise ValueError(f'"{text}" is more than a hundred years')
    if not seconds:
        raise ValueError(f'"{text}" is no time at all: expected more than 0 seconds')
    return seconds


def parse_period(text: str) -> float:
    """Read a duration in seconds, more than 0."""
    seconds = parse_seconds(text)
    if not seconds:
        raise ValueError(f'"{text}" is no time at all: expected more than 0 seconds')
    return seconds


def parse_factor(text: str) -> float:
    """Read by what a delay grows: 1 or more."""
    factor = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not 1.0 <= factor < math.inf:
        raise ValueError(f'"{text}" is no factor: expected 1 or more')
    return factor


def parse_part(text: str) -> float:
    """Read a part of a whole: 0 to 1."""
    part = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not 0.0 <= part <= 1.0:
        raise ValueError(f'"{text}" is no part of a whole: expected 0 to 1')
    return part


def parse_whole(text: str, low: int, high: int) -> int:
    """Read a whole number from ``low`` to ``high``."""
    digits = text.removeprefix("-")
    if not _NUMBER.fullmatch(digits) or not low <= int(text) <= high:
        raise ValueError(f'"{text}" is not a whole number from {low} to {high}')
    return int(text)


def parse_switch(text: str) -> bool:
    """Read yes or no."""
    if text.lower() not in SWITCHES:
        raise ValueError(f'"{text}" is neither yes nor no: expected one of {", ".join(SWITCHES)}')
    return SWITCHES[text.lower()]


def parse_size(text: str) -> int:
    """Read a number of bytes; ``kB``, ``MB`` and ``GB`` are powers of 1024."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(f'"{text}" is no size: expected bytes, or a number of kB, MB or GB, such as 10MB')
    unit = _UNITS[found["unit"].lower().rstrip("b").rstrip("i")]
    size = int(found["number"]) * unit if found["number"].isdigit() else int(float(found["number"]) * unit)
    if size > MAX_SIZE:
        raise ValueError(f'"{text}" is more than any file can hold')
    return size


def parse_limit(text: str) -> int:
    """Read a resource limit: a number, a size, or ``unlimited`` (-1)."""
    return NO_LIMIT if text.lower() == UNLIMITED else parse_size(text)


def parse_umask(text: str) -> int:
    """Read mode bits, in octal."""
    if not re.fullmatch(r"(?:0o)?[0-7]{1,5}", text) or int(text, 8) > 0o777:
        raise ValueError(f'"{text}" is no umask: expected three octal digits, such as 022')
    return int(text, 8)


def parse_cpus(text: str) -> tuple[int, ...]:
    """Read numbers and ranges of processors, such as ``0,2-3``; sorted."""
    cpus: set[int] = set()
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        first = int(found["first"]) if found else 0
        last = int(found["last"] or first) if found else 0
        if not found or not first <= last <= MAX_CPU:
            raise ValueError(f'"{text}" names no processors: expected numbers and ranges, such as 0,2-3')
        cpus.update(range(first, last + 1))
    return tuple(sorted(cpus))


def parse_codes(text: str) -> tuple[int, ...]:
    """Read exit codes, such as ``0,3``; each once, in the order written."""
    return tuple(dict.fromkeys(parse_whole(part.strip(), 0, 255) for part in text.split(",")))


def parse_signal(text: str) -> str:
    """Read the name of a signal that ends a process, with or without ``SIG``."""
    name = text.upper()
    name = name if name.startswith("SIG") else f"SIG{name}"
    if name not in signal.Signals.__members__:
        known = [each.removeprefix("SIG") for each in signal.Signals.__members__]
        near = nearest(name.removeprefix("SIG"), known, LOOSE_LIKENESS)
        guess = f'did you mean "SIG{near}"?' if near else "expected a name such as SIGTERM, SIGINT or SIGQUIT"
        raise ValueError(f'"{text}" is no signal: {guess}')
    if name in SUSPENDING:
        raise ValueError(
            f'"{text}" suspends a process and does not end it: expected SIGTERM, SIGINT or the like'
        )
    return name


def say_number(number: float) -> str:
    """A number as short as it can be read back."""
    return str(int(number)) if number.is_integer() and number < 1e15 else repr(number)


def say_duration(seconds: float) -> str:
    """A duration in the units that people use: ``1h30m``, ``7d``, ``0.5s``."""
    left, text = round(seconds, 3), ""
    for unit in ("d", "h", "m"):
        count = int(left // _DURATIONS[unit])
        left = round(left - count * _DURATIONS[unit], 3)
        text += f"{count}{unit}" if count else ""
    return text + (f"{say_number(left)}s" if left or not text else "")


def say_moment(at: float) -> str:
    """A time, in seconds since the epoch, to the second in the local zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def say_size(size: int) -> str:
    """Bytes in the largest unit that divides them."""
    for unit, name in ((2**30, "GB"), (2**20, "MB"), (2**10, "kB")):
        if size and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def say_limit(limit: int) -> str:
    """A resource limit."""
    return UNLIMITED if limit == NO_LIMIT else str(limit)


def say_cpus(cpus: Iterable[int]) -> str:
    """Processors, neighbours joined into ranges."""
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][-1] + 1:
            ranges[-1][1:] = [cpu]
        else:
            ranges.append([cpu])
    return ",".join("-".join(map(str, part)) for part in ranges)
