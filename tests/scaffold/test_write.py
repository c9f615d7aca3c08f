"""Plans on a real disk."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from context_bus.errors import ConfigurationError, Fault
from context_bus.scaffold.plan import Plan, PlannedFile, Step
from context_bus.scaffold.write import apply, look


def create(path: Path, content: bytes = b"new\n") -> PlannedFile:
    """A file to create."""
    return PlannedFile(path, Step.CREATE, content, None)


def tree(root: Path) -> list[str]:
    """Everything below a directory."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_files_and_directories_are_made(tmp_path: Path) -> None:
    """Nothing but the files of the plan is left."""
    apply(Plan((create(tmp_path / "a/b/c.py"), create(tmp_path / "a/d.xml"))))
    assert tree(tmp_path) == ["a", "a/b", "a/b/c.py", "a/d.xml"]
    assert (tmp_path / "a/b/c.py").read_bytes() == b"new\n"


def test_refusal_writes_nothing(tmp_path: Path) -> None:
    """A plan with faults raises them."""
    with pytest.raises(ConfigurationError, match="no way"):
        apply(Plan((create(tmp_path / "a.py"),), (Fault("no way"),)))
    assert tree(tmp_path) == []


def test_failure_leaves_the_disk_as_it_was(tmp_path: Path) -> None:
    """The last file cannot be written: those before it are taken back, an old text too."""
    old = tmp_path / "old.xml"
    old.write_bytes(b"old")
    late = tmp_path / "late.py"
    plan = Plan(
        (create(tmp_path / "x/new.py"), PlannedFile(old, Step.MERGE, b"merged", b"old"), create(late))
    )
    late.write_bytes(b"somebody was faster")
    with pytest.raises(ConfigurationError, match=r"late\.py: cannot be used: File exists"):
        apply(plan)
    assert tree(tmp_path) == ["late.py", "old.xml"]
    assert old.read_bytes() == b"old"
    assert late.read_bytes() == b"somebody was faster"


def test_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Between looking and writing an editor may have saved."""
    path = tmp_path / "a.xml"
    path.write_bytes(b"saved by the user")
    with pytest.raises(ConfigurationError, match="changed while we were at work"):
        apply(Plan((PlannedFile(path, Step.MERGE, b"merged", b"what we saw"),)))
    assert path.read_bytes() == b"saved by the user"


def test_mode_and_link_of_a_file_stay(tmp_path: Path) -> None:
    """A merged file keeps its permissions, and a link keeps pointing."""
    real, link = tmp_path / "real.xml", tmp_path / "link.xml"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    apply(Plan((PlannedFile(link, Step.MERGE, b"merged", b"old"),)))
    assert link.is_symlink()
    assert real.read_bytes() == b"merged"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_look_reads_what_is_there(tmp_path: Path) -> None:
    """Files that lack are left out."""
    here = tmp_path / "here"
    here.write_bytes(b"x")
    assert look([here, tmp_path / "not/there"]) == {here: b"x"}


def test_look_names_every_obstacle(tmp_path: Path) -> None:
    """A directory where a file should be, a file where a directory should be."""
    (tmp_path / "dir.py").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError) as caught:
        look([tmp_path / "dir.py", tmp_path / "file/a.py"])
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/{path}: cannot be used: {reason}; choose another --service_path or --home_path"
        for path, reason in (("dir.py", "Is a directory"), ("file/a.py", "Not a directory"))
    ]
