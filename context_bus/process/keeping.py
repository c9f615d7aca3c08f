"""Where a guardian that outlives its owner is found: a socket in a directory. Knows paths; no children.

Sockets are named by the descriptor of their directory, since the kernel takes no path of more than 107
bytes.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from context_bus.errors import ProcessError
from context_bus.kernel.socketpath import short_path

#: Longest name of the socket in its directory, in bytes.
LONGEST_NAME = 80
#: Owners that may wait to be heard.
_BACKLOG = 16


def listen_at(path: str) -> socket.socket:
    """Make the socket of a new guardian, for its user alone.

    Raises:
        ProcessError: The directory is missing or not ours to write to, or a guardian is there already.
    """
    with _directory(path) as (place, directory):
        # Two owners that find a dead socket at once must not both replace it.
        fcntl.flock(directory, fcntl.LOCK_EX)
        found = _connect(place)
        if found is not None:
            found.close()
            raise ProcessError(f"a guardian already keeps processes at {path}; adopt it, or end it first")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            if os.path.lexists(place):
                os.unlink(place)
            os.fchmod(listener.fileno(), 0o600)  # before the bind: the file never has another mode
            listener.bind(place)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise ProcessError(f"cannot make the socket {path}: {error.strerror}") from error
        return listener


def connect_to(path: str) -> socket.socket | None:
    """Connect to the guardian at a path; None when none is there.

    Raises:
        ProcessError: It belongs to another user, or may not be reached.
    """
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        return None
    with _directory(path) as (place, _):
        try:
            connection = _connect(place)
        except OSError as error:
            raise ProcessError(f"cannot reach the guardian at {path}: {error.strerror}") from error
    if connection is None:
        return None
    _, user, _ = array.array("i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if user not in (0, os.geteuid()):
        connection.close()
        raise ProcessError(f"the guardian at {path} belongs to user {user}; choose a directory of your own")
    return connection


def is_there(path: str) -> bool:
    """Whether a guardian is at a path; it does not notice.

    Raises:
        ProcessError: As `connect_to`.
    """
    connection = connect_to(path)
    if connection is not None:
        connection.close()
    return connection is not None


def _connect(place: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(place)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _directory(path: str) -> Iterator[tuple[str, int]]:
    """A path as short as it need be, and the directory it depends on."""
    parent, name = os.path.split(os.path.abspath(path))
    if len(os.fsencode(name)) > LONGEST_NAME:
        raise ProcessError(f"the name {name} is longer than {LONGEST_NAME} bytes; choose a shorter one")
    with ExitStack() as stack:
        try:
            found = stack.enter_context(short_path(path))
        except OSError as error:
            raise ProcessError(
                f"no socket can be in {parent}: {error.strerror}; make that directory"
            ) from error
        yield found
