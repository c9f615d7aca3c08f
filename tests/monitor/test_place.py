"""Where records are: beside the store, wherever that is."""

from __future__ import annotations

from pathlib import Path

from context_bus.monitor.place import address_for
from context_bus.store.address import address_of
from context_bus.store.place import place_of


def test_records_are_beside_the_store() -> None:
    """In the state directory, or beside the file that was given instead of the store there."""
    place = place_of("/x/main.xml")
    assert address_for(place.file, place.directory).path == place.directory / "monitor.sqlite"
    assert address_for(place.file, place.directory, "sqlite:////d/s.sqlite").path == Path(
        "/d/s-monitor.sqlite"
    )


def test_records_share_the_schema_of_the_provider() -> None:
    """A server has one place for all that belongs to a context; the password is not shown."""
    place = place_of("/x/main.xml")
    address = address_for(place.file, place.directory, "postgresql://u:secret@h/db")
    assert address == address_of(place, "postgresql://u:secret@h/db")
    assert "secret" not in str(address)
