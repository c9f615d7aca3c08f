from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from context_bus.errors import ProcessError
from context_bus.kernel.surroundings import Surroundings
from context_bus.process import spawn, tree
from context_bus.process.child import Child
from context_bus.process.ending import end_now
from context_bus.process.mark import MARK
from context_bus.testing.wait import wait_until
from tests.process import targets
from tests.process.conftest import Start

Run = Callable[..., Child]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a program; what still runs at the end of the test is ended."""
    children: list[Child] = []

    def begin(*argv: str, **how: object) -> Child:
        child = spawn.spawn_program(argv[0], argv, **how)  # type: ignore[arg-type]
        children.append(child)
        return child

    yield begin
    end_now(children)
    for child in children:
        child.close()


def _output(run: Run, *argv: str, **how: object) -> str:
    read_end, write_end = os.pipe()
    try:
        run(*argv, stdout=write_end, **how)
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    with open(read_end) as told:
        return told.read()


def test_exit_code_of_a_program_is_told(run: Run) -> None:
    """Codes and signals, as of any child."""
    assert run("sh", "-c", "exit 3").wait(10) == 3
    killed = run("sh", "-c", "kill -TERM $$")
    assert killed.wait(10) == -signal.SIGTERM
    assert killed.ending == "killed by SIGTERM"
    assert killed.channel.closed
    assert killed.messages() == []


def test_program_that_cannot_be_executed_is_an_error_in_one_line(run: Run, tmp_path: Path) -> None:
    """Not an exit code, which nobody could tell from one of the program itself."""
    plain = tmp_path / "plain"
    plain.write_text("x")
    for argv, reason in (
        ("no-such-program", "cannot execute no-such-program: No such file or directory"),
        (str(plain), f"cannot execute {plain}: Permission denied"),
        ("nul\0byte", "embedded null"),
    ):
        with pytest.raises(ProcessError, match="cannot start") as raised:
            run(argv)
        assert reason in str(raised.value)
        assert "\n" not in str(raised.value)
    with pytest.raises(ProcessError, match="no program is named"):
        spawn.spawn_program("nothing", [])


@pytest.mark.parametrize(
    ("surroundings", "reason"),
    [
        (Surroundings(cwd="/no/such/place"), "cannot enter /no/such/place: No such file or directory"),
        (Surroundings(user="no_such_user"), "there is no user 'no_such_user'"),
        (Surroundings(limits={"nofiles": (1, 1)}), "there is no limit 'nofiles'"),
        (Surroundings(limits={"nofile": (2, 1)}), "cannot set limit nofile to 2:1"),
        (Surroundings(cpus=(4711,)), "cannot run on processors 4711"),
    ],
)
def test_surroundings_that_cannot_be_are_an_error(run: Run, surroundings: Surroundings, reason: str) -> None:
    """Programs and Python children are refused alike, by name and with the reason."""
    with pytest.raises(ProcessError, match="cannot start sleep: ") as raised:
        run("sleep", "300", surroundings=surroundings)
    assert reason in str(raised.value)
    with pytest.raises(ProcessError, match="cannot start python: ") as raised:
        spawn.spawn("python", targets.sleep, surroundings=surroundings)
    assert reason in str(raised.value)


def test_program_finds_a_clean_process(run: Run) -> None:
    """Own session, no descriptors but three, nothing ignored that Python or the guardian ignores."""
    child = run("sleep", "300")
    row = tree.read_row(child.pid)
    assert row is not None
    assert row.session == row.group == child.pid
    assert sorted(os.listdir(f"/proc/{child.pid}/fd")) == ["0", "1", "2"]
    assert os.readlink(f"/proc/{child.pid}/fd/0") == os.devnull
    status = dict(
        line.split(":\t")
        for line in Path(f"/proc/{child.pid}/status").read_text().splitlines()
        if ":\t" in line
    )
    for field in ("SigBlk", "SigIgn", "SigCgt"):
        # 32 and 33 belong to the C library, and nobody can change them.
        assert int(status[field], 16) & 0x7FFFFFFF == 0
    assert f"{MARK}={child.mark}".encode() in tree.environment_of(child.pid).split(b"\0")


def test_surroundings_are_those_asked_for(run: Run, tmp_path: Path) -> None:
    """Read from the kernel, not from the program."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    processor = max(os.sched_getaffinity(0))
    child = run(
        "sleep",
        "300",
        surroundings=Surroundings(
            cwd=str(tmp_path),
            env={"GREETING": "hello"},
            umask=0o027,
            nice=3,
            cpus=(processor,),
            limits={"nofile": (min(soft, 77), hard), "core": (0, 0)},
        ),
    )
    pid = child.pid
    assert os.readlink(f"/proc/{pid}/cwd") == str(tmp_path)
    assert b"GREETING=hello" in tree.environment_of(pid).split(b"\0")
    assert "Umask:\t0027" in Path(f"/proc/{pid}/status").read_text()
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3
    assert os.sched_getaffinity(pid) == {processor}
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (min(soft, 77), hard)
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


