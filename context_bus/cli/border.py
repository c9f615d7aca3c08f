"""The border between a command and the shell: every way to end becomes an exit code and, at most, a line.

Knows click and the errors; the only place that turns an exception into text for people.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import click

from context_bus.errors import ContextBusError, InternalError

#: What was written cannot be used: the family of options and files.
EXIT_UNUSABLE = 2
#: What a shell reports for a command that Ctrl-C ended.
EXIT_INTERRUPTED = 130
#: What a shell reports for a command whose reader went away, as in ``... | head -1``.
EXIT_BROKEN_PIPE = 141


@dataclass
class Invocation:
    """What one run of the command line knows besides its arguments.

    Args:
        home: Directory of the checkout, where paths as the documents write them are found.
        debug: Whether errors show their traceback.
        leaves_at_once: Whether nothing is left to be done once the command has said its last line.
    """

    home: Path = field(default_factory=Path.cwd)
    debug: bool = False
    leaves_at_once: bool = False


class ReaderGone(Exception):
    """Nobody reads our output any more; no fault of anybody, and so no line."""


def watch_reader(callback: Callable[..., object]) -> Callable[..., object]:
    """Let a command's broken pipe through click, which would make it an exit 1 of its own."""

    @functools.wraps(callback)
    def watched(*args: object, **kwargs: object) -> object:
        try:
            return callback(*args, **kwargs)
        except BrokenPipeError:
            raise ReaderGone from None

    return watched


def run(
    command: click.Command, name: str, args: Sequence[str] | None, invocation: Invocation | None = None
) -> int:
    """Run a command and return the exit code, having said on stderr what went wrong."""
    invocation = invocation or Invocation()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal of another alphabet cannot show is spelled out; it is no reason to fall over.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = command.main(
            args=args,
            prog_name=name,
            standalone_mode=False,
            obj=invocation,
            auto_envvar_prefix="CONTEXT_BUS",
        )
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        return _say(_one_line(error), error.exit_code, invocation)
    except ContextBusError as error:
        return _say(str(error), error.exit_code, invocation)
    except (BrokenPipeError, ReaderGone):
        return _leave_pipe()
    except OSError as error:
        # A path that cannot be used was most likely written so; the rest is the machine's refusal.
        return _say(_of_the_world(error), EXIT_UNUSABLE if error.filename else 1, invocation)
    except Exception as error:  # noqa: BLE001 - the last border: a bug of ours must not look like the user's
        return _bug(error, invocation)
    return code if isinstance(code, int) else 0


def leave(code: int, invocation: Invocation) -> NoReturn:
    """End the process.

    A command that only asks and tells has closed all it opened. To take down the modules of such a process,
    one by one, costs 10 ms, a sixth of all it takes; the kernel does it in less than one.
    """
    if invocation.leaves_at_once:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _say(text: str, code: int, invocation: Invocation) -> int:
    if invocation.debug:
        _print_traceback()
    for line in text.splitlines() or ["unknown error"]:
        click.echo(f"error: {line}", err=True)
    return code


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()


def _one_line(error: click.ClickException) -> str:
    """The message of click, with the way to the help, on one line."""
    text = " ".join(error.format_message().split()).rstrip(".")
    text = text[:1].lower() + text[1:] if text[:2] != text[:2].upper() else text
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{text}; see '{context.command_path} --help'" if context else text


def _of_the_world(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _bug(error: Exception, invocation: Invocation) -> int:
    if invocation.debug:
        _print_traceback()
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    way = "please report it" + (
        "" if invocation.debug else " with the traceback that CONTEXT_BUS_DEBUG=1 shows"
    )
    click.echo(f"error: a bug in context-bus: {what} (at {where}); {way}", err=True)
    return InternalError.exit_code


def _leave_pipe() -> int:
    # The interpreter flushes stdout once more at its end; give it a place where that cannot fail.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_BROKEN_PIPE
