from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from context_bus.errors import ProcessError
from context_bus.process import spawn
from context_bus.process.orders import Attach, Ended, Finish, Recovered, Sink, SinkKind, Trouble, Wire
from context_bus.process.output import Outputs, Pipes
from context_bus.process.writer import ORPHANED_FOR, PARTIAL_SHOWN_AFTER, run_writer
from context_bus.testing.wait import wait_until
from tests.process.conftest import Start
from tests.process.test_rotation import whole

#: Seconds for what takes milliseconds.
PATIENCE = 20.0
#: Writes numbered lines as fast as it can, and at the end the hash of all it wrote to the file named.
FLOOD = (
    "import hashlib, os, sys\n"
    "name, lines, result = sys.argv[1], int(sys.argv[2]), sys.argv[3]\n"
    "hash = hashlib.sha256()\n"
    "for first in range(0, lines, 1000):\n"
    "    numbers = range(first, first + 1000)\n"
    "    data = b''.join(b'%s %d %s\\n' % (name.encode(), n, b'x' * (n % 97)) for n in numbers)\n"
    "    hash.update(data)\n"
    "    while data: data = data[os.write(1, data):]\n"
    "open(result, 'w').write(hash.hexdigest())\n"
)


def log(path: Path, max_bytes: int = 0, backups: int = 5, show: bool = False) -> Sink:
    """A sink that is a file."""
    return Sink(SinkKind.FILE, path, max_bytes, backups, show)


@asynccontextmanager
async def outputs(terminal: int | None = None) -> AsyncIterator[tuple[Outputs, list[Trouble | Recovered]]]:
    """Outputs that are closed whatever happens."""
    heard: list[Trouble | Recovered] = []
    them = Outputs(terminal, heard.append)
    try:
        yield them, heard
    finally:
        await them.close(2.0)


def start_program(pipes: Pipes, *argv: str) -> subprocess.Popen[bytes]:
    """Start a child with the pipes as its streams."""
    with_pipes = subprocess.Popen(argv, stdout=pipes.stdout_fd, stderr=pipes.stderr_fd)
    pipes.close()
    return with_pipes


async def until(predicate: Callable[[], object], describe: str = "") -> None:
    """Wait beside the loop."""
    await asyncio.to_thread(wait_until, predicate, PATIENCE, describe)


# -- files -----------------------------------------------------------------------------------------


def test_all_that_a_child_writes_is_in_the_file_when_closed(tmp_path: Path) -> None:
    """Both streams in their order through one pipe, and the last line although nothing ends it."""
    path = tmp_path / "logs" / "x.log"

    async def main() -> None:
        async with outputs() as (them, heard):
            pipes = them.open("x", stdout=log(path), stderr=log(path))
            assert pipes.stdout_fd == pipes.stderr_fd
            child = start_program(pipes, "sh", "-c", "echo one; echo two >&2; echo three; printf last")
            assert await asyncio.to_thread(child.wait) == 0
            them.release("x")
            await them.close()
            assert path.read_bytes() == b"one\ntwo\nthree\nlast"
            assert them.writer_pid is None
            assert heard == []

    asyncio.run(main())


def test_streams_go_where_each_is_sent(tmp_path: Path) -> None:
    """Two files, nowhere, or where the owner's own go; only files need a writer."""

    async def main() -> None:
        async with outputs() as (them, _):
            out, err = tmp_path / "out", tmp_path / "err"
            with_files = them.open("x", stdout=log(out), stderr=log(err))
            child = start_program(with_files, "sh", "-c", "echo one; echo two >&2")
            await asyncio.to_thread(child.wait)
            them.release("x")
            await them.close()
            assert (out.read_bytes(), err.read_bytes()) == (b"one\n", b"two\n")
        async with outputs() as (them, _):
            pipes = them.open("y", stdout=Sink(SinkKind.NULL), stderr=Sink())
            assert pipes.stderr_fd == 2
            assert os.readlink(f"/proc/self/fd/{pipes.stdout_fd}") == os.devnull
            pipes.close()
            pipes.close()
            await asyncio.sleep(0)
            assert them.writer_pid is None

    asyncio.run(main())


