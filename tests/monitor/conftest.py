"""Places for records: SQLite and PostgreSQL behind one fixture, for one contract."""

from __future__ import annotations

import pytest

from context_bus.monitor.place import address_for
from context_bus.store.address import Address
from context_bus.store.place import Place
from tests.store.conftest import place, server, url

__all__ = ["place", "server", "url"]


@pytest.fixture
def address(url: str, place: Place) -> Address:
    """Records that do not exist yet."""
    return address_for(place.file, place.directory, url)


@pytest.fixture
def sqlite(place: Place) -> Address:
    """A file that does not exist yet."""
    return address_for(place.file, place.directory)
