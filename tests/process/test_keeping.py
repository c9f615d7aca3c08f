from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from context_bus.errors import ProcessError
from context_bus.process import spawn, tree
from context_bus.process.child import Child
from context_bus.testing.wait import wait_until

ROOT = Path(__file__).parents[2]
FIRST = """
import json, os, sys, time
from context_bus.process import spawn
from tests.process import targets

if __name__ == "__main__":
    spawn.warm_up(["tests.process.targets"], keep=sys.argv[1])
    read_end, write_end = os.pipe()
    os.write(write_end, b"what nobody has read yet")
    trapped, traps = os.pipe()
    children = [
        spawn.spawn("obeys", targets.obey, note="first"),
        spawn.spawn_program("sleeps", ["sleep", "300"], note="second", held={"log": read_end}),
        spawn.spawn("says", targets.say_when_told, note="third"),
        spawn.spawn_program("ends", ["sh", "-c", "trap 'exit 42' TERM; echo; while :; do sleep 0.01; done"],
                            stdout=traps),
    ]
    assert os.read(trapped, 1) == b"\\n"
    for child in children[::2]:
        assert child.channel.recv_bytes() == b"ready"
    pids = [child.pid for child in children]
    print(json.dumps([spawn.guardian().pid, pids]), flush=True)
    time.sleep(300)
"""
PRIVATE = """
import json, sys, time
from context_bus.process import spawn
from tests.process import targets

if __name__ == "__main__":
    spawn.warm_up(["tests.process.targets"], keep=sys.argv[1])
    child = spawn.spawn("private", targets.obey, is_bequeathed=False)
    child.channel.recv_bytes()
    print(json.dumps([spawn.guardian().pid, [child.pid]]), flush=True)
    time.sleep(300)
"""
NEXT = """
import json, sys, time
from context_bus.process import spawn

kept = spawn.adopt(sys.argv[1])
print(json.dumps([kept.guardian, [child.pid for child in kept.children]]), flush=True)
time.sleep(300)
"""