def test_flood_is_kept_byte_for_byte_across_rotations(tmp_path: Path) -> None:
    """Some megabytes through the kernel's own way and around every corner of a rotation."""
    path, result = tmp_path / "x.log", tmp_path / "hash"

    async def main() -> None:
        async with outputs() as (them, _):
            sink = log(path, 1_000_000, 1000)
            pipes = them.open("x", stdout=sink, stderr=sink)
            child = start_program(pipes, sys.executable, "-c", FLOOD, "x", "300000", str(result))
            assert await asyncio.to_thread(child.wait) == 0
            them.release("x")
            await them.close(30.0)

    asyncio.run(main())
    assert hashlib.sha256(whole(path)).hexdigest() == result.read_text()
    parts = sorted(tmp_path.glob("x.log.*"))
    assert len(parts) >= 15
    assert all(part.read_bytes().endswith(b"\n") and part.stat().st_size <= 1_000_000 for part in parts)


@pytest.mark.slow
def test_flood_leaves_its_neighbours_their_turn(tmp_path: Path) -> None:
    """Twenty children that write a line now and then find it in their files at once, besides `yes`."""

    async def main() -> list[float]:
        async with outputs() as (them, _):
            flood = log(tmp_path / "flood.log", 50_000_000, 1)
            child = start_program(them.open("flood", stdout=flood, stderr=flood), "yes")
            quiet = [tmp_path / f"quiet{n}.log" for n in range(20)]
            pipes = [them.open(path.stem, stdout=log(path), stderr=log(path)) for path in quiet]
            await until(lambda: (tmp_path / "flood.log.1").exists(), "first rotation")
            took = []
            for turn in range(1, 6):
                for path, pipe in zip(quiet, pipes, strict=True):
                    began = time.monotonic()
                    os.write(pipe.stdout_fd, b"a line\n")
                    await until(lambda path=path, turn=turn: path.stat().st_size == 7 * turn)
                    took.append(time.monotonic() - began)
            child.kill()
            child.wait()
            for pipe in pipes:
                pipe.close()
            return took

    took = sorted(asyncio.run(main()))
    assert took[len(took) // 2] < 0.25, f"median of 100: {took[50]:.3f} s, most: {took[-1]:.3f} s"


def test_last_line_before_kill_9_is_there(tmp_path: Path) -> None:
    """What a child wrote before it was killed is in the pipe, and therefore in the file."""
    path = tmp_path / "x.log"

    async def main() -> None:
        async with outputs() as (them, _):
            pipes = them.open("x", stdout=log(path), stderr=log(path))
            child = start_program(pipes, "sh", "-c", "echo first; printf 'last words'; kill -9 $$")
            assert await asyncio.to_thread(child.wait) == -signal.SIGKILL
            them.release("x")

    asyncio.run(main())
    assert path.read_bytes() == b"first\nlast words"


def test_release_is_enough_where_a_straggler_holds_the_pipe(tmp_path: Path) -> None:
    """A daemon that a child left behind does not hold up the end; what it wrote is there."""
    path = tmp_path / "x.log"

    async def main() -> float:
        them = Outputs()
        pipes = them.open("x", stdout=log(path), stderr=log(path))
        os.write(pipes.stdout_fd, b"words of a straggler\n")
        straggler = start_program(pipes, "sleep", "300")
        them.release("x")
        began = time.monotonic()
        await them.close(PATIENCE)
        straggler.kill()
        straggler.wait()
        return time.monotonic() - began

    assert asyncio.run(main()) < PATIENCE / 2
    assert path.read_bytes() == b"words of a straggler\n"


def test_close_waits_for_no_child_beyond_its_deadline(tmp_path: Path) -> None:
    """A child that nobody has ended costs the deadline, not for ever, and keeps what it wrote till then."""
    path = tmp_path / "x.log"

    async def main() -> None:
        them = Outputs()
        child = start_program(them.open("x", stdout=log(path), stderr=log(path)), "yes")
        await them.close(0.2)
        assert await asyncio.to_thread(child.wait) == -signal.SIGPIPE

    asyncio.run(main())
    assert path.stat().st_size > 0


def test_moved_file_is_opened_anew_when_asked(tmp_path: Path) -> None:
    """As for logrotate: rename, then say so."""
    path = tmp_path / "x.log"

    async def main() -> None:
        async with outputs() as (them, _):
            pipes = them.open("x", stdout=log(path), stderr=log(path))
            await until(path.exists)
            path.rename(tmp_path / "old")
            them.reopen()
            await until(path.exists)
            pipes.close()

    asyncio.run(main())


def test_want_of_descriptors_is_said_with_the_remedy(tmp_path: Path) -> None:
    """Nothing stays open where no pipe can be made."""
    import resource

    async def main() -> None:
        async with outputs() as (them, _):
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            highest = max(int(name) for name in os.listdir("/proc/self/fd"))
            spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(highest)]  # fills every gap
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, hard))
            try:
                with pytest.raises(ProcessError, match=r"output of x: Too many open files; see `ulimit -n`"):
                    them.open("x", stdout=log(tmp_path / "x"), stderr=log(tmp_path / "y"))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for fd in spare:
                    os.close(fd)

    asyncio.run(main())