@AS_ROOT
def test_program_runs_as_the_user_asked_for_and_dies_with_its_guardian(run: Run, tmp_path: Path) -> None:
    """All groups change, and so does the environment; the bond to the guardian does not."""
    child = run("sleep", "300", surroundings=Surroundings(user="nobody"))
    status = Path(f"/proc/{child.pid}/status").read_text()
    assert "Uid:\t65534\t65534\t65534\t65534" in status
    assert "Gid:\t65534\t65534\t65534\t65534" in status
    assert "Groups:\t65534 \n" in status
    assert b"USER=nobody" in tree.environment_of(child.pid).split(b"\0")
    guardian = spawn.guardian()
    assert guardian is not None
    os.kill(guardian.pid, signal.SIGKILL)
    assert child.wait(10) == 255
    assert not tree.is_alive(child.identity)


@AS_ROOT
def test_group_alone_can_be_changed(run: Run) -> None:
    """A group by number needs no name; the user stays."""
    status = Path(f"/proc/{run('sleep', '300', surroundings=Surroundings(group='54321')).pid}/status")
    assert "Gid:\t54321\t54321\t54321\t54321" in status.read_text()
    assert f"Uid:\t{os.geteuid()}\t" in status.read_text()


def test_streams_are_those_given(run: Run) -> None:
    """Input, output and error go where the owner says."""
    read_end, write_end = os.pipe()
    os.write(write_end, b"to be read")
    os.close(write_end)
    assert _output(run, "cat", stdin=read_end) == "to be read"
    os.close(read_end)
    assert _output(run, "sh", "-c", "echo $0; exec >&2", surroundings=Surroundings(umask=0)) == "sh\n"


def test_python_child_has_surroundings_and_streams_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it prints is there at once, not when a buffer is full."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    spawn.shut_down()  # the next guardian has what is now our environment
    read_end, write_end = os.pipe()
    child = spawn.spawn(
        "prints",
        targets.print_and_stay,
        surroundings=Surroundings(cwd=str(tmp_path), env={"GREETING": "hello"}),
        stdout=write_end,
    )
    os.close(write_end)
    with open(read_end) as told:
        assert told.readline() == f"hello from {tmp_path}\n"
        end_now([child])
        assert told.read() == ""
    child.close()


def test_two_hundred_programs_at_once(run: Run) -> None:
    """Started from several threads, all told apart, all reaped; none is left."""
    with ThreadPoolExecutor(4) as pool:
        children = list(pool.map(lambda code: run("sh", "-c", f"exit {code}"), range(200)))
    assert [child.wait(20) for child in children] == list(range(200))
    assert len({child.mark for child in children}) == 200


def test_stopped_and_continued_is_told_in_the_loop(run: Run, start: Start) -> None:
    """SIGSTOP is no end, but somebody must know; so for programs and Python children."""

    async def follow(child: Child) -> list[bool]:
        seen: asyncio.Queue[bool] = asyncio.Queue()
        child.on_stopped(seen.put_nowait)
        os.kill(child.pid, signal.SIGSTOP)
        told = [await seen.get()]
        assert child.is_stopped
        late: asyncio.Queue[bool] = asyncio.Queue()
        child.on_stopped(late.put_nowait)
        assert await late.get() is True
        os.kill(child.pid, signal.SIGCONT)
        told.append(await seen.get())
        assert child.exitcode is None
        return told

    assert asyncio.run(follow(run("sleep", "300"))) == [True, False]
    assert asyncio.run(follow(start(targets.sleep))) == [True, False]


def test_signal_sent_as_soon_as_there_is_a_pid_is_not_lost(start: Start) -> None:
    """A child that has not yet taken its handlers over must not swallow SIGTERM with the guardian's."""
    for _ in range(30):
        child = start(targets.sleep)
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait(10) == -signal.SIGTERM


def test_held_descriptors_are_given_back_on_request(run: Run) -> None:
    """The guardian keeps its copy until it is told to drop it, or the child is collected."""
    read_end, write_end = os.pipe()
    child = run("sleep", "300", held={"log": write_end, "other": read_end})
    os.close(write_end)
    copy = child.take("log")
    assert copy is not None
    os.write(copy, b"x")
    os.close(copy)
    assert os.read(read_end, 10) == b"x"
    assert child.take("nothing") is None
    child.drop("log")
    assert child.take("log") is None
    assert os.read(read_end, 10) == b""  # nobody has the other end any more
    assert child.held == ("other",)
    os.close(read_end)


def test_guardian_forgets_a_child_that_is_closed(run: Run) -> None:
    """Neither descriptors nor memory pile up in it."""
    guardian = spawn.guardian()
    assert guardian is not None
    folder = f"/proc/{guardian.pid}/fd"
    run("true").wait(10)  # all that is opened once has been opened
    before = len(os.listdir(folder))
    read_end, write_end = os.pipe()
    child = run("true", held={"log": write_end})
    os.close(write_end)
    child.wait(10)
    assert len(os.listdir(folder)) == before + 1
    child.close()
    assert os.read(read_end, 1) == b""
    wait_until(lambda: len(os.listdir(folder)) == before, 10, lambda: os.listdir(folder))
    os.close(read_end)
