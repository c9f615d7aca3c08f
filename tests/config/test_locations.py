"""Where code may come from: relative to the file, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from context_bus.config.load import parse_context
from context_bus.config.locations import allowed_roots, is_allowed, resolve_location, service_file
from context_bus.config.model import TaskServiceConf

from .samples import THREE

CONF = parse_context(THREE.encode(), "c.xml")


def placed(tmp_path: Path, location: str) -> TaskServiceConf:
    return replace(CONF.services[0], configuration={"location": location} if location else {})


def test_relative_location_starts_at_the_file(tmp_path, monkeypatch):
    """Wherever the provider is started."""
    monkeypatch.chdir("/")
    file = tmp_path / "Conf" / "c.xml"
    assert resolve_location(file, "../Services") == tmp_path / "Services"
    assert resolve_location(file, "Services") == tmp_path / "Conf" / "Services"
    assert resolve_location(file, "/opt/Services") == Path("/opt/Services")
    assert resolve_location(str(file), ".") == tmp_path / "Conf"


def test_relative_file_starts_at_the_working_directory(tmp_path, monkeypatch):
    """The result is absolute all the same; without a file the working directory counts."""
    monkeypatch.chdir(tmp_path)
    assert resolve_location("Conf/c.xml", "../Services") == tmp_path / "Services"
    assert resolve_location("", "Services") == tmp_path / "Services"


def test_link_to_the_file_counts_where_the_link_is(tmp_path):
    """A person who links a context into a directory sees that directory; links of directories resolve."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert resolve_location(tmp_path / "link" / "c.xml", "S") == tmp_path / "real" / "S"


def test_service_file_is_named_for_the_instance(tmp_path):
    """Directory and file follow the old layout; what is built in has none."""
    conf = replace(CONF, file=str(tmp_path / "Conf" / "c.xml"))
    assert service_file(conf, placed(tmp_path, "../Services")) == (
        tmp_path / "Services" / "WakeUp" / "ServiceWakeUp.py"
    )
    assert service_file(conf, placed(tmp_path, "")) is None


def test_roots_are_those_of_the_file_and_its_neighbours(tmp_path):
    """The directory above Conf/, and every location the file itself names, once."""
    services = (
        placed(tmp_path, "/opt/a"),
        placed(tmp_path, "/opt/a"),
        placed(tmp_path, "b"),
        placed(tmp_path, ""),
    )
    conf = replace(CONF, file=str(tmp_path / "Conf" / "c.xml"), services=services)
    roots = allowed_roots(conf)
    assert roots == (tmp_path, Path("/opt/a"), tmp_path / "Conf" / "b")
    assert is_allowed(Path("/opt/a/deep"), roots)
    assert is_allowed(tmp_path / "Services", roots)
    assert not is_allowed(Path("/opt/ab"), roots)
    assert not is_allowed(Path("/opt/a/../b"), roots)
    assert not is_allowed(Path("/"), roots)


def test_whole_machine_is_never_a_root():
    """The directory above /tmp is everything there is."""
    conf = replace(CONF, file="/tmp/c.xml", services=())
    assert allowed_roots(conf) == (Path("/tmp"),)
    assert allowed_roots(replace(CONF, file="", services=())) == ()


def test_link_out_of_a_root_is_not_allowed(tmp_path):
    """A link does not smuggle another directory in."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "door").symlink_to(tmp_path / "outside")
    assert not is_allowed(root / "door", (root,))
