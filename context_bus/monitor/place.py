"""Where the records of a monitor are: beside the store of its provider. Knows the store's addresses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from context_bus.store.address import Address, address_of
from context_bus.store.place import Place

#: File of the records, in the directory of the provider's state.
FILE = "monitor.sqlite"
#: What the file is called beside a store of another name.
_BESIDE = "-monitor.sqlite"


def address_for(file: str, directory: str | Path, url: str = "") -> Address:
    """Tell which database holds the records.

    Args:
        file: The context file, for messages.
        directory: Directory of the state of the provider.
        url: Its store, if that is not the file there. In PostgreSQL records are in the provider's schema.

    Raises:
        StoreError: The URL names no database that can be used.
    """
    place = Place(file, Path(directory))
    store = address_of(place, url)
    if store.path is None:
        return store
    name = FILE if store.path == place.store else store.path.stem + _BESIDE
    return replace(store, path=store.path.with_name(name))
