"""What another user may reach: directories, and the interpreter, wherever this machine has it.

Knows mount namespaces; a machine whose interpreter lies in somebody's home is given a view of its own, in
which the way there is open, since to open it for all is not a test's business.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: A user with no rights, and the group that goes with it.
NOBODY = "nobody"
#: Puts an open directory over a closed one, with the interpreter in its place, and becomes the command.
_OPEN = """
set -e
aside=$1 closed=$2 prefix=$3
shift 3
mount --bind "$prefix" "$aside"
mount -t tmpfs -o mode=755 none "$closed"
mkdir -p "$prefix"
mount --bind "$aside" "$prefix"
exec "$@"
"""


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter, unlike those of pytest."""
    directory = Path(tempfile.mkdtemp(prefix="cb-open-", dir="/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def as_nobody(aside: Path) -> tuple[str, ...]:
    """A wrapper for commands that runs them as that user; skips the test if it cannot.

    Args:
        aside: An empty directory.
    """
    view, account = opening(aside), pwd.getpwnam(NOBODY)
    return (*view, "setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")


def opening(aside: Path) -> tuple[str, ...]:
    """A wrapper for commands in which other users reach the interpreter; skips the test if there is none.

    Args:
        aside: An empty directory.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    closed = _closed_above(Path(sys.base_prefix))
    if closed is None:
        return ()
    if _closed_above(Path(sys.prefix)) or _closed_above(Path(__file__).parent):
        pytest.skip(f"no other user reaches {sys.prefix} or {Path(__file__).parent}")
    wrapper = ("unshare", "--mount", "sh", "-c", _OPEN, "sh", str(aside), str(closed), sys.base_prefix)
    tried = subprocess.run([*wrapper, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no other user reaches {sys.base_prefix}, and no view can be made: {tried.stderr}")
    return wrapper


def _closed_above(path: Path) -> Path | None:
    """The topmost directory of a path that others may not enter; None if they may enter all."""
    ways = (*reversed(path.parents), path)
    return next((each for each in ways if not each.stat().st_mode & 0o001), None)
