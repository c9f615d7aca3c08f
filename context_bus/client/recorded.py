"""What a provider leaves on disk, found and read whether it runs or not. Knows places; asks nobody.

Commands that look back need no provider: what it and its monitors recorded is in files beside its context
file, or in the database that it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from context_bus.errors import CommandRejected, ConfigurationError, Fault, NothingRecorded
from context_bus.store.place import HOME, Place, place_of

if TYPE_CHECKING:
    from context_bus.monitor.records import Records, Series
    from context_bus.store.records import Reader
    from context_bus.store.remembered import EventRow

#: Events that are read at a time.
_CHUNK = 5_000
#: After this number nothing has happened; what databases can hold is more.
_NEVER = 2**53 - 1


def place_for(context_file: Path | None, state: str = "") -> Place:
    """Where the state of a context is: of the file named, else of the only one that has any here or in Conf.

    Args:
        context_file: Its context file, if one was named.
        state: Its state directory, if it has one that is not beside the file.

    Raises:
        ConfigurationError: None was named, and there is none here, or there are several.
    """
    if context_file is not None:
        return place_of(context_file, state)
    homes = [Path(state)] if state else [Path(HOME), Path("Conf", HOME)]
    found = [
        (home, each) for home in homes if home.is_dir() for each in sorted(home.iterdir()) if each.is_dir()
    ]
    if len(found) == 1:
        home, directory = found[0]
        return Place(_name(home, directory), directory.absolute())
    if found:
        names = ", ".join(_name(home, directory) for home, directory in found)
        raise ConfigurationError([Fault("several contexts have run here", f"name one by -c FILE: {names}")])
    raise ConfigurationError(
        [Fault("no context has run here", "name the file of one by -c FILE, or go to its directory")]
    )


def open_records(place: Place, store: str = "") -> Records:
    """Open what its monitors recorded.

    Args:
        place: Where the state of the context is.
        store: URL of its store, if that is not the file there.

    Raises:
        StoreError: The URL names no database that can be used.
    """
    from context_bus.monitor.place import address_for
    from context_bus.monitor.records import Records

    return Records(address_for(place.file, place.directory, store))


def open_store(place: Place, store: str = "") -> Reader:
    """Open what the provider recorded; arguments and errors as for `open_records`."""
    from context_bus.store.address import address_of
    from context_bus.store.records import Reader

    return Reader(address_of(place, store))


def events_since(reader: Reader, since: float) -> list[EventRow]:
    """Events of a provider from then on, in their order, and some before.

    Args:
        reader: Its store.
        since: Seconds since the epoch.

    Raises:
        StoreError: The store cannot be read.
    """
    found: list[EventRow] = []
    before = _NEVER
    while part := reader.last_events(before, _CHUNK):
        found[:0] = part
        before = part[0].sequence
        if part[0].at < since:
            break
    return found


def choose_series(
    found: Sequence[Series], names: Sequence[str], transaction: str, since: float, until: float
) -> tuple[Series, ...]:
    """Choose the series of one transaction with records in a time.

    Args:
        found: All that there are.
        names: Ids of services, or of services with several instances, or patterns; none for all.
        transaction: Only of this one; empty for the only one with records in that time.
        since: From when, in seconds since the epoch.
        until: Before when.

    Raises:
        NothingRecorded: A name or the transaction is not known, or has no records in that time.
        CommandRejected: Several transactions have some.
    """
    from context_bus.client.asking import is_meant

    if transaction and transaction not in {each.transaction for each in found}:
        raise NothingRecorded(_unknown("transaction", transaction, [each.transaction for each in found]))
    own = [each for each in found if not transaction or each.transaction == transaction]
    for name in names:
        if not any(is_meant(each.service_id, name) for each in own):
            raise NothingRecorded(_unknown("service", name, [each.service_id for each in own]))
    chosen = [each for each in own if not names or any(is_meant(each.service_id, name) for name in names)]
    there = [each for each in chosen if each.last >= since and each.first < until]
    if not there:
        raise NothingRecorded(_outside(chosen, names))
    if len(names := list(dict.fromkeys(each.transaction for each in there))) > 1:
        raise CommandRejected(f"which transaction? add -t ID; records in this time are of {', '.join(names)}")
    return tuple(there)


def _name(home: Path, directory: Path) -> str:
    """The context file of a state directory, as one would name it; of a shared home only its name."""
    if home.name == HOME:
        return str(home.parent / directory.name)
    return directory.name.rpartition("-")[0] or directory.name


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    from context_bus.config.faults import did_you_mean

    return f"no {what} '{name}' is recorded; {did_you_mean(name, dict.fromkeys(known)) or 'none is'}"


def _outside(chosen: Sequence[Series], names: Sequence[str]) -> str:
    from context_bus.config.quantities import say_moment

    who = f" of {', '.join(names)}" if names else ""
    if not chosen:
        return "nothing is recorded yet; wait until a monitor has looked"
    first = say_moment(min(each.first for each in chosen))
    last = say_moment(max(each.last for each in chosen))
    return f"nothing is recorded{who} in this time; there are records from {first} to {last}"
