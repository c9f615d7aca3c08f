"""A PostgreSQL server of one's own: a fresh cluster in a temporary directory, reached by its socket only."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from context_bus.testing.wait import wait_until

#: Where Debian and its children keep the programs of the server; elsewhere they may be on the path.
BINARIES = "/usr/lib/postgresql/*/bin"
#: Seconds for the server to come up or go down on a busy machine.
PATIENCE = 45.0


def binaries() -> Path | None:
    """The directory with the server's programs; None if there is none."""
    for directory in sorted(glob.glob(BINARIES), reverse=True):
        if Path(directory, "initdb").exists():
            return Path(directory)
    found = shutil.which("initdb")
    return Path(found).parent if found else None


class Cluster:
    """One running server."""

    def __init__(self, directory: Path, programs: Path) -> None:
        self.directory, self._programs = directory, programs
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged()
        self.url = f"postgresql://tester@/postgres?host={directory}"

    def prepare(self) -> None:
        """Make the cluster."""
        options = ["--auth=trust", "--username=tester", "--no-locale", "--encoding=UTF8", "--no-sync"]
        self._run(["initdb", "-D", str(self.directory / "data"), *options]).wait(PATIENCE)

    def start(self) -> None:
        """Start the server; returns when it takes connections."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "fsync": "off",
            "shared_buffers": "8MB",
            "max_connections": "20",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = self._run(["postgres", "-D", str(self.directory / "data"), *options])
        wait_until(self._is_ready, PATIENCE, f"no server in {self.directory}")

    def stop(self) -> None:
        """End the server at once, whoever is connected."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)

    def _is_ready(self) -> bool:
        return self._run(["pg_isready", "-q", "-h", str(self.directory), "-U", "tester"]).wait() == 0

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        program = str(self._programs / command[0])
        with (self.directory / "output").open("ab") as output:
            return subprocess.Popen(
                [program, *command[1:]],
                user=self._user,
                group=None if self._user is None else pwd.getpwuid(self._user).pw_gid,
                extra_groups=None if self._user is None else [],
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )


def _unprivileged() -> int | None:
    """Whom to run the server as, since it refuses to run as root; None as who we are."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


@contextmanager
def cluster_or_skip() -> Iterator[Cluster]:
    """The same for tests, which are skipped where no server is installed."""
    if binaries() is None:
        pytest.skip(f"no PostgreSQL server is installed: nothing in {BINARIES} or on the PATH")
    with cluster() as running:
        yield running


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server until the end of the block."""
    programs = binaries()
    assert programs is not None
    directory = Path(tempfile.mkdtemp(prefix="cb-pg-", dir="/tmp"))
    server = Cluster(directory, programs)
    try:
        if server._user is not None:
            os.chown(directory, server._user, -1)
        server.prepare()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
