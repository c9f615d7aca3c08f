"""The border between a script and the shell: every way to end becomes an exit code and, at most, a line.

Knows the errors and argparse's exit; must not know click: to import it takes longer than a script runs.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from context_bus.errors import ContextBusError, InternalError

if TYPE_CHECKING:
    from argparse import Namespace

#: What the original says for everything that it refuses.
EXIT_REFUSED = 1
#: What argparse says of a command line that cannot be used.
EXIT_USAGE = 2
#: What a shell reports for a command that Ctrl-C ended.
EXIT_INTERRUPTED = 130
#: What a shell reports for a command whose reader went away, as in ``... | head -1``.
EXIT_BROKEN_PIPE = 141


def run(
    parse: Callable[[Sequence[str] | None], Namespace],
    act: Callable[[Namespace], int],
    args: Sequence[str] | None,
) -> int:
    """Read a command line, do what it says and return the exit code, having said on stderr what went wrong.

    Args:
        parse: Makes options of the arguments, ``debug`` and ``debug_file`` among them; may raise SystemExit.
        act: Does it and returns the exit code.
        args: The arguments; None for those of this process.
    """
    _have_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal of another alphabet cannot show is spelled out; it is no reason to fall over.
        sys.stdout.reconfigure(errors="backslashreplace")
    debug = False
    try:
        try:
            options = parse(args)
            debug = options.debug or bool(options.debug_file)
            if debug:
                _configure_log(options.debug_file)
            code = act(options)
        except SystemExit as end:  # argparse has said what there is to say
            code = end.code if isinstance(end.code, int) else EXIT_USAGE
        sys.stdout.flush()
        if debug:
            _log("exit code %d", code)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _leave_pipe()
    except (ContextBusError, OSError) as error:
        return _refuse(error, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last border: a bug of ours must not look like the user's
        return _bug(error, debug=debug)
    return code


def _have_streams() -> None:
    """Have somewhere to write to if the caller has closed a stream, as cron and daemons do."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                os.dup2(nowhere := os.open(os.devnull, os.O_WRONLY), number)
                if nowhere != number:
                    os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "w", closefd=False))


def leave(code: int) -> NoReturn:
    """End the process at once.

    All that was opened is closed by now, and to take down the modules one by one is a tenth of the time
    that a script takes.
    """
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(code)


def remark(text: str) -> None:
    """Print a line that is not the result."""
    print(text, file=sys.stderr)


def _configure_log(file: str) -> None:
    from context_bus.cli.logs import LogSettings, configure

    configure(LogSettings("debug", file))
    # Not the arguments: what is set in the environment of a command may be secret.
    _log("%s begins as process %d in %s", os.path.basename(sys.argv[0]), os.getpid(), os.getcwd())


def _log(text: str, *values: object) -> None:
    import logging

    logging.getLogger(__name__).debug(text, *values, exc_info=sys.exc_info()[0] is not None)


def _refuse(error: Exception, *, debug: bool) -> int:
    if debug:
        _log("refused")
    text = str(error)
    if isinstance(error, OSError):
        text = (f"{error.filename}: " if error.filename else "") + (error.strerror or str(error))
    remark(" ".join(text.split()))
    return EXIT_REFUSED


def _bug(error: Exception, *, debug: bool) -> int:
    if debug:
        _log("a bug")
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    where = f"{os.path.basename(frame.filename)}:{frame.lineno}"
    way = "please report it" + ("" if debug else " with the traceback that --debug shows")
    remark(f"a bug in context-bus: {what} (at {where}); {way}")
    return InternalError.exit_code


def _leave_pipe() -> int:
    # The interpreter flushes stdout once more at its end; give it a place where that cannot fail.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return EXIT_BROKEN_PIPE
