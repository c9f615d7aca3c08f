"""One SQLite file: transactions that are all or nothing, and one clear line for whatever is in the way."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from context_bus.errors import ForeignDatabase, InternalError, StoreUnavailable
from context_bus.store import embedded
from context_bus.store.embedded import Embedded

#: Who may do nothing but what everybody may.
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one table."""
    path = tmp_path / "a.db"
    return fill(path)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that anybody can come to; that of pytest is for its owner."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield fill(Path(name) / "a.db")


def fill(path: Path) -> Path:
    """Make a file with a row, and without a log."""
    embedded.make(path)
    with Embedded(path) as file:
        file.keeps_log = 0.0
        add(file, "made")
    return path


def add(file: Embedded, word: str) -> None:
    """Write a row."""
    with file.writing() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t(word)")
        connection.execute("INSERT INTO t VALUES (?)", (word,))


def add_and_fail(file: Embedded) -> None:
    """Write a row, and have something else go wrong."""
    add(file, "lost")
    raise ZeroDivisionError


def words(file: Embedded) -> list[str]:
    """Read all rows."""
    with file.reading() as connection:
        return [word for (word,) in connection.execute("SELECT word FROM t ORDER BY rowid")]


def elsewhere(act: Callable[[], object], before: Callable[[], None]) -> str:
    """Do something in a process of its own that is made weak before; returns what came of it, as text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            before()
            said = str(act())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read().decode()
    os.waitpid(pid, 0)
    return said


def become_nobody() -> None:
    """Lose all rights, if there are any to lose."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else writes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def test_a_transaction_is_kept_as_a_whole(path: Path) -> None:
    with Embedded(path) as file, Embedded(path) as another:
        add(file, "two")
        assert words(file) == words(another) == ["made", "two"]


def test_a_transaction_that_fails_changes_nothing(path: Path) -> None:
    with Embedded(path) as file:
        with pytest.raises(ZeroDivisionError), file.writing():
            add_and_fail(file)
        add(file, "two")
        assert words(file) == ["made", "two"]


def test_readers_see_one_moment_and_hinder_nobody(path: Path) -> None:
    with Embedded(path) as file, Embedded(path) as another:
        with file.reading():
            assert words(file) == ["made"]
            add(another, "two")
            assert words(file) == ["made"]
        assert words(file) == ["made", "two"]


def test_transactions_within_one_another_are_one(path: Path) -> None:
    with Embedded(path) as file:
        with file.writing():
            add(file, "two")
            assert words(file) == ["made", "two"]
        with pytest.raises(ZeroDivisionError), file.writing():
            add_and_fail(file)
        assert words(file) == ["made", "two"]
        with file.reading(), pytest.raises(InternalError), file.writing():
            pass


def test_what_is_closed_opens_again(path: Path) -> None:
    with Embedded(path) as file:
        assert words(file) == ["made"]
        file.close()
        file.close()
        assert words(file) == ["made"]


def test_a_log_stays_for_a_minute(path: Path) -> None:
    """Who leaves need not wait for the disk; whoever comes next sees what was written all the same."""
    age(path, 3.0)
    with Embedded(path) as file:
        add(file, "two")
    assert len(os.listdir(path.parent)) == 3
    with Embedded(path) as file:
        assert words(file) == ["made", "two"]
    assert len(os.listdir(path.parent)) == 3
    assert b"two" not in path.read_bytes()


def test_an_old_log_goes_with_the_last_who_leaves(path: Path) -> None:
    with Embedded(path) as file, Embedded(path) as another:
        add(file, "two")
        assert words(another) == ["made", "two"]
        age(path, 61.0)
        file.close()
        assert len(os.listdir(path.parent)) == 3
    assert os.listdir(path.parent) == [path.name]
    assert b"two" in path.read_bytes()


def age(path: Path, seconds: float) -> None:
    """Have the file written so long ago."""
    at = time.time() - seconds
    os.utime(path, (at, at))


@pytest.mark.parametrize("name", ["none.db", "none/none.db", "a.db/none.db"])
def test_a_missing_file_is_refused_and_not_made(path: Path, name: str) -> None:
    missing = path.parent / name
    with pytest.raises(StoreUnavailable, match=f"^db file {missing} "):
        Embedded(missing)
    assert not missing.exists()


def test_a_file_that_goes_is_not_made_anew(path: Path) -> None:
    with Embedded(path) as file:
        path.unlink()
        with pytest.raises(StoreUnavailable, match=r"does not exist; initialize it first$"):
            words(file)
    assert not path.exists()


