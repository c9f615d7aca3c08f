from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from context_bus.kernel.surroundings import Surroundings
from context_bus.process.program import faults

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def _file(path: Path, text: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def _only(found: list[str]) -> str:
    (fault,) = found
    assert "\n" not in fault
    return fault


def test_sound_program_has_no_faults(tmp_path: Path) -> None:
    """A program of the PATH, one with a path, one in its directory and none at all can be started."""
    script = _file(tmp_path / "run")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    sound = Surroundings(
        cwd=str(tmp_path), cpus=(min(os.sched_getaffinity(0)),), limits={"nofile": (min(64, soft), hard)}
    )
    for argv in (["sleep", "1"], ["/bin/sh"], [str(script)], ["./run"], []):
        assert faults(argv, sound) == []


def test_program_is_looked_for_in_the_path_it_will_have(tmp_path: Path) -> None:
    """What is in our PATH may not be in its own, and the other way round."""
    _file(tmp_path / "only_here")
    there = Surroundings(env={"PATH": str(tmp_path)})
    assert faults(["only_here"], there) == []
    assert "only_here is not in its PATH" in _only(faults(["only_here"], Surroundings()))
    assert "sleep is not in its PATH" in _only(faults(["sleep"], there))


def test_program_that_cannot_be_executed_is_told_why(tmp_path: Path) -> None:
    """Missing, a directory, not executable: each has its own line."""
    plain = _file(tmp_path / "plain", mode=0o644)
    nothing = Surroundings()
    assert "is not there" in _only(faults([str(tmp_path / "nothing")], nothing))
    assert "is a directory" in _only(faults([str(tmp_path)], nothing))
    assert "may not be executed" in _only(faults([str(plain)], nothing))


def test_script_whose_interpreter_is_missing_is_told(tmp_path: Path) -> None:
    """Otherwise the kernel says that the script does not exist, which anybody can see it does."""
    direct = _file(tmp_path / "direct", "#!/usr/bin/no-such-shell -e\n")
    by_env = _file(tmp_path / "by_env", "#!/usr/bin/env no-such-python\n")
    assert "asks for /usr/bin/no-such-shell" in _only(faults([str(direct)], Surroundings()))
    assert "asks for no-such-python" in _only(faults([str(by_env)], Surroundings()))


def test_all_faults_of_surroundings_are_told_at_once(tmp_path: Path) -> None:
    """Whoever mends one must not have to start again to see the next."""
    bad = Surroundings(
        cwd=str(tmp_path / "nowhere"),
        user="no_such_user",
        cpus=(0, 4711),
        limits={"nofiles": (1, 1), "core": (-1, 10), "nproc": (20, 10)},
    )
    found = "\n".join(faults(["sleep"], bad))
    assert found.count("\n") == 5
    for words in (
        "no user 'no_such_user'",
        "no processor 4711",
        "no limit 'nofiles'; there are",
        "limit core: soft unlimited is above hard 10",
        "limit nproc: soft 20 is above hard 10",
        "nowhere: No such file",
    ):
        assert words in found


def test_account_that_does_not_exist_is_told() -> None:
    """A group has a name, a number without an account needs one."""
    assert "no group 'no_such_group'" in _only(faults([], Surroundings(group="no_such_group")))
    assert "name a group" in _only(faults([], Surroundings(user="54321")))


@AS_ROOT
def test_rights_are_those_of_the_user_it_will_be(tmp_path: Path) -> None:
    """Root may enter and execute what the user of the service may not."""
    script = _file(tmp_path / "mine", mode=0o700)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert "by nobody" in _only(faults([str(script)], Surroundings(user="nobody")))
    assert "by nobody" in _only(faults([], Surroundings(user="nobody", cwd=str(closed))))
    assert faults([str(script)], Surroundings()) == []


@AS_ROOT
def test_who_is_not_root_is_told_what_only_root_may(tmp_path: Path) -> None:
    """Another user, more than the own limit, less niceness."""
    wanted = Surroundings(user="root", nice=-5, limits={"nofile": (64, -1)})
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        os.setgid(65534)
        os.setuid(65534)
        os.write(write_end, "\n".join(faults([], wanted)).encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(pid, 0)
    with open(read_end) as told:
        found = told.read().splitlines()
    assert len(found) == 3
    assert "only root may run it as user root" in found[0]
    assert "only root may lower the niceness by 5" in found[1]
    assert "hard unlimited is above 64" in found[2]
