"""One question by a program: its answer, its end, and what it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pwd
import signal
import sys
from pathlib import Path

import pytest

from context_bus.config.supervision import LivenessKind, Probe
from context_bus.kernel.surroundings import Surroundings
from context_bus.supervise.executing import ask_command
from context_bus.supervise.probing import attempt
from context_bus.testing.wait import wait_until

#: Leaves the pid of a child that lives on, then goes on as told.
BREED = "sleep 300 & echo $! > pids; "


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


def said_by(*command: str, surroundings: Surroundings | None = None, timeout: float = 20.0) -> str:
    """What one attempt says; within its time."""
    probe = Probe(command=command, timeout=timeout)
    return asyncio.run(attempt(LivenessKind.COMMAND, probe, surroundings))


def wait_gone(pid_file: Path) -> None:
    """Wait until the process whose pid stands there has ended; a zombie of another parent has."""
    pid = int(pid_file.read_text())

    def is_gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    wait_until(is_gone, describe=f"end of {pid}")


def test_exit_code_zero_is_well() -> None:
    """Whatever it writes."""
    assert said_by(*shell("echo noise; echo more >&2")) == ""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "exit code 3"),
        ("echo first; echo 'no route to db' >&2; echo; exit 2", "exit code 2: no route to db"),
        ("printf 'no newline'; exit 1", "exit code 1: no newline"),
        ("printf '\\377broken\\n'; exit 1", "exit code 1: \ufffdbroken"),
        ("kill -SEGV $$", "ended by SIGSEGV"),
        ("head -c 20000 /dev/zero | tr '\\0' x; echo; echo last; exit 1", "exit code 1: last"),
    ],
)
def test_any_other_end_is_told_with_the_last_line(script: str, reason: str) -> None:
    """Exit code or signal, then what it wrote last that is not empty."""
    assert said_by(*shell(script)) == reason


def test_the_line_is_cut() -> None:
    """A reason is a line of a log, too."""
    said = said_by(*shell("head -c 3000 /dev/zero | tr '\\0' x; exit 1"))
    assert said == "exit code 1: " + 200 * "x"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("/no/such/program",), "cannot run /no/such/program: No such file or directory"),
        (("/etc/passwd",), "cannot run /etc/passwd: Permission denied"),
        (("a\0b",), "cannot run a\0b: embedded null byte"),
        ((), "no command is given: expected a program and its arguments"),
    ],
)
def test_what_cannot_be_run_is_told(command: tuple[str, ...], reason: str) -> None:
    """In one line, for the next attempt may find it."""
    assert said_by(*command) == reason


def test_no_shell_looks_at_the_arguments() -> None:
    """They arrive as they are."""
    assert said_by(sys.executable, "-c", "import sys; sys.exit(sys.argv[1] != '$HOME; *')", "$HOME; *") == ""


def test_at_the_timeout_it_is_killed_with_its_group(tmp_path: Path) -> None:
    """Also when it does not listen to anything milder."""
    script = f"trap '' TERM HUP; {BREED} mv pids ready; while :; do sleep 300; done"
    for timeout in (0.1, 1.0, 10.0):  # on a busy machine the shell takes longer to begin
        said = said_by(*shell(script), surroundings=Surroundings(cwd=str(tmp_path)), timeout=timeout)
        assert said == f"no answer within {timeout:g} s"
        if (tmp_path / "ready").exists():
            break
    wait_gone(tmp_path / "ready")


def test_what_it_leaves_running_is_killed(tmp_path: Path) -> None:
    """A probe that leaves a process at each attempt fills the machine; and nobody waits for its output."""
    assert said_by(*shell(BREED), surroundings=Surroundings(cwd=str(tmp_path))) == ""
    wait_gone(tmp_path / "pids")


def test_an_output_kept_open_delays_nobody(tmp_path: Path) -> None:
    """The end of the program counts, not that of whoever has left its session with its output."""
    said = said_by(
        *shell("setsid sleep 300 & echo $! > pids; exit 4"), surroundings=Surroundings(cwd=str(tmp_path))
    )
    assert said == "exit code 4"
    pid = int((tmp_path / "pids").read_text())
    with contextlib.suppress(ProcessLookupError):  # it may have been killed before it left
        os.kill(pid, signal.SIGKILL)
    wait_gone(tmp_path / "pids")


def test_a_flood_is_no_answer() -> None:
    """It would keep the loop from everything else for as long as it may take."""
    assert said_by("yes") == "wrote more than 1048576 bytes; a probe has to be brief"


def test_cancelled_twice_it_leaves_nothing(tmp_path: Path) -> None:
    """The process is killed and reaped before the cancellation goes on."""

    async def main() -> None:
        task = asyncio.ensure_future(
            ask_command(shell(BREED + "mv pids ready; wait"), Surroundings(cwd=str(tmp_path)))
        )
        while not (tmp_path / "ready").exists():
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert Path("/proc/self/task", str(os.getpid()), "children").read_text().split() == children

    children = Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
    asyncio.run(main())
    wait_gone(tmp_path / "ready")


def test_many_programs_are_started_one_in_a_round() -> None:
    """The loop goes round between two starts, however many are wanted at once."""

    async def main() -> list[int]:
        children = Path("/proc/self/task", str(os.getpid()), "children")
        before = len(children.read_text().split())
        tasks = [asyncio.ensure_future(ask_command(("/bin/sleep", "300"))) for _ in range(20)]
        started = [0]
        while started[-1] < 20:
            await asyncio.sleep(0)
            started.append(len(children.read_text().split()) - before)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return started

    started = asyncio.run(main())
    assert max(later - now for now, later in itertools.pairwise(started)) == 1


def test_an_exit_code_that_somebody_took_is_no_success() -> None:
    """Another waiter in this process was first; nobody knows how it ended."""
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel itself takes the code then
    try:
        for _ in range(5):  # it may have ended before there is a handle of it, or after
            assert said_by(*shell("exit 0")).endswith("its exit code was taken by somebody else")
    finally:
        signal.signal(signal.SIGCHLD, previous)


def test_surroundings_are_those_of_the_service(tmp_path: Path) -> None:
    """Directory, environment besides the inherited one, mask of new files."""
    surroundings = Surroundings(cwd=str(tmp_path), env={"PORT": "80"}, umask=0o077)
    script = '[ "$PORT" = 80 ] && [ -n "$PATH" ] && touch made'
    assert said_by(*shell(script), surroundings=surroundings) == ""
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_user_has_no_group_of_whoever_asks() -> None:
    """A service that gave up root is not asked by root."""
    entry = pwd.getpwnam("nobody")
    groups = {entry.pw_gid, *os.getgrouplist("nobody", entry.pw_gid)}
    seen = "(os.getuid(), {os.getgid(), *os.getgroups()})"
    check = f"import os; assert {seen} == {(entry.pw_uid, groups)}, {seen}"
    before = os.getgroups()
    os.setgroups([*before, 54321])
    try:
        for user in ("nobody", str(entry.pw_uid)):
            assert said_by("/usr/bin/env", "python3", "-c", check, surroundings=Surroundings(user=user)) == ""
    finally:
        os.setgroups(before)
    assert "cannot run id" in said_by("id", surroundings=Surroundings(user="no-such-user"))
