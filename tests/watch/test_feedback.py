"""What a program says by the helper is what its feedback comes to."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import context_bus
from context_bus.watch import feedback
from context_bus.watch.feedbackfile import parse_file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new feedback file for this process."""
    made = tmp_path / "feedback_1.log"
    monkeypatch.setenv(feedback.VARIABLE, str(made))
    return made


def run(code: str, path: object) -> subprocess.CompletedProcess[str]:
    """Run a program of its own that is told where to give feedback."""
    code = "import resource\nfrom context_bus.watch import feedback\n" + code
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"CONTEXT_BUS_FEEDBACK": str(path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_every_call_says_what_it_means(path: Path) -> None:
    """Heartbeat, values, progress, clearing, and the report at the end."""
    feedback.heartbeat()
    assert path.read_text() == "[heartbeat]\n"
    feedback.set(step="copy", files=3)
    assert parse_file(path) == {"step": "copy", "files": "3"}
    feedback.progress(12)
    assert parse_file(path) == {"step": "copy", "files": "3", "progress": "12"}
    feedback.progress(1, 3, "one of three")
    assert parse_file(path) == {
        "step": "copy", "files": "3", "progress": "33.3", "done": "1", "total": "3", "info": "one of three",
    }  # fmt: skip
    feedback.clear("done", "total", "info")
    assert parse_file(path) == {"step": "copy", "files": "3", "progress": "33.3"}
    feedback.set(step=None, files="")
    assert parse_file(path) == {"progress": "33.3"}
    feedback.report({"result": "ok", "left-over": 0})
    assert parse_file(path) == {"result": "ok", "left-over": "0"}
    feedback.clear()
    assert parse_file(path) == {}


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [(0, 100, "0"), (100, 100, "100"), (2, 3, "66.7"), (7, 3, "100"), (-1, 3, "0"), (1, 1e9, "0")],
)
def test_progress_is_percent(path: Path, done: float, total: float, expected: str) -> None:
    """With one digit at most, and never out of bounds."""
    feedback.progress(done, total)
    assert parse_file(path)["progress"] == expected


@pytest.mark.parametrize(("done", "total"), [(1, 0), (1, -1), (float("nan"), 3), (1, float("nan"))])
def test_progress_of_nothing_is_an_error(path: Path, done: float, total: float) -> None:
    """The program is wrong, and told so; nothing is written."""
    with pytest.raises(ValueError, match="the total must be above 0"):
        feedback.progress(done, total)
    assert not path.exists()


@pytest.mark.parametrize("keyword", ["", "1a", "a b", "a.b", "é", "a]", "a\n", "[", "²"])
def test_a_keyword_that_is_none_is_an_error(path: Path, keyword: str) -> None:
    """Without a trace in the file."""
    for call in (lambda: feedback.set(**{keyword: 1}), lambda: feedback.report({keyword: 1})):
        with pytest.raises(ValueError, match="is no keyword of feedback"):
            call()
    with pytest.raises(ValueError, match="is no keyword of feedback"):
        feedback.clear("a", keyword)
    assert not path.exists()


KEYWORDS = st.from_regex(r"\A[A-Za-z_-][A-Za-z0-9_-]{0,8}\Z")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.dictionaries(KEYWORDS, st.text(max_size=20)))
def test_any_text_stays_on_its_line(path: Path, pairs: dict[str, str]) -> None:
    """A value is itself with blanks for ends of lines, without white space behind; it makes no other pair."""
    feedback.report(pairs)
    expected = {}
    for keyword, text in pairs.items():
        value = text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ").rstrip()
        if value:
            expected[keyword] = value
    assert list(parse_file(path).items()) == list(expected.items())


def test_what_utf8_cannot_say_is_replaced(path: Path) -> None:
    """As half of a sign outside the first plane, which Python has for undecodable names of files."""
    feedback.set(name="a\udcffb")
    assert parse_file(path) == {"name": "a?b"}


def test_a_loop_may_beat_as_often_as_it_likes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file does not grow by more than a line in a twentieth of a second."""
    times = itertools.count(1000.0, feedback.BEAT_PAUSE / 10)
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    for _ in range(100):
        feedback.heartbeat()
    assert path.read_text().count("[heartbeat]\n") in (9, 10, 11)


def test_threads_do_not_tear_lines_of_each_other(path: Path) -> None:
    """Each call is one write."""
    barrier = threading.Barrier(4)

    def tell(name: str) -> None:
        barrier.wait(10)
        for number in range(200):
            feedback.set(**{name: number, f"{name}_too": number})

    threads = [threading.Thread(target=tell, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_text().splitlines()
    assert len(lines) == 1600
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        assert second == first.replace("]", "_too]")


def test_without_a_watcher_nothing_happens(tmp_path: Path) -> None:
    """But a wrong keyword is wrong all the same, so that it is found before."""
    done = run("feedback.heartbeat(); feedback.progress(1); feedback.report({}); feedback.clear('1')", "")
    assert done.stderr.splitlines()[-1].startswith("ValueError: '1' is no keyword of feedback")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/dev/full", "No space left on device"), ("/nowhere/f", "No such file or directory")],
)
def test_what_happens_to_the_file_breaks_nothing_and_is_told_once(path: str, reason: str) -> None:
    """A full disk, a directory that is gone."""
    done = run("for n in range(3): feedback.set(n=n); feedback.heartbeat()\nprint('done')", path)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr == f"feedback is lost, the program goes on; cannot write {path}: {reason}\n"


@pytest.mark.parametrize("how", ["sys.stderr.close()", "sys.stderr = None"])
def test_a_loss_that_cannot_be_told_breaks_nothing_either(how: str) -> None:
    """Standard error is closed, or there is none."""
    done = run(f"import sys; {how}; feedback.set(n=1); print('done')", "/dev/full")
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_half_a_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    """The disk was full in the middle of it, and has room again."""
    path = tmp_path / "feedback"
    done = run(
        """
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
limit(16)
feedback.set(first=1)
feedback.set(second=12345)
feedback.set(third=3)
limit(resource.RLIM_INFINITY)
feedback.set(fourth=4)
feedback.set(fifth=5)
""",
        path,
    )
    assert done.returncode == 0, done.stderr
    assert path.read_text() == "[first]1\n[second\n[fourth]4\n[fifth]5\n"
    assert "No space left" in done.stderr


def test_its_import_costs_next_to_nothing() -> None:
    """Of this package nothing but itself, and nothing that is slow to import."""
    code = "import sys; from context_bus.watch import feedback; print(*sys.modules)"
    command = [sys.executable, "-S", "-c", code]
    home = Path(context_bus.__file__).parents[1]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(home)}, capture_output=True, text=True, timeout=30, check=True
    )
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("context_bus")} == {
        "context_bus", "context_bus.watch", "context_bus.watch.feedback",
    }  # fmt: skip
    assert not loaded & {"json", "dataclasses", "pathlib", "logging", "subprocess", "threading"}
