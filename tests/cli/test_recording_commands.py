"""``bus record``, ``bus play`` and ``bus info`` as a shell calls them: real recorders, killed and ended."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from context_bus.bus.publisher import Publisher
from context_bus.bus.recording_reader import Recording
from context_bus.kernel.message import split_frame
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until
from tests.bus.recordings import numbered, written
from tests.bus.test_tallies import frame
from tests.cli.conftest import Call

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def recorder(bus: LocalBus, *args: str, file_limit: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A real ``bus record``, known to the bus before it is handed over; killed at the end if need be."""
    witness = bus.publisher()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    process = subprocess.Popen(
        [sys.executable, "-m", "context_bus", "bus", "record", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=limit if file_limit else None,
    )
    try:
        wait_until(lambda: witness.audience.has(b"") or witness.has_subscriber("numbers"), 20.0)
        yield process
    finally:
        process.kill()
        process.communicate()


def messages(path: Path) -> list[tuple[int, bytes]]:
    """What is in a recording."""
    with path.open("rb") as file:
        return list(Recording(file).messages())


def publish(publisher: Publisher, count: int) -> None:
    """Numbers, once somebody listens."""
    wait_until(lambda: publisher.audience.has(b"") or publisher.has_subscriber("numbers"))
    for number in range(count):
        publisher.publish("numbers", {"number": number}, action="updated")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_recording_in_order(bus: LocalBus, tmp_path: Path, call: Call, end: int) -> None:
    """All that came is in it, its index too; the last line says so, and the exit code is 0."""
    path = tmp_path / "a.rec"
    publisher = bus.publisher()
    with recorder(bus, "numbers", "-o", str(path)) as process:
        publish(publisher, 500)
        wait_until(lambda: len(messages(path)) == 500)
        process.send_signal(end)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("recorded 500 messages on 1 topic in ")
    assert path.stat().st_mode & 0o777 == 0o600
    told = json.loads(call("bus", "info", str(path), "--json").out)
    assert (told["messages"], told["missed"], told["whole"], told["topics_asked"]) == (
        500,
        0,
        True,
        ["numbers"],
    )
    assert told["start"] == pytest.approx(time.time(), abs=60)


def test_killed_recorder_loses_the_last_second_at_most(bus: LocalBus, tmp_path: Path, call: Call) -> None:
    """Killed without a warning: what came more than a second before is there, and opens."""
    path = tmp_path / "a.rec"
    publisher = bus.publisher()
    with recorder(bus, "--all", "-o", str(path)) as process:
        sent_at: list[float] = []
        wait_until(lambda: publisher.audience.has(b""))
        for number in range(250):
            sent_at.append(time.monotonic())
            publisher.publish("numbers", number)
            time.sleep(0.01)  # the pace of a publisher; nothing waits for it
        killed_at = time.monotonic()
        process.kill()
        process.wait()
    owed = sum(at < killed_at - 1.2 for at in sent_at)
    got = [json.loads(split_frame(each)[1])["content"] for _, each in messages(path)]
    assert got == list(range(len(got)))
    assert owed <= len(got) <= 250
    ended = call("bus", "info", str(path))
    assert ended.code == 0
    assert "state     not ended in order: the recorder was killed" in ended.out
    played = json.loads(call("bus", "play", str(path), "--rate=max", "--json").out)
    assert played["messages"] == len(got)


def test_replay_is_what_was_recorded(bus: LocalBus, tmp_path: Path) -> None:
    """A recording of a replay holds the same frames as the first, byte for byte, in the same order."""
    first, second = tmp_path / "first.rec", tmp_path / "second.rec"
    publisher = bus.publisher()
    with recorder(bus, "--all", "-o", str(first)) as process:
        publish(publisher, 2000)
        publisher.publish_many("many", range(1000))
        wait_until(lambda: len(messages(first)) == 2010)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    with recorder(bus, "numbers", "many", "-o", str(second), "--compress") as process:
        play = [sys.executable, "-m", "context_bus", "bus", "play", str(first), "--rate=5", "--wait=10"]
        played = subprocess.run(play, capture_output=True, text=True, cwd=ROOT, check=True)
        assert played.stdout.startswith("played 3,000 messages in ")
        wait_until(lambda: len(messages(second)) == 2010)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert [each for _, each in messages(second)] == [each for _, each in messages(first)]
    assert second.stat().st_size < first.stat().st_size


def test_gaps_are_said_and_are_no_failure(bus: LocalBus, tmp_path: Path) -> None:
    """One line on stderr, exit code 0."""
    path = tmp_path / "a.rec"
    publisher = bus.publisher()
    with recorder(bus, "--all", "-o", str(path)) as process:
        publish(publisher, 3)
        publisher._sent.of("numbers", numbered=True)[0] += 5
        publish(publisher, 1)
        publisher.relay(b"noise")
        wait_until(lambda: len(messages(path)) == 4)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert err.splitlines() == [
        f"missed 5 messages, by their numbers; 'bus info {path}' says of whom",
        "left out 1 frame: no message of a bus",
    ]


def test_full_disk_is_one_line_and_the_file_is_whole(bus: LocalBus, tmp_path: Path, call: Call) -> None:
    """Nothing half written stays; exit code 3."""
    path = tmp_path / "a.rec"
    publisher = bus.publisher()
    with recorder(bus, "--all", "-o", str(path), file_limit=1_000_000) as process:
        wait_until(lambda: publisher.audience.has(b""))
        for number in itertools.count():
            publisher.publish("numbers", [number, "x" * 1000])
            if process.poll() is not None:
                break
        _, err = process.communicate(timeout=20)
    assert process.returncode == 3
    (line,) = err.splitlines()
    assert line.startswith(f"error: {path}: File too large; the recording ends there, whole, after ")
    told = json.loads(call("bus", "info", str(path), "--json").out)
    assert told["frames"] > 100
    assert (told["cut_bytes"], told["ended"]) == (0, False)


def test_recording_ends_by_itself(call: Call, bus: LocalBus, tmp_path: Path) -> None:
    """After a time, or a size."""
    ended = call("bus", "record", "-a", "-o", str(tmp_path / "a.rec"), "--duration=0.1", "--json")
    assert (ended.code, json.loads(ended.out)["messages"]) == (0, 0)
    publisher = bus.publisher()
    with recorder(bus, "-a", "-o", str(tmp_path / "b.rec"), "--max_size=200K") as process:
        wait_until(lambda: publisher.audience.has(b""))
        while process.poll() is None:
            publisher.publish("numbers", "x" * 1000)
    assert process.returncode == 0
    assert 150_000 < (tmp_path / "b.rec").stat().st_size < 1_000_000


def test_file_that_is_there_stays(call: Call, bus: LocalBus, tmp_path: Path) -> None:
    """Unless ``--force`` is given."""
    path = tmp_path / "a.rec"
    path.write_text("precious")
    ended = call("bus", "record", "-a", "-o", str(path), "--duration=0.1")
    assert ended.code == 2
    assert "is there already; choose another name, or --force" in ended.error
    assert path.read_text() == "precious"
    assert call("bus", "record", "-a", "-o", str(path), "--duration=0.1", "--force").code == 0
    assert messages(path) == []


def test_file_that_cannot_be_written_is_a_slip_of_the_line(call: Call, bus: LocalBus, tmp_path: Path) -> None:
    """It says which, why and what to do, with the exit code of a wrong option."""
    ended = call("bus", "record", "-a", "-o", str(tmp_path / "none" / "a.rec"), "--duration=0.1")
    assert ended.code == 2
    assert "none/a.rec: No such file or directory; choose another file with --output" in ended.error


# -- play ----------------------------------------------------------------------------------------


@pytest.fixture
def tape(tmp_path: Path) -> str:
    """A recording of 50 messages of a hundredth of a second each, and of one command."""
    path = tmp_path / "tape.rec"
    path.write_bytes(written([*numbered(50, 20), [(490_000_000, frame(1, topic="context"))]]))
    return str(path)


def test_play_leaves_out_commands_unless_they_are_named(call: Call, bus: LocalBus, tape: str) -> None:
    """Nobody restarts services by playing what he has recorded."""
    subscriber = bus.subscriber("context", "t")
    ended = call("bus", "play", tape, "--rate=max", "--wait=10")
    assert (ended.code, ended.out[:19]) == (0, "played 50 messages ")
    assert "left out 1 message on context, which command a provider; --topics=context plays" in ended.err
    topics = {received[0] for _ in range(50) if (received := subscriber.receive(5.0))}
    assert topics == {"t"}
    assert call("bus", "play", tape, "--rate=max", "--topics=context").out.startswith("played 1 message ")
    received = subscriber.receive(5.0)
    assert received is not None
    assert received[0] == "context"


def test_play_takes_the_time_it_took(call: Call, bus: LocalBus, tape: str) -> None:
    """Half a second, half of that at twice the rate, after a delay."""
    began = time.monotonic()
    call("bus", "play", tape, "--rate=2", "--delay=0.1")
    assert 0.34 <= time.monotonic() - began < 10.0


def test_play_renames_and_counts(call: Call, bus: LocalBus, tape: str) -> None:
    """Turn after turn under another topic, until so many were played."""
    subscriber = bus.subscriber("x")
    options = ["--rate=max", "--loop", "--count=120", "--remap", "t:=x", "--wait=10", "--start_offset=0.1"]
    told = json.loads(call("bus", "play", tape, *options, "--new_senders", "--json").out)
    assert (told["messages"], told["through"]) == (120, True)
    got = [json.loads(received[1]) for _ in range(120) if (received := subscriber.receive(5.0))]
    assert [each["header"]["sequence"] for each in got] == [*range(11, 51)] * 3
    senders = {each["header"]["sender"]: None for each in got}
    assert [sender.count("~") for sender in senders] == [1, 2, 2]
    assert bus.subscriber("t").receive(0.05) is None


def test_interrupted_play_says_how_far_it_came(bus: LocalBus, tape: str) -> None:
    """Ctrl-C: one line, and 130."""
    subscriber = bus.subscriber("t")
    command = [sys.executable, "-m", "context_bus", "bus", "play", tape, "--rate=0.05", "--wait=20"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert subscriber.receive(20.0) is not None
    assert subscriber.receive(20.0) is not None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.fullmatch(r"played [12] messages? in .* s; stopped at 0\.0 s of the recording\n", out)
    assert err.strip() == ""


#: Makes a terminal its own, and becomes what is called.
ON_TERMINAL = (
    "import os, sys; os.login_tty(int(sys.argv[1])); "
    "os.execv(sys.executable, [sys.executable, '-m', 'context_bus', 'bus', *sys.argv[2:]])"
)


class Terminal:
    """A command on a terminal of its own.

    Args:
        args: What follows ``context-bus bus``.
    """

    def __init__(self, *args: str) -> None:
        self.ours, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        command = [sys.executable, "-c", ON_TERMINAL, str(theirs), *args]
        self.process = subprocess.Popen(command, pass_fds=(theirs,), cwd=ROOT)
        os.close(theirs)
        #: All that was shown.
        self.shown = b""

    def read(self) -> bool:
        """Take what is shown next; says whether there will be more."""
        with contextlib.suppress(OSError):  # what a terminal says when nobody is left
            data = os.read(self.ours, 4096)
            self.shown += data
            return bool(data)
        return False

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self.ours, key)

    def end(self) -> tuple[int, bytes]:
        """Press Ctrl-C; gives the exit code, and what was shown after the last line of progress."""
        self.press(b"\x03")
        while self.read():
            pass
        return self.process.wait(20), self.shown.rpartition(b"\x1b[K")[2]

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


def test_space_pauses_on_a_terminal(bus: LocalBus, tmp_path: Path) -> None:
    """Held until space is pressed again, with a line that says so and is gone at the end."""
    path = tmp_path / "long.rec"
    path.write_bytes(written(numbered(1000, 100)))
    subscriber = bus.subscriber("t", hwm=0)
    with Terminal("play", str(path), "--wait=20", "--json") as terminal:
        assert subscriber.receive(20.0) is not None
        terminal.press(b" ")
        while b"paused; space goes on" not in terminal.shown:
            assert terminal.read()
        while subscriber.receive(0.3) is not None:  # what was on its way when it was held
            pass
        terminal.press(b" ")
        assert subscriber.receive(10.0) is not None
        code, last = terminal.end()
        assert termios.tcgetattr(terminal.ours) == terminal.before
    assert code == 130
    assert b"playing  " in terminal.shown
    assert b'"through":false' in last


def test_record_on_a_terminal_shows_what_it_has(bus: LocalBus, tmp_path: Path) -> None:
    """A line that counts, without a message to wake it, and Ctrl-C ends in order."""
    with Terminal("record", "-a", "-o", str(tmp_path / "a.rec")) as terminal:
        while terminal.shown.count(b"recording  ") < 3:
            assert terminal.read()
        code, last = terminal.end()
    assert code == 0
    assert last.startswith(b"recorded 0 messages in ")


def test_play_of_a_damaged_recording_says_so(call: Call, bus: LocalBus, tape: str) -> None:
    """What is whole is played."""
    data = bytearray(Path(tape).read_bytes())
    data[data.index(b'"sequence":25,')] ^= 1
    Path(tape).write_bytes(data)
    ended = call("bus", "play", tape, "--rate=max")
    assert ended.out.startswith("played 30 messages ")
    assert "bytes of the recording are damaged" in ended.err
    ended = call("bus", "info", tape, "--check")
    assert "damaged: " in ended.out
    assert "with at least 20 messages" in ended.out


# -- info ----------------------------------------------------------------------------------------


def test_info_is_a_table(call: Call, tape: str) -> None:
    """Who sent how much on which topic."""
    ended = call("bus", "info", tape)
    assert ended.code == 0
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert lines[0].startswith(f"file {tape} ")
    assert lines[1].endswith("10.0 s")
    assert lines[3].startswith("messages 51 ")
    assert lines[4] == "state whole"
    assert lines[6] == "TOPIC SENDER MESSAGES BYTES MISSED"
    assert [line.split()[:3] for line in lines[7:]] == [["context", "s", "1"], ["t", "s", "50"]]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["record", "-o", "x.rec"], "name TOPICs, or --all"),
        (["record", "t", "--all", "-o", "x.rec"], "either TOPICs or --all"),
        (["record", "t"], "missing option '-o'"),
        (["record", "a@@@b", "-o", "x.rec"], "cannot be sent"),
        (["record", "t", "-o", "x.rec", "--max_size=much"], "is no size"),
        (["record", "t", "-o", "nowhere/x.rec"], "nowhere/x.rec: No such file"),
        (["play", "x.rec"], "no such file"),
        (["play", "TAPE", "--rate=-1"], "no rate"),
        (["play", "TAPE", "--rate=0"], "no rate"),
        (["play", "TAPE", "--remap=a"], "expected OLD:=NEW"),
        (["play", "TAPE", "--remap=t:=a @@@ b"], "cannot be sent"),
        (["play", "TAPE", "--wait=0.1"], "nobody listens to topic 't'"),
        (["play", "NOISE"], "this is no recording of a bus"),
        (["info", "NOISE"], "this is no recording of a bus"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_input_is_one_line(
    call: Call, bus: LocalBus, tape: str, args: list[str], words: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Each with its remedy, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noise").write_bytes(os.urandom(100))
    places = {"TAPE": tape, "NOISE": str(tmp_path / "noise")}
    ended = call("bus", *(places.get(arg, arg) for arg in args))
    assert ended.code in {1, 2, 3}
    assert words in ended.error
    assert not (tmp_path / "x.rec").exists()
