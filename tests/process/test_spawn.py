from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import targets
from tests.process.conftest import Start


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
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
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


def test_spawning_goes_on_after_the_forkserver_was_killed(start: Start) -> None:
    """Its children die with it; the next spawn starts another one."""
    child = start(targets.sleep)
    child.channel.recv_bytes()
    guardian = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(guardian, signal.SIGKILL)
    assert child.wait(10) == 255
    assert start(targets.say, "again").wait(10) == 0
