from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

from context_bus.process import tree
from context_bus.process.child import Child
from context_bus.process.ending import Ended, Ending, end, end_all, end_now, sweep
from context_bus.testing.wait import wait_until
from tests.process import targets
from tests.process.conftest import Start


def _ready(child: Child) -> Child:
    assert child.channel.recv_bytes() == b"ready"
    return child


def _run(*endings: Ending) -> list[Ended]:
    async def main() -> list[Ended]:
        return await end_all(endings)

    return asyncio.run(main())


def _gone(pid: int) -> bool:
    row = tree.read_row(pid)
    return row is None or tree.is_gone(row)


def test_child_that_is_asked_ends_its_own_way(start: Start) -> None:
    """No signal reaches a child that heeds the request."""
    child = _ready(start(targets.obey))
    (ended,) = _run(Ending(child, partial(child.channel.send_bytes, b"end")))
    assert (child.exitcode, ended.was_killed, ended.swept) == (7, False, 0)


def test_child_that_does_not_heed_is_told_by_sigterm(start: Start) -> None:
    """SIGTERM follows when the patience is over, long before the grace is."""
    child = _ready(start(targets.sleep))
    (ended,) = _run(Ending(child, lambda: None, patience=0.1, grace=30))
    assert child.signal_name == "SIGTERM"
    assert not ended.was_killed
    assert 0.1 <= ended.seconds < 5


def test_request_that_raises_does_not_save_the_child(start: Start) -> None:
    """A way to ask that fails is logged, and the child ended all the same."""
    child = _ready(start(targets.sleep))

    def ask() -> None:
        raise RuntimeError("nobody can be asked")

    _run(Ending(child, ask, patience=0.05))
    assert child.signal_name == "SIGTERM"


def test_stubborn_child_is_killed_when_its_grace_is_over(start: Start) -> None:
    """The kill comes on time, not at the next tick of something."""
    child = _ready(start(targets.stay))
    (ended,) = _run(Ending(child, patience=0.1, grace=0.5))
    assert ended.was_killed
    assert child.signal_name == "SIGKILL"
    assert 0.5 <= ended.seconds < 0.75


def test_children_end_in_parallel(start: Start) -> None:
    """Four that take their whole grace take it together, and hold up nobody who is quick."""
    stubborn = [_ready(start(targets.stay)) for _ in range(4)]
    quick = _ready(start(targets.sleep))
    began = time.monotonic()
    ended = _run(*(Ending(child, grace=0.5) for child in [*stubborn, quick]))
    assert time.monotonic() - began < 1.5
    assert [one.was_killed for one in ended] == [True] * 4 + [False]
    assert ended[-1].seconds < 0.4


def test_whole_tree_ends_with_the_child(start: Start) -> None:
    """A child's child, one in a session of its own and a daemon are gone too."""
    child = start(targets.breed)
    pids = child.channel.recv()
    _ready(child)
    (ended,) = _run(Ending(child, grace=0.2))
    wait_until(lambda: all(map(_gone, pids)), 5, lambda: [pid for pid in pids if not _gone(pid)])
    assert ended.swept >= 3


def test_what_a_killed_child_leaves_is_swept(start: Start) -> None:
    """After a crash nothing is there to ask whose they are but the process table and their environment."""
    child = start(targets.breed)
    pids = child.channel.recv()
    _ready(child)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    assert not any(map(_gone, pids))
    assert sweep([child]) == {child.pid: 3}
    wait_until(lambda: all(map(_gone, pids)), 5, lambda: [pid for pid in pids if not _gone(pid)])


def test_daemons_are_swept_at_the_very_moment_they_are_executed(start: Start, tmp_path: Path) -> None:
    """A program that is just being put in place has no environment for a moment; these do nothing else."""
    child = start(targets.breed_restless, str(tmp_path / "restless"), 20)
    pids = child.channel.recv()
    _ready(child)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    assert sweep([child]) == {child.pid: len(pids)}
    wait_until(lambda: all(map(_gone, pids)), 5, lambda: [pid for pid in pids if not _gone(pid)])


def test_fork_that_has_not_executed_anything_yet_is_swept(start: Start) -> None:
    """Until then it has no mark, and looks like the guardian from which its parent was forked."""
    child = start(targets.breed_slowly)
    (pid,) = child.channel.recv()
    _ready(child)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    assert sweep([child]) == {child.pid: 1}
    wait_until(lambda: _gone(pid), 5, f"process {pid} to be gone")


def test_sweep_does_not_wait_for_who_has_no_environment(start: Start) -> None:
    """A daemon without any environment belongs to nobody, and that can be told at once."""
    with subprocess.Popen(["/bin/sleep", "300"], env={}, start_new_session=True) as bare:
        child = start(targets.say, "x")
        child.wait(10)
        assert tree.environment_of(bare.pid) == b""
        assert tree.lacks_environment(bare.pid)
        assert sweep([child]) == {}
        assert bare.poll() is None
        bare.kill()


def test_sweep_leaves_the_trees_of_others_alone(start: Start) -> None:
    """What lives belongs to somebody who lives."""
    dead, living = start(targets.say, "x"), start(targets.breed)
    pids = living.channel.recv()
    dead.wait(10)
    assert sweep([dead, living]) == {}
    assert not any(map(_gone, pids))


def test_child_that_has_ended_can_be_ended(start: Start) -> None:
    """Ending races with ending; both come to the same."""
    child = start(targets.say, "x")
    child.wait(10)
    ended = asyncio.run(end(Ending(child)))
    assert (ended.was_killed, child.exitcode) == (False, 0)


def test_end_now_kills_without_a_loop(start: Start) -> None:
    """The last resort needs no event loop and asks nobody."""
    children = [_ready(start(targets.stay)) for _ in range(3)]
    end_now(children)
    assert {child.signal_name for child in children} == {"SIGKILL"}
