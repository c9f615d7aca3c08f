"""The feedback file of one task."""

from __future__ import annotations

import math
import mmap
import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inotify_simple import INotify, flags

from context_bus.errors import WatchError
from context_bus.kernel.feedback import parse
from context_bus.testing.clock import ManualClock
from context_bus.watch.feedbackfile import WINDOW, FeedbackFile, FeedbackReader, parse_file, set_aside
from context_bus.watch.liveness import TICK
from context_bus.watch.values import TaskStatus

RUNNING, SILENT, STALLED = TaskStatus.RUNNING, TaskStatus.SILENT, TaskStatus.STALLED
TIMEOUT = 40.0


class Watch:
    """What a watcher's loop does with a feedback file, by a clock that the test moves."""

    def __init__(self, path: Path, timeout: float = TIMEOUT, *, wants_content: bool = False) -> None:
        self.clock = ManualClock()
        self.file = FeedbackFile(path, timeout, self.clock.now(), wants_content=wants_content)
        self.wakes = 0

    def settle(self) -> TaskStatus | None:
        """React as long as the descriptor or the clock says so."""
        while select.select([self.file], [], [], 0)[0] or self.deadline() <= self.clock.now():
            self.file.react(self.clock.now())
            self.wakes += 1
            if self.file.status is None:
                break
        return self.file.status

    def deadline(self) -> float:
        return self.file.next_deadline(self.clock.now())

    def after(self, seconds: float) -> TaskStatus | None:
        """Let time pass, deadline by deadline; how the task stands then."""
        end = self.clock.now() + seconds
        self.settle()
        while self.deadline() <= end and self.file.status is not None:
            self.clock.advance(self.deadline() - self.clock.now())
            self.settle()
        if self.file.status is not None:
            self.clock.advance(max(0.0, end - self.clock.now()))
        return self.settle()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "feedback_1.log"


@pytest.fixture
def watch(path: Path) -> Iterator[Watch]:
    path.parent.mkdir()
    made = Watch(path)
    yield made
    made.file.close()


# -- whether it changes --------------------------------------------------------------------------


def test_a_file_that_never_comes_is_as_old_as_the_task(watch: Watch) -> None:
    """One wake for each threshold, and none besides."""
    for status in (SILENT, STALLED, None):
        assert watch.deadline() > watch.clock.now()
        watch.clock.advance(watch.deadline() - watch.clock.now())
        assert watch.settle() is status
    assert watch.file.age(watch.clock.now()) == pytest.approx(TIMEOUT + TICK)
    assert watch.wakes == 3
    assert watch.deadline() == math.inf


@pytest.mark.parametrize(
    ("age", "status"),
    [(5, RUNNING), (9.9, RUNNING), (10.1, SILENT), (15, SILENT), (25, STALLED), (35, STALLED), (41, None)],
)
def test_status_by_the_age_of_the_last_line(path: Path, watch: Watch, age: float, status: TaskStatus) -> None:
    """As the thresholds say, since the line was seen."""
    assert watch.after(30.0) is STALLED
    path.write_text("[a]1\n")
    assert watch.settle() is RUNNING
    assert watch.after(age) is status


def test_heartbeats_keep_a_task_alive(path: Path) -> None:
    """One each second, with a timeout of four; nothing in the file changes by it."""
    path.parent.mkdir()
    watch = Watch(path, 4.0)
    with watch.file, path.open("a", buffering=1) as feedback:
        for _ in range(8):
            feedback.write("[heartbeat]\n")
            assert watch.settle() is RUNNING
            assert watch.after(0.99) in (RUNNING, SILENT)
            assert watch.file.read() == {}
        assert watch.after(3.5) is None


def append(path: Path) -> None:
    with path.open("a") as feedback:
        feedback.write("[b]2\n")


def rewrite(path: Path) -> None:
    path.write_text("[a]2\n")


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def replace(path: Path) -> None:
    """By another one whose time is long ago."""
    other = path.with_name("other")
    other.write_text("[a]1\n")
    os.utime(other, (1.0, 1.0))
    other.rename(path)


def touch_into_the_past(path: Path) -> None:
    os.utime(path, (1.0, 1.0))


def write_with_an_old_time(path: Path) -> None:
    append(path)
    touch_into_the_past(path)


def come_again(path: Path) -> None:
    path.unlink()
    path.write_text("[a]1\n")


