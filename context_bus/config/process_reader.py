"""Reads ``<process>``, ``<output>`` and ``<feedback>``: what a process runs in, and where its words go.

Knows these elements; whether users, directories and limits exist is looked at where the process will run.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from context_bus.config.faults import did_you_mean, nearest
from context_bus.config.level import Level
from context_bus.config.quantities import (
    NO_LIMIT,
    parse_cpus,
    parse_limit,
    parse_period,
    parse_size,
    parse_switch,
    parse_umask,
    parse_whole,
    say_limit,
)
from context_bus.config.supervision import Feedback, Output
from context_bus.config.values import value
from context_bus.kernel.surroundings import Surroundings

#: Resource limits of Linux, as getrlimit(2) names them.
LIMITS = (
    "as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
    "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip
#: Places of an output that are no path.
PLACES = ("log", "inherit", "null")
#: Most rotated files that are kept.
MAX_BACKUPS = 10_000


def read_surroundings(level: Level, base: Surroundings) -> Surroundings:
    """Read ``<process>``; variables and limits are added to those of the base."""
    found = Surroundings(
        cwd=level.text("cwd", base.cwd),
        env={**base.env, **_read_env(level)},
        user=level.text("user", base.user),
        group=level.text("group", base.group),
        umask=value(level, "umask", parse_umask, base.umask),
        nice=value(level, "nice", partial(parse_whole, low=-20, high=19), base.nice),
        cpus=value(level, "cpus", parse_cpus, base.cpus),
        limits={**base.limits, **_read_limits(level)},
    )
    level.finish()
    return found


def read_output(level: Level, base: Output) -> Output:
    """Read ``<output>``."""
    found = replace(
        base,
        stdout=_read_place(level, "stdout", PLACES, base.stdout),
        stderr=_read_place(level, "stderr", ("stdout", *PLACES), base.stderr),
        max_bytes=value(level, "max_bytes", parse_size, base.max_bytes),
        backups=value(level, "backups", partial(parse_whole, low=0, high=MAX_BACKUPS), base.backups),
        show=value(level, "show", parse_switch, base.show),
    )
    level.finish()
    return found


def read_feedback(level: Level) -> Feedback:
    """Read ``<feedback>``."""
    usual = Feedback()
    found = Feedback(
        timeout=value(level, "timeout", parse_period, usual.timeout),
        every=value(level, "every", parse_period, usual.every),
        file=level.text("file"),
    )
    if found.timeout is not None and found.timeout <= found.every:
        message = f"{found.timeout:g} s are over before a sign of life is looked for, {found.every:g} s later"
        level.fault("timeout", message, "raise timeout or lower every")
    level.finish()
    return found


def _read_env(level: Level) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in level.children("env"):
        name = part.required("name", 'write <env name="A" value="1"/>')
        if "=" in name:
            part.fault("name", f'"{name}" cannot name a variable', 'write name="A" value="1"')
        if name in found:
            part.fault("name", f'"{name}" is given twice', "keep one")
        found[name] = part.text("value")
        part.finish()
    return found


def _read_limits(level: Level) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for part in level.children("limit"):
        name = part.required("name", f"one of {', '.join(LIMITS)}")
        if name and name not in LIMITS:
            part.fault("name", f'"{name}" is no limit', did_you_mean(name, LIMITS))
        if name in found:
            part.fault("name", f'"{name}" is given twice', "keep one")
        soft = value(part, "soft", parse_limit, None)
        hard = value(part, "hard", parse_limit, soft)
        if "soft" not in part and "hard" not in part:
            part.fault("", "neither soft nor hard is given", 'write soft="1024", hard="4096" or both')
        soft = hard if soft is None else soft
        if soft is not None and hard is not None:
            if hard != NO_LIMIT and not 0 <= soft <= hard:
                message = f"{say_limit(soft)} is more than the hard limit of {say_limit(hard)}"
                part.fault("soft", message, "lower soft or raise hard")
            found[name] = (soft, hard)
        part.finish()
    return found


def _read_place(level: Level, name: str, places: tuple[str, ...], default: str) -> str:
    text = level.text(name, default)
    if text == "stdout" and text not in places:
        level.fault(name, '"stdout" is itself', f"expected {', '.join(places)} or a path")
    elif text not in places and "/" not in text and "." not in text and (near := nearest(text, places)):
        level.fault(
            name, f'"{text}" is no place', f'did you mean "{near}"? A file of this name is "./{text}"'
        )
    return text