class Owner:
    """A process that owns a guardian which keeps its children.

    Args:
        program: What it runs.
        path: Where the guardian is found.
    """

    def __init__(self, program: str, path: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.process.stdout is not None
        with self.process.stdout as told:
            self.guardian, self.pids = json.loads(told.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


Begin = Callable[[str], Owner]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Longer than a socket's address may be."""
    directory = tmp_path / ("d" * 100)
    directory.mkdir()
    return str(directory / "guardian")


@pytest.fixture
def begin(path: str) -> Iterator[Begin]:
    """Owners, of which nothing is left in the end; this process has no guardian meanwhile."""
    spawn.shut_down()
    owners: list[Owner] = []

    def make(program: str) -> Owner:
        owners.append(Owner(program, path))
        return owners[-1]

    yield make
    spawn.shut_down()
    for owner in owners:
        owner.kill()
    for guardian in {owner.guardian for owner in owners}:
        identity = tree.identify(guardian)
        if identity is not None:
            tree.send_signal(identity, signal.SIGTERM)
            assert tree.wait_gone([identity], 10) == []
    spawn.warm_up(["tests.process.targets", "asyncio"])


def _adopt(path: str) -> dict[str, Child]:
    kept = spawn.adopt(path)
    assert kept is not None
    return {child.name: child for child in kept.children}


def _close(children: dict[str, Child]) -> None:
    spawn.shut_down()
    for child in children.values():
        assert child.wait(10) is not None
        child.close()


def test_next_owner_has_every_child_of_the_last(begin: Begin, path: str) -> None:
    """Same processes, notes and descriptors; channels that go on; the exit codes of those that ended."""
    owner = begin(FIRST)
    owner.kill()
    ends = owner.pids[3]
    os.kill(ends, signal.SIGTERM)
    wait_until(lambda: tree.read_row(ends) is None, 10, "somebody to reap it")
    assert all(tree.is_alive(one) for one in map(tree.identify, owner.pids[:3]) if one)
    children = _adopt(path)
    assert [child.pid for child in children.values()] == owner.pids
    assert [child.note for child in children.values()] == ["first", "second", "third", ""]
    assert children["ends"].exitcode == 42
    assert [child.exitcode for child in children.values()][:3] == [None] * 3
    log = children["sleeps"].take("log")
    assert log is not None
    assert os.read(log, 100) == b"what nobody has read yet"
    os.close(log)
    children["obeys"].channel.send_bytes(b"end")
    assert children["obeys"].wait(10) == 7
    children["says"].channel.send_bytes(b"now")
    assert children["says"].channel.recv_bytes() == b"now"
    later = spawn.spawn_program("later", ["sh", "-c", "exit 9"])
    assert later.wait(10) == 9
    _close({**children, "later": later})
    row = tree.read_row(owner.guardian)
    assert row is None or tree.is_gone(row)  # whoever has to reap it may take its time
    assert not os.path.exists(path)


def test_channel_that_is_not_bequeathed_ends_with_the_owner(begin: Begin, path: str) -> None:
    """What only its owner can talk to learns of the owner's end, though its guardian keeps it."""
    owner = begin(PRIVATE)
    owner.kill()
    wait_until(lambda: tree.read_row(owner.pids[0]) is None, 10, "it to end, and to be reaped")
    children = _adopt(path)
    assert children["private"].exitcode not in (None, 7)
    _close(children)


def test_last_word_of_a_child_that_ended_between_owners_is_not_lost(begin: Begin, path: str) -> None:
    """What it wrote on its channel waits for the next owner."""
    owner = begin(FIRST)
    owner.kill()
    os.kill(owner.pids[2], signal.SIGTERM)
    wait_until(lambda: tree.read_row(owner.pids[2]) is None, 10, "somebody to reap it")
    children = _adopt(path)
    assert children["says"].messages() == [b"goodbye"]
    assert children["says"].exitcode == 3
    _close(children)


def test_children_go_from_owner_to_owner(begin: Begin, path: str) -> None:
    """A third owner finds what the first started."""
    first = begin(FIRST)
    first.kill()
    second = begin(NEXT)
    assert (second.guardian, second.pids) == (first.guardian, first.pids)
    second.kill()
    children = _adopt(path)
    assert [child.pid for child in children.values()] == first.pids
    _close(children)


def test_child_that_is_stopped_is_adopted_as_that(begin: Begin, path: str) -> None:
    """The next owner does not wait for a word of a process that cannot speak."""
    owner = begin(FIRST)
    owner.kill()
    os.kill(owner.pids[1], signal.SIGSTOP)
    wait_until(lambda: (row := tree.read_row(owner.pids[1])) and row.state == "T", 10, "it to be stopped")
    children = _adopt(path)
    wait_until(lambda: children["sleeps"].is_stopped, 10, "the news")
    assert not children["obeys"].is_stopped
    _close(children)


def test_owner_that_lives_is_not_replaced(begin: Begin, path: str) -> None:
    """Two owners would both restart what ends; the second is told who the first is."""
    owner = begin(FIRST)
    with pytest.raises(ProcessError, match=f"process {owner.process.pid} is there") as raised:
        spawn.adopt(path)
    assert "\n" not in str(raised.value)
    with pytest.raises(ProcessError, match="adopt it, or end it first"):
        spawn.warm_up(keep=path)
    owner.kill()
    _close(_adopt(path))


def test_socket_is_for_its_user_alone(begin: Begin, path: str) -> None:
    """From the moment it is there, whatever the umask."""
    owner = begin(FIRST)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    owner.kill()
    _close(_adopt(path))


def test_dead_socket_is_nobody_and_is_replaced(begin: Begin, path: str) -> None:
    """Owner and guardian killed at once: no child is left, nothing is adopted, the path can be used again."""
    assert spawn.adopt(path) is None
    assert spawn.adopt("/no/such/directory/guardian") is None
    owner = begin(FIRST)
    children = [one for one in map(tree.identify, owner.pids) if one is not None]
    owner.process.kill()
    os.kill(owner.guardian, signal.SIGKILL)
    assert tree.wait_gone(children, 5) == []
    owner.kill()
    assert os.path.exists(path)
    assert spawn.adopt(path) is None
    again = begin(FIRST)
    again.kill()
    _close(_adopt(path))


def test_guardian_that_keeps_and_is_killed_is_replaced_at_its_path(begin: Begin, path: str) -> None:
    """The owner goes on with the next one, which the next owner finds as it would have found the first."""
    spawn.warm_up(keep=path)
    first = spawn.guardian()
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    first.thread.join(10)
    child = spawn.spawn_program("sleep", ["sleep", "300"])
    second = spawn.guardian()
    assert second is not None
    assert second.pid != first.pid
    with pytest.raises(ProcessError, match="has a guardian already"):
        spawn.adopt(path)
    assert os.path.exists(path)
    _close({"sleep": child})
    assert not os.path.exists(path)


def test_place_that_cannot_be_used_is_told(begin: Begin, path: str) -> None:
    """Before anything is started, and with the remedy."""
    with pytest.raises(ProcessError, match="make that directory"):
        spawn.warm_up(keep="/no/such/directory/guardian")
    with pytest.raises(ProcessError, match="choose a shorter one"):
        spawn.warm_up(keep=path + 100 * "x")
    assert spawn.guardian() is None
    spawn.warm_up()
    with pytest.raises(ProcessError, match="keeps nothing for others"):
        spawn.warm_up(keep=path)


def test_what_nobody_can_adopt_any_more_ends(begin: Begin, path: str) -> None:
    """A guardian without an owner whose socket has been removed would otherwise be there for ever."""
    owner = begin(FIRST)
    known = [one for one in map(tree.identify, [owner.guardian, *owner.pids]) if one is not None]
    owner.kill()
    assert len(known) == 5
    os.unlink(path)
    assert tree.wait_gone(known, 20) == []
