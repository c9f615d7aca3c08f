"""What a provider that was replaced has left running: who is who among the children of its guardian.

Knows the notes on children; must not know what becomes of them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from context_bus.context.events import Key
from context_bus.process.child import Child
from context_bus.process.spawn import Kept

_log = logging.getLogger(__name__)

#: Name of the process that writes what services write; it ends when they have ended.
OUTPUT = "output"


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is written on a child for the next provider.

    Args:
        what: A service of its own, or the forwarder.
        transaction: Transaction of the service.
        service_id: Its id.
        incarnation: Number of its process.
    """

    what: Literal["service", "forwarder"]
    transaction: str = ""
    service_id: str = ""
    incarnation: int = 0

    def text(self) -> str:
        """The note as it is written."""
        return msgspec.json.encode(self).decode()


@dataclass(slots=True)
class Adoption:
    """The children of a guardian, by what they are.

    Args:
        forwarder: The forwarder, if it lives.
        services: Processes of services, also those that have ended meanwhile.
        strangers: Children that only their own provider could have gone on with.
    """

    forwarder: Child | None = None
    services: dict[tuple[Key, int], Child] = field(default_factory=dict)
    strangers: list[Child] = field(default_factory=list)


def sort_out(kept: Kept) -> Adoption:
    """Tell who is who."""
    adoption = Adoption()
    for child in kept.children:
        note = _read(child)
        if note is not None and note.what == "service":
            adoption.services[Key(note.transaction, note.service_id), note.incarnation] = child
        elif note is not None and child.exitcode is None and adoption.forwarder is None:
            adoption.forwarder = child
        elif child.name != OUTPUT:
            adoption.strangers.append(child)
    return adoption


def _read(child: Child) -> Note | None:
    if not child.note:
        return None
    try:
        return msgspec.json.decode(child.note, type=Note)
    except msgspec.DecodeError as error:
        _log.warning("unreadable note: name=%s pid=%d reason=%s", child.name, child.pid, error)
        return None
