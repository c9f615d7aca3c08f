"""Several processes of one service: how they are called. Pure.

The first has the id of the service, so that a service with one instance is called as ever; the others
have a number besides: ``ts_100``, ``ts_100#2``, ``ts_100#3``. Who names the service means all of them.
"""

from __future__ import annotations

import re

_NUMBERED = re.compile(r"(?P<base>.+)#(?P<number>[0-9]+)")


def base_of(service_id: str) -> str:
    """Id of the service that an instance belongs to."""
    found = _NUMBERED.fullmatch(service_id)
    return found["base"] if found else service_id


def number_of(service_id: str) -> int:
    """Number of an instance among those of its service, from 1."""
    found = _NUMBERED.fullmatch(service_id)
    return int(found["number"]) if found else 1


def ids_of(base: str, count: int) -> tuple[str, ...]:
    """Ids of so many instances of a service."""
    return tuple(base if number == 1 else f"{base}#{number}" for number in range(1, count + 1))
