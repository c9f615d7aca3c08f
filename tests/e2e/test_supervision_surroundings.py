"""The surroundings of Python services, which are forked and not executed: as the file says, each its own."""

from __future__ import annotations

import grp
import os
import pwd
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import procs
from tests.e2e.others import NOBODY, open_directory, opening
from tests.e2e.project import Project, Service
from tests.e2e.shells import Supervised

_LOOKER = '''
"""A service that looks around."""

import os
import subprocess
from pathlib import Path

from context_bus import Task, TaskService


class Looking(Task):
    """Writes what it sees into a file below its working directory; has a child."""

    name: str

    def run(self) -> None:
        child = subprocess.Popen(["sleep", "300"])
        words = [os.getcwd(), os.environ.get("TOWN", ""), os.environ.get("HOME", ""), str(child.pid)]
        new = Path(f"new-{self.name}")
        new.write_text("\\n".join(words))
        new.rename(self.name)
        print(f"{self.name} is written", flush=True)
        while not self.wait(3600.0):
            pass


class ServiceLooker(TaskService):
    """The service around it."""

    task_class = Looking
'''

#: The one that a service is bound to; another is bound to none.
CPU = min(os.sched_getaffinity(0))
DRESSED = (
    f'<process cwd="../there" umask="0137" nice="3" cpus="{CPU}"><env name="TOWN" value="Ulm"/>'
    '<limit name="nofile" soft="100" hard="200"/></process>'
)
PLAIN = '<process cwd="../there"/>'
ALIVE = '<restart policy="always"/><readiness type="log" target="is written"/>'


def looker(project: Project, service_id: str, process: str) -> str:
    """The element of one service in surroundings."""
    service = Service(service_id, "Looker", configuration={"name": f"seen-{service_id}"})
    kept = f"<supervision>{ALIVE}{process}</supervision></TaskService>"
    return service.element(project.services).replace("</TaskService>", kept)


def write(project: Project, *services: str) -> Path:
    """A context file of these elements."""
    file = project.write_context()
    file.write_text(file.read_text().replace("</Context>", "".join(services) + "</Context>"))
    return file


@pytest.fixture
def open_project() -> Iterator[Project]:
    """A project that every user may read, with a directory in which everybody may write."""
    with open_directory() as directory:
        project = Project(directory)
        for name in ("there", "aside"):
            (directory / name).mkdir()
        (directory / "there").chmod(0o777)
        project.write_service("Looker", _LOOKER)
        yield project


def status(pid: int) -> dict[str, list[str]]:
    """What the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: words.split() for name, _, words in (line.partition(":") for line in lines)}


def check_dressed(pid: int, there: Path) -> None:
    """See that a process has all that DRESSED says, in its own eyes and in those of the kernel."""
    cwd, town, _, child = (there / "seen-dressed").read_text().splitlines()
    assert (Path(cwd), town) == (there, "Ulm")
    assert (there / "seen-dressed").stat().st_mode & 0o777 == 0o640
    for each in (pid, int(child)):
        assert (Path(f"/proc/{each}/cwd")).readlink() == there
        assert status(each)["Umask"] == ["0137"]
        assert os.getpriority(os.PRIO_PROCESS, each) == os.getpriority(os.PRIO_PROCESS, 0) + 3
        assert os.sched_getaffinity(each) == {CPU}
        limits = Path(f"/proc/{each}/limits").read_text().splitlines()
        row = next(row for row in limits if row.startswith("Max open files"))
        assert row.split()[3:5] == ["100", "200"]


def test_surroundings_are_those_of_a_python_service(open_project: Project) -> None:
    """Its own alone; the same for the next process of it, and for that of the next provider."""
    there = open_project.directory / "there"
    file = write(open_project, looker(open_project, "dressed", DRESSED), looker(open_project, "plain", PLAIN))
    provider = Supervised(file, secrets.token_hex(8))
    try:
        process = provider.start("--start=T1")
        plain = provider.shell.until("plain", "started")["pid"]
        first = provider.shell.until("dressed", "started")["pid"]
        assert isinstance(first, int)
        assert isinstance(plain, int)
        check_dressed(first, there)
        for name in ("Umask", "Cpus_allowed_list"):
            assert status(plain)[name] == status(process.pid)[name]
        assert os.getpriority(os.PRIO_PROCESS, plain) == os.getpriority(os.PRIO_PROCESS, process.pid)
        assert Path(f"/proc/{plain}/limits").read_text() == Path(f"/proc/{process.pid}/limits").read_text()
        (there / "seen-dressed").unlink()
        os.kill(first, signal.SIGKILL)
        provider.shell.started_again("dressed", 2)
        second = provider.shell.until("dressed", "started")["pid"]
        assert isinstance(second, int)
        check_dressed(second, there)
        (there / "seen-dressed").unlink()
        provider.kill()
        provider.start()
        third = provider.shell.until("dressed", "started")["pid"]
        assert isinstance(third, int)
        check_dressed(third, there)
    finally:
        provider.clean_up()


def test_python_services_run_as_the_user_and_group_that_are_named(open_project: Project) -> None:
    """User, group and home are theirs; they are stopped, and what they write is kept, all the same."""
    wrapper = opening(open_project.directory / "aside")
    account, other = pwd.getpwnam(NOBODY), grp.getgrnam("daemon")
    file = write(
        open_project,
        looker(open_project, "user", f'<process cwd="../there" user="{NOBODY}"/>'),
        looker(open_project, "both", f'<process cwd="../there" user="{NOBODY}" group="daemon"/>'),
        looker(open_project, "group", '<process cwd="../there" group="daemon"/>'),
    )
    provider = Supervised(file, secrets.token_hex(8), wrapper)
    wanted = {
        "user": (account.pw_uid, account.pw_gid, account.pw_dir),
        "both": (account.pw_uid, other.gr_gid, account.pw_dir),
        "group": (0, other.gr_gid, None),
    }
    try:
        provider.start("--start=T1")
        children = []
        for each, (uid, gid, home) in wanted.items():
            pid = provider.shell.until(each, "started")["pid"]
            assert isinstance(pid, int)
            seen = open_project.directory / "there" / f"seen-{each}"
            assert (seen.stat().st_uid, seen.stat().st_gid) == (uid, gid)
            _, _, said, child = seen.read_text().splitlines()
            assert home in {None, said}
            for one in (pid, int(child)):
                assert status(one)["Uid"] == [str(uid)] * 4
                assert status(one)["Gid"] == [str(gid)] * 4
            assert f"seen-{each} is written" in provider.shell("logs", each).stdout
            children.append(int(child))
        first = provider.shell.services()["user"]["pid"]
        assert isinstance(first, int)
        os.kill(first, signal.SIGKILL)
        provider.shell.started_again("user", 2)
        again = provider.shell.until("user", "started")["pid"]
        assert isinstance(again, int)
        assert status(again)["Uid"] == [str(account.pw_uid)] * 4
        for each in wanted:
            assert provider.shell("stop", each).returncode == 0
        assert not procs.wait_gone(children, 0.0)
    finally:
        provider.clean_up()
