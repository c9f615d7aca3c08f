"""A launcher that is killed at a chosen instruction: ``python -m tests.watch.killed launch ...``.

The interpreter tells of every line it executes, so nothing of this is in the launcher itself. Variables:

- ``KILLED_AT``: number of a line, ``call:NAME`` or ``return:NAME`` of a function;
- ``KILLED_IN``: whose lines count, those of the "front" or the "watcher";
- ``KILLED``: who is killed there, "front", "watcher" or "both";
- ``KILLED_COUNT``: with "count" for a place, nobody is killed; a file for the number of lines.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

#: Files whose lines count.
_PARTS = ("/context_bus/watch/", "/context_bus/process/birth.py", "/context_bus/store/embedded.py")
FRONT = os.getpid()


class Killer:
    """Counts lines, and kills at the one that was chosen."""

    def __init__(self) -> None:
        self.place = os.environ["KILLED_AT"]
        self.is_in_front = os.environ["KILLED_IN"] == "front"
        self.victims = os.environ["KILLED"]
        self.lines = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        """Be told of a line, a call or a return."""
        if not any(part in frame.f_code.co_filename for part in _PARTS) or not self._is_counted():
            return self if os.getpid() == FRONT else None
        self.lines += event == "line"
        if self.place in (f"{event}:{frame.f_code.co_name}", str(self.lines) if event == "line" else None):
            self._kill()
        return self

    def _is_counted(self) -> bool:
        return os.getpid() == FRONT if self.is_in_front else os.getppid() == FRONT

    def _kill(self) -> None:
        victims = {"front": [FRONT], "watcher": [os.getpid()], "both": [FRONT, os.getpid()]}[self.victims]
        self.place = ""
        for victim in victims:
            os.kill(victim, signal.SIGKILL)


def main() -> None:
    """Be a launcher."""
    from context_bus.watch.__main__ import main as launch

    killer = Killer()
    leave = os._exit

    def leave_counted(code: int) -> None:
        if killer.place == "count" and killer._is_counted():
            with open(os.environ["KILLED_COUNT"], "w") as file:
                file.write(str(killer.lines))
        leave(code)

    os._exit = leave_counted  # type: ignore[assignment]
    sys.settrace(killer)
    os._exit(launch(sys.argv[1:]))


if __name__ == "__main__":
    main()
