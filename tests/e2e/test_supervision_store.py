"""Where a provider keeps its state: PostgreSQL beside SQLite, and every place that cannot be used."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from context_bus.store.remembered import EVENTS_OF_RUN
from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.others import as_nobody, open_directory
from tests.e2e.project import Project
from tests.e2e.refusals import SERVICE_CONTEXT, refused
from tests.e2e.shells import Supervised, write
from tests.store import cluster

SERVICES = """
  <TaskService id="a" serviceType="Command"><command>sleep 300</command></TaskService>
  <TaskService id="b" serviceType="Command"><command>sleep 300</command></TaskService>
"""


@pytest.fixture(scope="module")
def server() -> Iterator[cluster.Cluster]:
    """A PostgreSQL server."""
    with cluster.cluster_or_skip() as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def options(request: pytest.FixtureRequest) -> list[str]:
    """How a user chooses a database; not at all for SQLite."""
    if request.param == "sqlite":
        return []
    chosen: cluster.Cluster = request.getfixturevalue("server")
    return [f"--store={chosen.url}"]


@pytest.fixture
def provider(project: Project) -> Iterator[Supervised]:
    """A provider of two programs, not started yet."""
    made = Supervised(write(project, SERVICES), secrets.token_hex(8))
    yield made
    made.clean_up()


def state_of(provider: Supervised) -> Path:
    """The directory of its state."""
    return provider.shell.file.parent / ".context_bus" / provider.shell.file.name


def await_store(provider: Supervised) -> None:
    """Wait until its store is written: a provider has other things to do first."""

    def has_tables() -> bool:
        with closing(sqlite3.connect(state_of(provider) / "store.sqlite")) as connection:
            return bool(connection.execute("SELECT name FROM sqlite_master WHERE name = 'meta'").fetchall())

    wait_until(has_tables, 20, "tables in the store")


def add_to_version(provider: Supervised, number: int) -> None:
    """Let its store look as if a later version had written it, or take that back."""
    with closing(sqlite3.connect(state_of(provider) / "store.sqlite")) as connection:
        connection.execute("UPDATE meta SET version = version + ?", (number,))
        connection.commit()


def test_postgresql_brings_back_what_was_wanted(provider: Supervised, server: cluster.Cluster) -> None:
    """After kill -9 what ran runs again, what was stopped does not; with ``--fresh`` nothing does."""
    store = f"--store={server.url}"
    provider.start("--start=T1", store)
    before = provider.shell.until("a", "started")
    assert provider.shell("stop", "b").returncode == 0
    provider.kill()
    provider.start(store)
    again = provider.shell.until("a", "started")
    assert again["starts"] == 1
    assert again["pid"] != before["pid"]
    assert provider.shell.services()["b"]["phase"] != "started"
    assert not (state_of(provider) / "store.sqlite").exists()
    provider.kill()
    provider.start(store, "--fresh")
    wait_until(lambda: provider.shell("ps").returncode == 0, 20, "a provider")
    assert provider.shell.services() == {}


def test_next_provider_tells_what_the_one_before_did(provider: Supervised, options: list[str]) -> None:
    """Every event of the killed one, none twice, then those of the next one; from the middle as well."""
    provider.start("--start=T1", *options)
    provider.shell.until("a", "started")
    assert provider.shell("restart", "b").returncode == 0
    before = told(provider)
    provider.kill()
    provider.start(*options)
    provider.shell.until("a", "started")
    after = told(provider)
    assert after[: len(before)] == before
    assert int(str(after[len(before)]["sequence"])) == 2 * EVENTS_OF_RUN + 1
    middle = len(before) // 2
    assert told(provider, int(str(before[middle]["sequence"])))[:middle] == after[middle + 1 : 2 * middle + 1]


def told(provider: Supervised, after: int = 1) -> list[dict[str, object]]:
    """All events after a number."""
    ended = provider.shell("events", "--json", "--after", str(after))
    assert (ended.returncode, ended.stderr) == (0, "")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_postgresql_lets_one_provider_in(
    provider: Supervised, project: Project, server: cluster.Cluster
) -> None:
    """Also where the lock of the directory is of no use, since somebody moved the directory away."""
    provider.start("--start=T1", f"--store={server.url}")
    first = provider.shell.until("a", "started")
    state_of(provider).rename(project.directory / "moved")
    # With ports of its own, so that they are not what is refused.
    provider.shell.file.write_text(other_ports(provider, project))
    (line,) = refused(SERVICE_CONTEXT, provider.shell.file, f"--store={server.url}", code=9)
    assert "another process already provides this context; stop it first" in line
    assert procs.state(int(str(first["pid"]))) in {"R", "S"}


def test_postgresql_that_goes_away_costs_no_service(provider: Supervised) -> None:
    """While it is away services run and are commanded; when it is back all that was done is in it."""
    if cluster.binaries() is None:
        pytest.skip("no PostgreSQL server is installed")
    with cluster.cluster() as server:
        provider.start("--start=T1", f"--store={server.url}")
        a = provider.shell.until("a", "started")
        server.stop()
        assert provider.shell("stop", "b").returncode == 0
        assert provider.shell("scale", "a=2").returncode == 0
        assert provider.shell.services()["a"]["pid"] == a["pid"]
        server.start()
        wait_until(
            lambda: "store_recovered" in provider.shell("events", "--json", "-n", "50").stdout,
            30,
            lambda: provider.shell("events").stdout,
        )
        provider.kill()
        provider.start(f"--store={server.url}")
        for each in ("a", "a#2"):
            assert provider.shell.until(each, "started")["starts"] == 1
        assert provider.shell.services()["b"]["pid"] is None
        provider.end()


def test_newer_store_is_refused_and_not_touched(provider: Supervised, server: cluster.Cluster) -> None:
    """One line that says what to do, in either database; and ``--fresh`` elsewhere works, as it says."""
    provider.start("--start=T1")
    provider.shell.until("a", "started")
    await_store(provider)
    provider.kill()
    add_to_version(provider, 5)
    before = (state_of(provider) / "store.sqlite").read_bytes()
    (line,) = refused(SERVICE_CONTEXT, provider.shell.file, code=9)
    assert "store.sqlite was written by a newer context_bus (schema" in line
    assert "upgrade, or start with --fresh in another --state" in line
    assert (state_of(provider) / "store.sqlite").read_bytes() == before
    elsewhere = f"--state={state_of(provider).parent / 'elsewhere'}"
    provider.start("--fresh", elsewhere, f"--store={server.url}", "--start=T2")
    wait_until(lambda: provider.shell("ps", elsewhere).returncode == 0, 20, "a provider")
    provider.kill()
    with psycopg.connect(server.url, autocommit=True) as connection:
        schemas = connection.execute(
            "SELECT table_schema FROM information_schema.tables WHERE table_name = 'meta'"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(f'UPDATE "{schema}".meta SET version = version + 5')
    (line,) = refused(SERVICE_CONTEXT, provider.shell.file, elsewhere, f"--store={server.url}", code=9)
    assert "was written by a newer context_bus (schema" in line


def other_ports(provider: Supervised, project: Project) -> str:
    """Its context file, with ports that nobody uses."""
    text, other = provider.shell.file.read_text(), Project(project.directory)
    for old, new in ((project.sub_port, other.sub_port), (project.pub_port, other.pub_port)):
        text = text.replace(str(old), str(new))
    return text


def test_services_that_were_kept_survive_providers_that_are_refused(
    provider: Supervised, project: Project
) -> None:
    """Who may not provide has not touched what goes on running; who may adopts it then."""
    provider.start("--start=T1", "--keep_services")
    pids = [int(str(provider.shell.until(each, "started")["pid"])) for each in ("a", "b")]
    await_store(provider)
    provider.kill()
    file, before = provider.shell.file, set(procs.marked(provider.mark))
    text, moved = file.read_text(), other_ports(provider, project)

    def refusal(code: int, *options: str, content: str = text) -> str:
        file.write_text(content)
        (line,) = refused(SERVICE_CONTEXT, file, "--keep_services", *options, code=code)
        assert set(procs.marked(provider.mark)) == before
        return line

    assert "cannot be used" in refusal(9, "--store=postgresql://nobody@127.0.0.1:1/nowhere")
    assert "--insecure" in refusal(
        3, content=text.replace("<FrontBind>tcp://127.0.0.1", "<FrontBind>tcp://*")
    )
    add_to_version(provider, 5)
    assert "newer" in refusal(9)
    add_to_version(provider, -5)
    line = refusal(3, content=moved)
    assert f"its services run on, on {project.publish_to} (to publish)" in line
    assert "name these endpoints again to go on with them, or start with --fresh to end them" in line
    file.write_text(text)
    provider.start("--keep_services")
    for each, pid in zip(("a", "b"), pids, strict=True):
        assert provider.shell.until(each, "started")["pid"] == pid
    provider.kill()
    file.write_text(moved)
    provider.start("--fresh", "--keep_services", "--start=T2")
    provider.shell.until("b", "started")
    assert [procs.state(pid) for pid in pids] == ["", ""]
    # What a reboot leaves is the socket of a guardian that is no more: nothing runs on that could be hurt.
    provider.kill()
    for pid in procs.marked(provider.mark):
        os.kill(pid, signal.SIGKILL)
    assert not procs.wait_none_marked(provider.mark, 5)
    file.write_text(text)
    provider.start("--keep_services")
    assert provider.shell.until("b", "started")["transaction"] == "T2"


@pytest.mark.parametrize("how", ["a file", "read-only"])
def test_state_that_cannot_be_kept_is_one_line(provider: Supervised, tmp_path: Path, how: str) -> None:
    """It names the file, the directory, and the option with which to choose another."""
    (tmp_path / "file").touch()
    # Not even root may write to the second.
    state = str(tmp_path / "file" / "state") if how == "a file" else "/proc/state"
    (line,) = refused(SERVICE_CONTEXT, provider.shell.file, f"--state={state}", "--start", code=9)
    assert line.startswith(f"{provider.shell.file}: its state cannot be kept in {state}/")
    assert "keep it elsewhere with --state DIR" in line


def test_state_of_somebody_else_is_one_line() -> None:
    """A provider that is not root finds a directory in which it may not write."""
    with open_directory() as directory:
        (directory / "aside").mkdir()
        file = write(Project(directory), SERVICES)
        (directory / ".context_bus" / file.name).mkdir(parents=True)
        command = (*as_nobody(directory / "aside"), *SERVICE_CONTEXT)
        (line,) = refused(command, file, "--start", code=9)
        assert line.startswith(
            f"{file}: its state cannot be kept in {directory}/.context_bus/{file.name}: not"
        )
        assert "keep it elsewhere with --state DIR" in line


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://root@localhost/db", "is no store; use postgresql://USER@HOST/DATABASE"),
        (
            "postgresql://nobody:secret@127.0.0.1:1/nowhere",
            "mend the server or its URL, or start with --fresh and another --store",
        ),
        ("", "not a database; mend it, or start with --fresh in another --state"),
    ],
)
def test_store_that_cannot_be_used_is_one_line(provider: Supervised, url: str, words: str) -> None:
    """Without the password, and with a remedy."""
    state_of(provider).mkdir(parents=True)
    (state_of(provider) / "store.sqlite").write_bytes(b"rubbish" * 1000)
    (line,) = refused(SERVICE_CONTEXT, provider.shell.file, f"--store={url}", "--start", code=9)
    assert words in line
    assert "secret" not in line
