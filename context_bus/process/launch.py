"""Start the process of a guardian, and say the first word to it. Knows interpreters; no children.

The guardian is an interpreter like ours, with our module path, and nothing imported that it need not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable

from context_bus.process.messages import PROTOCOL, Hello

_PROGRAM = "import sys; sys.path[:] = {path!r}; from context_bus.process.guardian import main; main({link})"


def execute(link: int) -> int:
    """Start a guardian.

    Args:
        link: Descriptor of its end of the connection.

    Returns:
        Its pid; the caller reaps it.

    Raises:
        OSError: No process can be made.
    """
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    program = _PROGRAM.format(path=list(_module_path()), link=link)
    process = subprocess.Popen(
        [sys.executable, *flags, "-c", program],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(link,),
    )
    # It is reaped when its connection breaks; Popen would warn of it if we end before it does.
    process.returncode = 0
    return process.pid


def hello(keep: str, given: Iterable[str]) -> Hello:
    """The first word: what children inherit of us.

    Args:
        keep: Absolute path of the socket that comes along; empty if none does.
        given: Names of the descriptors that come along.
    """
    cwd = os.getcwd()
    return Hello(
        PROTOCOL, _module_path(), tuple(sys.argv), cwd, dict(os.environ), keep=keep, given=tuple(given)
    )


def own_streams() -> dict[str, int]:
    """Our standard output and error, as far as they are open."""
    streams = {}
    for place, name in ((1, "stdout"), (2, "stderr")):
        try:
            os.fstat(place)
        except OSError:
            continue
        streams[name] = place
    return streams


def _module_path() -> tuple[str, ...]:
    """Our ``sys.path``, independent of the working directory."""
    return tuple(os.path.abspath(one) for one in sys.path)