# -- trouble ---------------------------------------------------------------------------------------


def test_child_neither_waits_nor_dies_where_the_disk_is_full(tmp_path: Path) -> None:
    """It may write as much as it likes; the owner is told once, a neighbour notices nothing."""

    async def main() -> list[Trouble | Recovered]:
        async with outputs() as (them, heard):
            full, fine = log(Path("/dev/full")), log(tmp_path / "fine")
            child = start_program(
                them.open("full", stdout=full, stderr=full), "sh", "-c", "yes | head -c 20000000"
            )
            neighbour = start_program(them.open("fine", stdout=fine, stderr=fine), "sh", "-c", "echo fine")
            assert await asyncio.to_thread(child.wait) == 0
            assert await asyncio.to_thread(neighbour.wait) == 0
            them.release("full")
            them.release("fine")
            await them.close()
            assert (tmp_path / "fine").read_bytes() == b"fine\n"
            return heard

    assert asyncio.run(main()) == [Trouble("full", b"/dev/full", os.strerror(errno.ENOSPC))]


def test_recovery_comes_by_itself_and_is_told(tmp_path: Path) -> None:
    """Also of a child that writes nothing more."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a directory should be")
    sink = log(blocked / "x.log")

    async def main() -> list[Trouble | Recovered]:
        async with outputs() as (them, heard):
            pipes = them.open("x", stdout=sink, stderr=sink)
            os.write(pipes.stdout_fd, b"lost\n")
            await until(lambda: heard)
            blocked.unlink()
            await until(lambda: len(heard) > 1)
            pipes.close()
            return heard

    trouble, recovered = asyncio.run(main())
    assert trouble == Trouble("x", os.fsencode(sink.path), "Not a directory")
    assert recovered == Recovered("x", os.fsencode(sink.path), 5)
    assert sink.path.read_bytes() == b"... 5 bytes lost: Not a directory\n"


def test_writer_that_is_killed_costs_no_child_its_life_or_its_lines(tmp_path: Path) -> None:
    """The next writer goes on with the pipes as they are, again and again."""
    path = tmp_path / "x.log"

    async def main() -> None:
        async with outputs() as (them, _):
            pipes = them.open("x", stdout=log(path), stderr=log(path))
            await until(path.exists)
            for turn in range(3):
                pid = them.writer_pid
                assert pid is not None
                os.kill(pid, signal.SIGSTOP)
                os.write(pipes.stdout_fd, b"line %d\n" % turn)
                os.kill(pid, signal.SIGKILL)
                await until(lambda pid=pid: them.writer_pid not in (None, pid), "another writer")
                await until(lambda turn=turn: path.read_bytes().endswith(b"line %d\n" % turn))
            pipes.close()

    asyncio.run(main())
    assert path.read_bytes() == b"line 0\nline 1\nline 2\n"


def test_a_writer_needs_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none can be started, one that was ordered in vain would come when nobody waits for it."""
    spawn.warm_up()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        async with outputs() as (them, _):
            with monkeypatch.context() as patched:
                patched.setattr(threading.Thread, "start", refuse)
                sink = log(tmp_path / "x.log")
                pipes = them.open("x", stdout=sink, stderr=sink)
                child = start_program(pipes, "echo", "a line")
                child.wait()
                while not (tmp_path / "x.log").exists():
                    await asyncio.sleep(0)
            await until(lambda: (tmp_path / "x.log").read_text() == "a line\n")

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_writer_killed_at_the_end_is_replaced_to_write_the_rest(tmp_path: Path) -> None:
    """Closing means written, whoever dies meanwhile."""
    path = tmp_path / "x.log"

    async def main() -> None:
        async with outputs() as (them, _):
            pipes = them.open("x", stdout=log(path), stderr=log(path))
            await until(path.exists)
            assert them.writer_pid is not None
            os.kill(them.writer_pid, signal.SIGSTOP)
            os.write(pipes.stdout_fd, b"the rest\n")
            pipes.close()
            os.kill(them.writer_pid, signal.SIGKILL)

    asyncio.run(main())
    assert path.read_bytes() == b"the rest\n"