def test_a_file_that_was_put_in_its_place_is_used_instead(path: Path) -> None:
    """A row in a file that has no name any more is found by nobody."""
    with Embedded(path) as file, Embedded(path) as another:
        assert words(file) == words(another) == ["made"]
        path.rename(path.with_name("old.db"))
        embedded.make(path)
        add(file, "new")
        assert words(another) == ["new"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/null")):
        with pytest.raises(StoreUnavailable, match="is not a regular file"):
            Embedded(path)


def test_a_writer_that_takes_too_long_is_named_so(path: Path) -> None:
    with Embedded(path, patience=0.05) as file:
        with locked(path):
            with pytest.raises(StoreUnavailable, match=r"locked by another process for 0\.05 s; .*fuser"):
                add(file, "two")
            assert words(file) == ["made"]
        add(file, "two")
        assert words(file) == ["made", "two"]


def test_a_file_without_a_log_that_is_in_use_stays_so_for_now(tmp_path: Path) -> None:
    """The change must have the file for itself, and is not worth waiting for."""
    path = make_plain(tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as reader, closing(sqlite3.connect(path)) as writer:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM other").fetchall()
        embedded.use_log(writer)
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert writer.execute("PRAGMA busy_timeout").fetchone() == (5000,)
    with Embedded(path) as file:
        add(file, "two")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def make_plain(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other(x)")
    return path


@pytest.mark.parametrize("content", [b"x", b"text\n" * 300, b"\0" * 4096])
def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    for attempt in (words, lambda file: add(file, "two")):
        with pytest.raises(ForeignDatabase, match="is not an SQLite database"):
            attempt(Embedded(path))
    assert path.read_bytes() == content


def test_a_damaged_file_is_named_so(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x2a" * (len(content) - 4096)
    path.write_bytes(content)
    with Embedded(path) as file, pytest.raises(StoreUnavailable, match=r"is damaged; .* \.recover"):
        words(file)


def test_a_full_disk_loses_nothing(path: Path) -> None:
    """The process may write no file beyond some size, which is what the disk says when it is full."""

    def fill() -> str:
        with Embedded(path) as file:
            for number in range(1000):
                try:
                    add(file, "x" * 1000)
                except StoreUnavailable as error:
                    kept = words(file).count("x" * 1000)
                    return f"{kept == number} {error}"
        return "it never filled"

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = elsewhere(fill, limit)
    assert said.startswith(f"True {path} cannot be ")
    assert "nothing was changed" in said
    assert "\n" not in said
    with Embedded(path) as file:
        kept = words(file)
        add(file, "more")
        assert words(file) == [*kept, "more"]
    assert kept[0] == "made"
    assert len(kept) > 1


def test_pages_that_may_not_be_are_a_full_disk(path: Path) -> None:
    """The other way in which SQLite says it."""
    with Embedded(path) as file:
        with pytest.raises(StoreUnavailable, match=r"no space is left; nothing was changed, make room"):
            fill_pages(file)
        assert words(file) == ["made"]


def fill_pages(file: Embedded) -> None:
    with file.writing() as connection:
        connection.execute("PRAGMA max_page_count = 3")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)


@pytest.mark.parametrize(("file_mode", "directory_mode"), [(0o444, 0o555), (0o444, 0o777), (0o666, 0o555)])
def test_what_may_not_be_written_can_be_read(public: Path, file_mode: int, directory_mode: int) -> None:
    """And nothing is put beside it that would hinder its owner later."""
    public.chmod(file_mode)
    public.parent.chmod(directory_mode)

    def look() -> str:
        with Embedded(public) as file:
            return " ".join(words(file) + words(file))

    def write() -> None:
        with Embedded(public) as file:
            add(file, "two")

    assert elsewhere(look, become_nobody) == "made made"
    said = elsewhere(write, become_nobody)
    assert said.startswith(f"StoreUnavailable: {public} cannot be ")
    assert said.endswith("see who may write the file and its directory") or "who may read and write" in said
    public.parent.chmod(0o755)
    assert os.listdir(public.parent) == [public.name]


def test_what_may_not_be_written_can_be_read_with_its_log(public: Path) -> None:
    """While its owner writes, and when he has left."""

    def look() -> str:
        with Embedded(public) as file:
            return " ".join(words(file))

    public.chmod(0o644)
    with Embedded(public) as owner:
        add(owner, "two")
        assert elsewhere(look, become_nobody) == "made two"
    assert len(os.listdir(public.parent)) == 3
    assert elsewhere(look, become_nobody) == "made two"
    assert elsewhere(look, become_nobody) == "made two"


def test_what_may_not_be_read_is_named_so(public: Path) -> None:
    public.chmod(0o000)
    said = elsewhere(lambda: words(Embedded(public)), become_nobody)
    assert said == (
        f"StoreUnavailable: {public} cannot be opened; "
        "see who may read and write the file and its directory"
    )


def test_a_bug_of_ours_is_not_dressed_as_trouble(path: Path) -> None:
    with Embedded(path) as file, pytest.raises(sqlite3.OperationalError), file.reading() as connection:
        connection.execute("SELECT nothing FROM nowhere")
