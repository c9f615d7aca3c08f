"""The lists that are given only when asked for: open files, connections, memory maps. Knows psutil.

Each entry is a list of objects with one field each, in the order of psutil, as readers of old expect it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum

import msgspec
import psutil
from msgspec import UNSET, UnsetType

from context_bus.process.usage import Fields, Options, Usage


def with_lists(usage: Usage, options: Options) -> Usage:
    """Add the lists that are asked for; what may not be read is empty and named in ``denied``.

    Raises:
        ProcessLookupError: The process has ended.
    """
    denied: list[str] = list(usage.denied)

    def listed(
        name: str, is_asked: bool, read: Callable[[], Iterable[object]]
    ) -> tuple[Fields, ...] | UnsetType:
        if not is_asked:
            return UNSET
        try:
            return tuple(map(_fields, read()))
        except psutil.ZombieProcess:
            pass  # it has none left
        except psutil.NoSuchProcess:
            raise ProcessLookupError(usage.pid) from None
        except (psutil.AccessDenied, PermissionError):
            denied.append(name)
        return ()

    try:
        process = psutil.Process(usage.pid)
    except psutil.NoSuchProcess:
        raise ProcessLookupError(usage.pid) from None
    return msgspec.structs.replace(
        usage,
        connections=listed("connections", options.open_connections, process.net_connections),
        opened_files=listed("opened_files", options.opened_files, process.open_files),
        memory_map=listed("memory_map", options.memory_maps, process.memory_maps),
        denied=tuple(denied),
    )


def _fields(entry: object) -> Fields:
    assert isinstance(entry, tuple)
    names: tuple[str, ...] = entry._fields  # type: ignore[attr-defined]  # each of psutil's is a named tuple
    return tuple({name: _plain(value)} for name, value in zip(names, entry, strict=True))


def _plain(value: object) -> object:
    """What JSON can say: addresses as lists, families and types as their numbers."""
    if isinstance(value, tuple):
        return list(value)
    return int(value) if isinstance(value, IntEnum) else value
