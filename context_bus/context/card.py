"""Where a running provider is found without reading its context file. Knows one small file.

Reading an XML file costs a command more than all the rest of its start, so a provider leaves its card
beside its state. It is a hint: who uses it looks whether the process on it lives.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # who only reads a card need not pay for the model of context files
    from context_bus.config.model import ContextConf
    from context_bus.store.place import Place


class Card(msgspec.Struct, frozen=True):
    """What stands on it.

    Args:
        pid: Process of the provider.
        ticks: Its start in clock ticks since boot, so that no later process is taken for it.
        publish_to: Endpoint where clients publish.
        listen_on: Endpoint where clients listen.
        context_id: Its context id.
        socket: Where clients on the same machine come in.
    """

    pid: int
    ticks: int
    publish_to: str
    listen_on: str
    context_id: str
    socket: str = ""


def card_file(place: Place) -> Path:
    """Where the card of a context file is."""
    return place.directory / "provider.json"


def leave_card(place: Place, conf: ContextConf, ticks: int) -> None:
    """Leave the card of this process; a full disk leaves none, which is no more than a hint missing."""
    with contextlib.suppress(OSError):
        ends = (conf.backend_endpoint, conf.front_end_endpoint)
        card = Card(os.getpid(), ticks, *ends, conf.context_id, str(place.door))
        file = card_file(place)
        draft = file.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(card))
        os.replace(draft, file)


def read_card(file: Path) -> Card | None:
    """The card of the provider that runs, or of the last one if it was killed; None if there is none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Card)
    except (OSError, msgspec.DecodeError):
        return None


def remove_card(place: Place) -> None:
    """Take the card away."""
    with contextlib.suppress(OSError):
        card_file(place).unlink()
