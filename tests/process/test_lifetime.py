from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

#: Seconds in which nothing may be left of a provider that was killed.
SOON = 1.0
OWNER = """
import json, sys, time
from context_bus.process import spawn
from tests.process import targets

if __name__ == "__main__":
    spawn.warm_up(["tests.process.targets"])
    children = [spawn.spawn_program("sleep", ["sleep", "300"]).pid for _ in range(50)]
    offspring = []
    for _ in range(3):
        child = spawn.spawn("breed", targets.breed)
        children.append(child.pid)
        offspring += child.channel.recv()
        assert child.channel.recv_bytes() == b"ready"
    print(json.dumps([spawn.guardian().pid, children, offspring]), flush=True)
    time.sleep(300)
"""


class Owner:
    """A process that owns a guardian, fifty programs and three Python children with families.

    Args:
        script: Its program.
    """

    def __init__(self, script: Path) -> None:
        root = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        assert self.process.stdout is not None
        self.guardian, self.children, offspring = json.loads(self.process.stdout.readline())
        self.handles = {pid: os.pidfd_open(pid) for pid in [*self.children, *offspring]}

    def left_after(self, seconds: float, pids: Collection[int] = ()) -> list[int]:
        """Wait for the end of these, or all; return who has not ended in time."""
        deadline = time.monotonic() + seconds
        living = {pid: handle for pid, handle in self.handles.items() if not pids or pid in pids}
        while living:
            ready, _, _ = select.select(list(living.values()), [], [], max(0.0, deadline - time.monotonic()))
            living = {pid: handle for pid, handle in living.items() if handle not in ready}
            if not ready:
                break
        return sorted(living)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        for pid in self.left_after(0):
            signal.pidfd_send_signal(self.handles[pid], signal.SIGKILL)
        for handle in self.handles.values():
            os.close(handle)


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    owner = Owner(script)
    yield owner
    owner.close()


def test_nothing_outlives_an_owner_that_is_killed(owner: Owner) -> None:
    """Children, their children, sessions of their own and daemons: all are gone within a second."""
    assert owner.left_after(0) == sorted(owner.handles)
    owner.process.kill()
    assert owner.left_after(SOON) == []


def test_children_die_with_a_guardian_that_is_killed(owner: Owner) -> None:
    """The kernel ends them: nobody else is left who could."""
    os.kill(owner.guardian, signal.SIGKILL)
    assert owner.left_after(SOON, owner.children) == []


def test_no_child_outlives_owner_and_guardian_killed_at_once(owner: Owner) -> None:
    """Nobody is left who could end them but the kernel, which does."""
    owner.process.kill()
    os.kill(owner.guardian, signal.SIGKILL)
    assert owner.left_after(SOON, owner.children) == []


def test_guardian_that_is_told_to_end_takes_all_along(owner: Owner) -> None:
    """SIGTERM to the guardian alone is an order like that of its owner."""
    os.kill(owner.guardian, signal.SIGTERM)
    assert owner.left_after(SOON) == []


def test_owner_that_is_stopped_takes_all_along(owner: Owner) -> None:
    """SIGTERM without any handler is an end like any other."""
    owner.process.terminate()
    assert owner.left_after(SOON) == []
