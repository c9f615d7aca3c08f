"""Where the state of a context lives, and what is said when it cannot live there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from context_bus.errors import StoreError, StoreUnavailable
from context_bus.store.address import address_of, hidden, sqlite_uri
from context_bus.store.place import HOME, place_of, prepare


def test_the_state_lies_beside_the_file(tmp_path: Path) -> None:
    """By default it moves with its project, each file in a directory of its own, for its owner only."""
    place = place_of(tmp_path / "main.xml")
    prepare(place)
    prepare(place)
    assert place.directory == tmp_path / HOME / "main.xml"
    assert place.store.parent == place.lock.parent == place.logs.parent == place.directory
    assert {stat.S_IMODE(path.stat().st_mode) for path in (place.directory, tmp_path / HOME)} == {0o700}
    assert (tmp_path / HOME / ".gitignore").read_text() == "*\n"


def test_two_ways_to_a_file_lead_to_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path, or a link to its directory, is the same context; a link to the file is another."""
    (tmp_path / "Conf").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "Conf")
    (tmp_path / "Conf" / "other.xml").symlink_to(tmp_path / "Conf" / "main.xml")
    monkeypatch.chdir(tmp_path)
    for state in ("", tmp_path / "state"):
        place = place_of("Conf/main.xml", state)
        assert place_of("link/main.xml", state).directory == place.directory
        assert place_of(tmp_path / "Conf" / "other.xml", state).directory != place.directory


def test_files_of_one_name_share_no_place_elsewhere(tmp_path: Path) -> None:
    """One state directory may serve every project of a user."""
    places = {place_of(tmp_path / name / "main.xml", tmp_path / "state").directory for name in "ab"}
    assert len(places) == 2
    assert all(place.parent == tmp_path / "state" and "main.xml" in place.name for place in places)


@pytest.mark.parametrize("name", ["", "x" * 300])
def test_a_place_that_cannot_be_is_refused_with_the_remedy(tmp_path: Path, name: str) -> None:
    """A file in the way, or a name that is too long, is one line that names what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"main.xml: .*; keep it elsewhere with --state DIR") as caught:
        prepare(place_of(tmp_path / "main.xml", tmp_path / (name or "file")))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 9


def test_a_url_chooses_the_database(tmp_path: Path) -> None:
    """No URL is the file in the place; a server gets a schema that no other place has."""
    place, other = (place_of(tmp_path / name / "Main Conf.xml") for name in "ab")
    assert address_of(place).path == place.store
    assert address_of(place, "sqlite:////x/a%20b.sqlite").path == Path("/x/a b.sqlite")
    one, two = (address_of(each, "postgresql://me:secret@host/db") for each in (place, other))
    assert one.schema.startswith("context_bus_main_conf_xml_")
    assert one.schema != two.schema
    assert one.lock_number != two.lock_number
    assert "secret" not in str(one)
    assert "host/db" in str(one)


@pytest.mark.parametrize("url", ["mysql://me:secret@host/db", "sqlite:///", "nonsense", "http://[", "x:"])
def test_another_database_is_refused_with_the_remedy(tmp_path: Path, url: str) -> None:
    """The line shows no password."""
    with pytest.raises(StoreError, match="use postgresql://") as caught:
        address_of(place_of(tmp_path / "main.xml"), url)
    assert "secret" not in str(caught.value)


def test_a_path_may_hold_anything() -> None:
    """SQLite opens files by URI, where some characters mean something."""
    assert sqlite_uri(Path("/a?b#c%d e"), read_only=True) == "file:/a%3Fb%23c%25d%20e?mode=ro"
    assert hidden("postgresql://host/db") == "postgresql://host/db"
