"""Ends all that a run has left when the run itself is gone, whatever ended it. Knows /proc and a pipe.

``python -m tests.faults.warden MARK DIRECTORY`` waits for the end of its standard input, which nobody but
the run holds open; then it kills every process that carries the mark, and takes the directory away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e import procs

#: Seconds that killed processes may take to vanish.
PATIENCE = 5.0


class Warden:
    """The process that watches over one provider, as the run sees it.

    Args:
        mark: Of all processes of the provider.
        directory: Of the provider; a file system may be mounted below it.
    """

    def __init__(self, mark: str, directory: Path) -> None:
        command = [sys.executable, "-m", "tests.faults.warden", mark, str(directory)]
        root = Path(__file__).resolve().parents[2]
        # In a session of its own: what ends the run by its terminal must not end this one.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=root, start_new_session=True)

    def close(self) -> None:
        """Have everything ended; returns when nothing is left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(4 * PATIENCE)


def main(mark: str, directory: str) -> None:
    """Wait for the end of the run, and clean up after it."""
    sys.stdin.buffer.read()
    while left := procs.marked(mark):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        procs.wait_gone(left, PATIENCE)
    mounts = Path("/proc/mounts").read_text().splitlines()
    for place in [line.split()[1] for line in mounts if line.split()[1].startswith(f"{directory}/")]:
        subprocess.run(["umount", "--lazy", place], check=False)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
