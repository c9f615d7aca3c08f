from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from context_bus.process import spawn, tree
from context_bus.process.ending import sweep
from tests.process import targets
from tests.process.conftest import Start

ROOT = Path(__file__).parents[2]


def test_child_says_its_word_and_its_exit_code(start: Start) -> None:
    """What a child wrote can be read after its end."""
    child = start(targets.say, "hello")
    assert child.wait(10) == 0
    assert child.messages() == [b"hello"]
    assert child.messages() == []


def test_child_leads_its_session_and_ignores_ctrl_c(start: Start) -> None:
    """A Ctrl-C at the terminal reaches the provider alone, which then ends its children in order."""
    facts = start(targets.describe).channel.recv()
    assert facts == {"leads": True, "ignores_ctrl_c": True}


def test_child_does_not_import_the_main_program_again(tmp_path: Path) -> None:
    """A provider's main module is run once, not once for each of its services."""
    script = tmp_path / "main.py"
    script.write_text(
        "print('imported', flush=True)\n"
        "from context_bus.process import spawn\n"
        "from tests.process import targets\n"
        "if __name__ == '__main__':\n"
        "    children = [spawn.spawn('c', targets.say, 'x') for _ in range(3)]\n"
        "    assert [child.wait(10) for child in children] == [0, 0, 0]\n"
        "    spawn.shut_down()\n"
    )
    run = subprocess.run(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.stdout.splitlines() == ["imported"]


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_is_what_the_target_exits_with(start: Start, code: int) -> None:
    """``sys.exit`` in a target means what it always means."""
    assert start(targets.leave, code).wait(10) == code


def test_exception_of_the_target_is_shown_and_told(start: Start) -> None:
    """A target that raises ends with code 1."""
    child = start(targets.fail)
    assert child.wait(10) == 1
    assert child.ending == "exit code 1"


def test_signal_that_killed_the_child_is_named(start: Start) -> None:
    """The end by a signal is told apart from an exit code."""
    child = start(targets.sleep)
    child.channel.recv_bytes()
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    assert child.signal_name == "SIGKILL"
    assert child.ending == "killed by SIGKILL"


def test_forgotten_thread_does_not_keep_the_process(start: Start) -> None:
    """A target that has returned has ended, whatever threads it left."""
    child = start(targets.forget_thread)
    assert child.wait(10) == 0
    assert child.messages() == [b"returning"]


def test_exit_is_an_event_for_all_who_wait(start: Start) -> None:
    """Two callers wait for one end, and a third comes after it."""

    async def main() -> tuple[int, int, int]:
        child = start(targets.obey)
        first, second = child.exited(), child.exited()
        child.channel.send_bytes(b"end")
        return await first, await second, await child.exited()

    assert asyncio.run(main()) == (7, 7, 7)


def test_target_of_the_main_program_is_refused(start: Start) -> None:
    """A function that no other process can import is an error here, not in the child."""
    with pytest.raises(AttributeError, match="local object"):
        start(lambda _: 0)


def test_running_child_cannot_be_closed(start: Start) -> None:
    """Closing is for what has ended; otherwise its end would go unseen."""
    child = start(targets.sleep)
    with pytest.raises(ValueError, match="still runs"):
        child.close()


def test_child_is_a_process_of_multiprocessing(start: Start) -> None:
    """It knows its name and its parent, and has children of its own."""
    child = start(targets.introduce)
    guardian = spawn.guardian()
    assert guardian is not None
    assert child.channel.recv() == {
        "name": "introduce",
        "parent": guardian.pid,
        "parent_lives": True,
        "grandchild": "grandchild",
    }
    assert child.wait(10) == 0


def test_arguments_of_any_size_and_connections_reach_the_child(start: Start) -> None:
    """More than any socket takes at once, and a descriptor among the arguments."""
    assert start(targets.measure, bytes(10_000_000)).channel.recv() == 10_000_000
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        start(targets.answer, theirs)
        assert ours.recv_bytes() == b"through the argument"


def test_two_hundred_children_at_once(start: Start) -> None:
    """All say their word, and all are reaped."""
    children = [start(targets.say, str(number)) for number in range(200)]
    assert [child.wait(20) for child in children] == [0] * 200
    assert [child.messages() for child in children] == [[b"%d" % number] for number in range(200)]


def test_end_is_told_in_whatever_loop_waits(start: Start) -> None:
    """A loop that has been closed meanwhile takes nothing from the next."""
    child = start(targets.obey)

    async def wait_in_vain() -> None:
        await asyncio.wait([child.exited()], timeout=0.01)

    async def wait() -> int:
        child.channel.send_bytes(b"end")
        return await child.exited()

    asyncio.run(wait_in_vain())
    assert asyncio.run(wait()) == 7
    unheard = start(targets.obey)

    async def ask_in_vain() -> None:
        unheard.exited()

    asyncio.run(ask_in_vain())
    unheard.channel.send_bytes(b"end")
    assert unheard.wait(10) == 7
    assert start(targets.say, "x").wait(10) == 0  # the thread that tells is still there


def test_kill_all_leaves_the_guardian(start: Start) -> None:
    """Everything that was started is gone, daemons too, and the next child comes from the same guardian."""
    child = start(targets.breed)
    pids = child.channel.recv()
    before = spawn.guardian()
    spawn.kill_all()
    assert child.wait(10) == -signal.SIGKILL
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert start(targets.say, "x").wait(10) == 0
    assert spawn.guardian() is before


def test_guardian_imports_nothing_that_it_does_not_need() -> None:
    """Its memory is that of an interpreter, and its fork as cheap."""
    heavy = {"zmq", "asyncio", "multiprocessing", "msgspec", "subprocess", "psutil", "logging"}
    program = f"import sys; import context_bus.process.guardian; sys.exit(str({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert run.stderr.strip() == "set()"


def test_what_a_killed_guardian_leaves_is_swept(start: Start) -> None:
    """Its children are gone when their end is told; their daemons are known by their mark."""
    child = start(targets.breed)
    child.channel.recv()
    assert child.channel.recv_bytes() == b"ready"
    guardian = spawn.guardian()
    assert guardian is not None
    os.kill(guardian.pid, signal.SIGKILL)
    assert child.wait(10) == 255
    assert not tree.is_alive(child.identity)
    assert sweep([child]) == {child.pid: 3}


def test_many_threads_spawn_while_guardians_are_killed(start: Start) -> None:
    """Each gets a child, be it from the next guardian; each child ends, and is told to have."""

    def spawn_some(worker: int) -> list[int | None]:
        codes = []
        for turn in range(20):
            child = spawn.spawn_program("true", ["true"])
            guardian = spawn.guardian()
            if worker == 0 and turn in (3, 9, 15) and guardian is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(guardian.pid, signal.SIGKILL)
            codes.append(child.wait(20))
            child.close()
        return codes

    with ThreadPoolExecutor(4) as pool:
        codes = [code for some in pool.map(spawn_some, range(4)) for code in some]
    assert len(codes) == 80
    assert set(codes) <= {0, 255}


def test_fork_of_the_owner_owns_nothing(start: Start) -> None:
    """It neither keeps the guardian alive nor takes its news; it may have a guardian of its own."""
    child = start(targets.sleep)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if spawn.guardian() is None else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert child.exitcode is None


def test_spawning_goes_on_after_the_guardian_was_killed(start: Start) -> None:
    """Its children die with it; the next spawn starts another one."""
    child = start(targets.sleep)
    child.channel.recv_bytes()
    guardian = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(guardian, signal.SIGKILL)
    assert child.wait(10) == 255
    assert start(targets.say, "again").wait(10) == 0
