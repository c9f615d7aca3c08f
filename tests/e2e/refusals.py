"""Commands that refuse what they are given: run with a mark, so that whatever they start is found.

Knows subprocesses and /proc; imports nothing of context_bus.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

from tests.e2e import procs
from tests.e2e.project import TOOLS

#: The two that look at a context file before anything is started; the second as the documents call it.
CHECK = (sys.executable, "-m", "context_bus", "check")
SERVICE_CONTEXT = (sys.executable, str(TOOLS / "service_context.py"))


def refused(command: tuple[str, ...], file: Path, *options: str, code: int) -> list[str]:
    """Run a command that is to refuse its file.

    Args:
        command: One of those above, or the same in surroundings of its own.
        file: The context file.
        options: More arguments.
        code: The exit code it is to have.

    Returns:
        The lines with which it refused, without the word before them.
    """
    mark = secrets.token_hex(8)
    ended = subprocess.run(
        [*command, str(file), *options],
        env=os.environ | {procs.MARK: mark},
        capture_output=True,
        text=True,
        timeout=40.0,
        check=False,
    )
    assert ended.returncode == code, ended
    assert "Traceback" not in ended.stdout + ended.stderr, ended
    assert procs.marked(mark) == {}, "something was started, and lives on"
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if not line.startswith("warning: ")]
    words = ("fault: ", "error: ")
    assert all(line.startswith(words) for line in lines), ended
    return [line.partition(": ")[2] for line in lines]
