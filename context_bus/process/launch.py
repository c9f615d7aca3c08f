"""Start the process of a guardian, and say the first word to one. Knows interpreters; no children.

The guardian is an interpreter like ours, with our module path, and nothing imported that it need not.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable

from context_bus.errors import ProcessError
from context_bus.process.messages import PROTOCOL, Hello, Kept, Message, Refused, Welcome
from context_bus.process.wire import receive, send

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


def shake_hands(connection: socket.socket, path: str) -> tuple[Welcome, list[tuple[Kept, list[int]]]]:
    """Say the first word to a guardian that has been found, and hear what it keeps.

    Returns:
        Its welcome, and all children with the descriptors that came along.

    Raises:
        ProcessError: It refuses us, or ended meanwhile.
        OSError: It does not answer in time.
    """
    streams = _own_streams()
    send(connection, hello("", streams), list(streams.values()))
    welcome, _ = _expect(connection, path)
    if isinstance(welcome, Refused):
        raise ProcessError(f"cannot adopt the processes kept at {path}: {welcome.why}")
    assert isinstance(welcome, Welcome)
    children = []
    for _ in range(welcome.kept):
        kept, descriptors = _expect(connection, path)
        assert isinstance(kept, Kept)
        children.append((kept, descriptors))
    return welcome, children


def _own_streams() -> dict[str, int]:
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


def _expect(connection: socket.socket, path: str) -> tuple[Message, list[int]]:
    received = receive(connection)
    if received is None:
        raise ProcessError(f"the guardian at {path} ended before it answered; try again")
    return received