# -- a writer without owner ------------------------------------------------------------------------


@pytest.mark.parametrize("says_end", [True, False])
def test_writer_without_owner_writes_till_its_children_end(
    start: Start, tmp_path: Path, says_end: bool
) -> None:
    """The end of the owner's channel is no end of the children's output."""
    path = tmp_path / "x.log"
    child = start(run_writer)
    wire = Wire(child.channel.fileno())
    reader, end = os.pipe()
    os.set_blocking(reader, False)
    wire.put(Attach(1, "x", os.fsencode(path), 0, 5, False), reader)
    if says_end:
        wire.put(Finish(PATIENCE))
    assert wire.flush()
    wait_until(path.exists, PATIENCE)
    if not says_end:
        child.channel.close()
    os.write(end, b"after the end of the owner\n")
    if not says_end:
        wire.close()
    os.close(reader)
    os.close(end)
    assert child.wait(ORPHANED_FOR) == 0
    assert path.read_bytes() == b"after the end of the owner\n"
    if says_end:
        assert wire.receive_reports() == [Ended(1, 0)]
    wire.close()


def test_writer_imports_neither_zmq_nor_asyncio() -> None:
    """It is small, and nothing of theirs can stand in its way."""
    script = (
        "import sys, context_bus.process.writer\n"
        "print(sorted({'zmq', 'asyncio', 'psutil', 'lxml'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# -- the terminal ----------------------------------------------------------------------------------


def test_lines_are_shown_behind_padded_names(tmp_path: Path) -> None:
    """A prompt without end is shown when nothing follows; the file has it at once, and bare."""
    shown, terminal = os.pipe()
    path = tmp_path / "a"

    async def main() -> None:
        async with outputs(terminal) as (them, _):
            long = them.open("longer", stdout=log(tmp_path / "b", show=True), stderr=Sink(SinkKind.NULL))
            short = them.open("a", stdout=log(path, show=True), stderr=Sink(SinkKind.NULL))
            os.write(long.stdout_fd, b"one\ntwo\n")
            assert await asyncio.to_thread(os.read, shown, 1000) == b"longer | one\nlonger | two\n"
            began = time.monotonic()
            os.write(short.stdout_fd, b"a prompt> ")
            assert await asyncio.to_thread(os.read, shown, 1000) == b"a      | a prompt> \n"
            assert time.monotonic() - began >= PARTIAL_SHOWN_AFTER * 0.9
            long.close()
            short.close()

    asyncio.run(main())
    assert path.read_bytes() == b"a prompt> "
    os.close(shown)
    os.close(terminal)


def test_terminal_that_takes_nothing_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A child writes on; when the terminal reads again it learns how many lines it did not see."""
    shown, terminal = os.pipe()
    path = tmp_path / "x"

    async def main() -> bytes:
        async with outputs(terminal) as (them, _):
            sink = log(path, show=True)
            other = log(tmp_path / "y", show=True)
            child = start_program(them.open("x", stdout=sink, stderr=sink), "seq", "1000000")
            quiet = them.open("y", stdout=other, stderr=other)
            assert await asyncio.to_thread(child.wait) == 0
            os.write(quiet.stdout_fd, b"a neighbour\n")
            quiet.close()
            them.release("x")
            text = b""
            while b"not shown" not in text or b"y | a neighbour\n" not in text:
                text += await asyncio.to_thread(os.read, shown, 65536)
            return text

    text = asyncio.run(main())
    assert path.read_bytes() == b"".join(b"%d\n" % n for n in range(1, 1000001))
    lines = [line for line in text.split(b"\n") if line.startswith(b"x | ")]
    note = next(line for line in lines if line.endswith(b"not shown"))
    before = lines.index(note)
    assert lines[:before] == [b"x | %d" % n for n in range(1, before + 1)]
    assert int(note.split()[3]) <= 1000000 - before
    assert os.get_blocking(terminal)
    os.close(shown)
    os.close(terminal)


def test_long_line_is_cut_on_the_terminal_only(tmp_path: Path) -> None:
    """Half a megabyte in one line is nothing to look at."""
    shown, terminal = os.pipe()
    path = tmp_path / "x"

    async def main() -> bytes:
        async with outputs(terminal) as (them, _):
            sink = log(path, show=True)
            script = "import sys; sys.stdout.write('x' * 500000 + '\\nnext\\n')"
            pipes = them.open("x", stdout=sink, stderr=sink)
            child = start_program(pipes, sys.executable, "-c", script)
            text = b""
            while not text.endswith(b"next\n"):
                text += await asyncio.to_thread(os.read, shown, 65536)
            child.wait()
            return text

    text = asyncio.run(main())
    assert text == b"x | " + b"x" * 65536 + b" ...\nx | next\n"
    assert path.stat().st_size == 500006
    os.close(shown)
    os.close(terminal)


def test_names_are_coloured_on_a_real_terminal_unless_unwanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name its colour, the same in every run; NO_COLOR means none."""
    master, terminal = pty.openpty()

    async def show() -> bytes:
        async with outputs(terminal) as (them, _):
            sink = log(tmp_path / "x", show=True)
            pipes = them.open("ts_100", stdout=sink, stderr=sink)
            os.write(pipes.stdout_fd, b"text\n")
            pipes.close()
            return await asyncio.to_thread(os.read, master, 1000)

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert asyncio.run(show()) == b"\x1b[35mts_100 | \x1b[0mtext\r\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert asyncio.run(show()) == b"ts_100 | text\r\n"
    os.close(master)
    os.close(terminal)


def test_terminal_that_hangs_up_costs_nothing_but_itself(tmp_path: Path) -> None:
    """The reader of the owner's output is gone; the files go on."""
    shown, terminal = os.pipe()
    path = tmp_path / "x"

    async def main() -> None:
        async with outputs(terminal) as (them, _):
            sink = log(path, show=True)
            pipes = them.open("x", stdout=sink, stderr=sink)
            os.close(shown)
            for line in (b"one\n", b"two\n"):
                os.write(pipes.stdout_fd, line)
                await until(lambda line=line: path.exists() and path.read_bytes().endswith(line))
            assert them.writer_pid is not None
            pipes.close()

    asyncio.run(main())
    os.close(terminal)