def come_again_with_the_directory(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()
    path.parent.mkdir()
    path.write_text("[a]1\n")


def write_through_memory(path: Path) -> None:
    """The kernel tells nobody of that; it is seen when the time has come to look."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[0:1] = b"#"
        memory.flush()


SIGNS_OF_LIFE = (
    append,
    rewrite,
    truncate,
    replace,
    os.utime,
    touch_into_the_past,
    write_with_an_old_time,
    come_again,
    come_again_with_the_directory,
)


@pytest.mark.parametrize("change", SIGNS_OF_LIFE, ids=lambda one: one.__name__)
def test_a_change_of_any_kind_is_a_sign_of_life(
    path: Path, watch: Watch, change: Callable[[Path], None]
) -> None:
    """At once, when nothing happened for a while; whatever the time of the file says; and again and again."""
    path.write_text("[a]1\n")
    for _ in range(3):
        assert watch.after(30.0) is STALLED
        change(path)
        assert watch.settle() is RUNNING
        assert watch.file.age(watch.clock.now()) == 0.0
    assert watch.after(TIMEOUT + 1) is None


def test_what_no_event_tells_of_is_seen_at_the_next_deadline(path: Path, watch: Watch) -> None:
    """Written through memory, or from another machine."""
    path.write_text("[a]1\n")
    assert watch.after(30.0) is STALLED
    write_through_memory(path)
    assert watch.settle() is STALLED
    assert watch.after(10.1) is RUNNING


def test_that_the_file_goes_is_no_sign_of_life(path: Path, watch: Watch) -> None:
    """With its directory or without; nor does it end the task any sooner."""
    path.write_text("[a]1\n")
    assert watch.after(30.0) is STALLED
    path.unlink()
    assert watch.settle() is STALLED
    path.parent.rmdir()
    assert watch.settle() is STALLED
    assert watch.file.read() == {}
    assert watch.after(9.9) is STALLED
    assert watch.after(0.2) is None


def test_a_file_from_the_future_is_kept_no_longer(path: Path, watch: Watch) -> None:
    """Its time is no reason to believe it, nor is what the clock on the wall says."""
    path.write_text("[a]1\n")
    os.utime(path, (4e9, 4e9))
    watch.settle()
    watch.clock.set_wall(1.0)
    assert watch.after(30.0) is STALLED
    watch.clock.set_wall(4e9)
    assert watch.after(11.0) is None


def test_a_directory_that_comes_later_is_followed(path: Path) -> None:
    """It is missing at the start."""
    watch = Watch(path)
    with watch.file:
        assert watch.after(30.0) is STALLED
        path.parent.mkdir()
        assert watch.settle() is STALLED
        watch.after(5.0)
        path.write_text("[a]1\n")
        assert watch.settle() is RUNNING
        assert watch.file.read() == {"a": "1"}


def test_a_file_from_earlier_neither_ends_nor_keeps_a_task(path: Path) -> None:
    """It is as if it were not there: the age counts from the start."""
    path.parent.mkdir()
    path.write_text("[a]1\n")
    os.utime(path, (1.0, 1.0))
    watch = Watch(path)
    with watch.file:
        assert watch.settle() is RUNNING
        assert watch.after(9.9) is RUNNING
        assert watch.after(30.0) is STALLED
        assert watch.after(0.2) is None


@pytest.mark.parametrize(("wants_content", "most"), [(True, 50), (False, 8)])
def test_a_flood_of_lines_makes_few_wakes(path: Path, wants_content: bool, most: int) -> None:
    """A hundred thousand lines in ten seconds: four wakes per second, fewer if nobody follows."""
    path.parent.mkdir()
    watch = Watch(path, wants_content=wants_content)
    with watch.file, path.open("a", buffering=1) as feedback:
        for number in range(100_000):
            feedback.write(f"[progress]{number % 101}\n")
            watch.clock.advance(0.0001)
            if number % 10 == 0:
                assert watch.settle() is RUNNING
        assert 3 <= watch.wakes <= most


def test_a_watcher_that_was_away_leaves_the_task_a_quarter(path: Path, watch: Watch) -> None:
    """It was stopped, and so was the task perhaps; what it wrote meanwhile counts, of course."""
    watch.clock.advance(1000.0)
    assert watch.settle() is STALLED
    assert watch.after(9.9) is STALLED
    path.write_text("[a]1\n")
    watch.clock.advance(1000.0)
    assert watch.settle() is RUNNING
    assert watch.after(TIMEOUT + 1) is None


def test_without_a_timeout_nothing_wakes_anybody(path: Path) -> None:
    """But who follows the content is told."""
    path.parent.mkdir()
    idle, following = Watch(path, math.inf), Watch(path, math.inf, wants_content=True)
    with idle.file, following.file:
        path.write_text("[a]1\n")
        assert idle.after(1e6) is following.after(1e6) is RUNNING
        assert (idle.wakes, following.wakes > 0) == (0, True)
        assert idle.file.read() == following.file.read() == {"a": "1"}


# -- what it says --------------------------------------------------------------------------------


def bytes_read() -> int:
    """So many this process has read from files since its start."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(lines[0].removeprefix("rchar: "))


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    """However long the file has become."""
    path = tmp_path / "feedback"
    path.write_bytes(b"[a]1\n" + b"# no\n" * 2_000_000)
    reader = FeedbackReader(path)
    assert reader.read() == {"a": "1"}
    append(path)
    before = bytes_read()
    assert reader.read() == {"a": "1", "b": "2"}
    assert bytes_read() - before < 3 * WINDOW


def test_a_half_line_is_completed(tmp_path: Path) -> None:
    """It counts as it stands, until it goes on."""
    path = tmp_path / "feedback"
    reader = FeedbackReader(path)
    with path.open("a") as feedback:
        feedback.write("[a]1")
        feedback.flush()
        assert reader.read() == {"a": "1"}
        feedback.write("2\n")
    assert reader.read() == {"a": "12"}


@pytest.mark.parametrize("text", ["", "[c]3\n", "[a]2\n[b]1\n", "[a]1\n[b]3\n[c]4\n", "[c]1\n[b]2\n[d]4\n"])
def test_a_file_written_anew_is_read_from_the_start(tmp_path: Path, text: str) -> None:
    """Shorter, of the same length or longer; in place or by another one."""
    path = tmp_path / "feedback"
    path.write_text("[a]1\n[b]2\n")
    in_place, replaced = FeedbackReader(path), FeedbackReader(path)
    assert in_place.read() == replaced.read() == {"a": "1", "b": "2"}
    path.write_text(text)
    assert in_place.read() == parse(text.encode())
    other = tmp_path / "other"
    other.write_text(text)
    other.rename(path)
    assert replaced.read() == parse(text.encode())


@pytest.mark.parametrize("place", [0, 3 * WINDOW - 8])
def test_a_long_file_is_known_by_both_its_ends(tmp_path: Path, place: int) -> None:
    """One that is changed at either is read from its start."""
    path = tmp_path / "feedback"
    path.write_bytes(b"[a]1\n" + b"#\n" * (3 * WINDOW // 2) + b"[b]2\n")
    reader = FeedbackReader(path)
    assert reader.read() == {"a": "1", "b": "2"}
    with path.open("r+b") as feedback:
        feedback.seek(place)
        feedback.write(b"\n[c]3\n")
    assert reader.read() == parse(path.read_bytes()) != {"a": "1", "b": "2"}


def test_what_is_no_file_says_nothing(tmp_path: Path) -> None:
    """A pipe is not even opened: its writer would take us for its reader."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with INotify(nonblocking=True) as opened:
        opened.add_watch(pipe, flags.OPEN)
        for path in (pipe, tmp_path, tmp_path / "missing", tmp_path / "missing" / "too"):
            assert FeedbackReader(path).read() == {}
        assert list(opened.read(timeout=0)) == []


LINES = st.sampled_from([b"[a]1\n", b"[a]2\n", b"[b]1\n", b"[a]\n", b"[]\n", b"[c]", b"7", b"\n", b"#\n"])
CHANGES = st.tuples(st.sampled_from(["append", "write", "replace", "truncate", "remove"]), st.lists(LINES))


@settings(deadline=None)
@given(changes=st.lists(st.tuples(CHANGES, st.booleans()), max_size=12))
def test_whatever_was_done_to_a_file_it_says_what_it_holds(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[tuple[str, list[bytes]], bool]]
) -> None:
    """Read now and then, it comes to the same as read at once."""
    directory = tmp_path_factory.mktemp("changes")
    path, other = directory / "feedback", directory / "other"
    reader = FeedbackReader(path)
    for (change, lines), is_read in changes:
        data = b"".join(lines)
        if change == "append":
            with path.open("ab") as feedback:
                feedback.write(data)
        elif change == "write":
            path.write_bytes(data)
        elif change == "replace":
            other.write_bytes(data)
            other.rename(path)
        elif change == "truncate" and path.exists():
            os.truncate(path, path.stat().st_size // 2)
        elif change == "remove":
            path.unlink(missing_ok=True)
        if is_read:
            expected = parse(path.read_bytes()) if path.exists() else {}
            assert list(reader.read().items()) == list(expected.items())
    assert reader.read() == parse_file(path)


def test_a_file_is_parsed_at_once(tmp_path: Path) -> None:
    """None is no pairs; one that cannot be read is an error."""
    path = tmp_path / "feedback"
    assert parse_file(path) == {}
    path.write_text("[a]1\n[b]2")
    assert parse_file(path) == {"a": "1", "b": "2"}
    with pytest.raises(WatchError, match="Is a directory; give a readable feedback file"):
        parse_file(tmp_path)


def test_a_file_from_earlier_is_set_aside(tmp_path: Path) -> None:
    """The one before it goes; where there is none there is nothing to do."""
    path, old = tmp_path / "feedback_1.log", tmp_path / "feedback_1.log.old"
    assert not set_aside(path)
    old.write_text("older")
    path.write_text("old")
    assert set_aside(path)
    assert not path.exists()
    assert old.read_text() == "old"
