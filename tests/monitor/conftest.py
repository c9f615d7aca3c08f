"""Places for records: SQLite and PostgreSQL behind one fixture, for one contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.monitor.place import address_for
from context_bus.store.address import Address
from context_bus.store.place import Place, place_of, prepare
from tests.store import cluster


@pytest.fixture(scope="package")
def server() -> Iterator[cluster.Cluster]:
    """A PostgreSQL server."""
    with cluster.cluster_or_skip() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The place of a context file."""
    place = place_of(tmp_path / "main.xml")
    prepare(place)
    return place


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """What a user gives to choose a database; nothing for SQLite."""
    if request.param == "sqlite":
        return ""
    server: cluster.Cluster = request.getfixturevalue("server")
    return server.url


@pytest.fixture
def address(url: str, place: Place) -> Address:
    """Records that do not exist yet."""
    return address_for(place.file, place.directory, url)


@pytest.fixture
def sqlite(place: Place) -> Address:
    """A file that does not exist yet."""
    return address_for(place.file, place.directory)
