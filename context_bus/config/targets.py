"""What a probe asks: a host and port, a URL, a regular expression, a program; checked as text.

Knows endpoints; connects to nothing and runs nothing.
"""

from __future__ import annotations

import re
import shlex
import warnings
from urllib.parse import urlsplit

from context_bus.config.address import parse_address
from context_bus.config.level import Level


def check_tcp(text: str) -> None:
    """Check ``HOST:PORT``.

    Raises:
        ValueError: It is none, with what was expected.
    """
    try:
        address = parse_address(f"tcp://{text}")
    except ValueError:
        raise ValueError(f'"{text}" is no host and port: expected for instance 127.0.0.1:8080') from None
    if address.is_wildcard:
        raise ValueError(f'nobody can connect to "{text}": expected for instance 127.0.0.1:{address.port}')


def check_url(text: str) -> None:
    """Check a URL of http or https.

    Raises:
        ValueError: It is none, with what was expected.
    """
    example = "expected for instance http://127.0.0.1:8080/health"
    try:
        parts = urlsplit(text)
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f'"{text}" is no URL: {example}')


def check_pattern(text: str) -> None:
    """Check a regular expression, as text and as bytes: output is bytes.

    Raises:
        ValueError: It is none, with the reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
            re.compile(text.encode())
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f'"{text}" is no regular expression: {error}') from None


def read_command(level: Level) -> tuple[str, ...]:
    """Read the ``command`` of an element: one line as for a shell, or an ``arg`` for each word.

    No shell is involved: nothing is expanded, there are no pipes. A program without a slash is looked up
    in ``PATH``; a relative one with a slash starts at the working directory of its process.

    Returns:
        Program and arguments; empty if there is no command, or after noting a fault.
    """
    level.settle(["command"])
    parts = level.node.named("command")
    line = level.node.attributes.get("command")
    if len(parts) + (line is not None) > 1:
        level.fault(
            "command", "given more than once", "write one line, or an <arg> for each word in one <command>"
        )
        return ()
    if parts and not parts[0].is_leaf:
        inner = Level(parts[0], level.at("command"), level.faults, strict=True)
        words = inner.texts("arg")
        inner.finish()
    else:
        try:
            words = shlex.split(parts[0].text if parts else line or "")
        except ValueError as error:
            level.fault(
                "command", f"cannot be split into words: {str(error).lower()}", "close what is opened"
            )
            return ()
    if "command" in level and not (words and words[0]):
        level.fault("command", "names no program", "write the program and its arguments")
        return ()
    return tuple(words)
