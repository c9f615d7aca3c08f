"""Where the provider of a context file is, without reading that file if its card says so.

Reading XML costs more than all else that a command does; a provider that runs leaves its card beside its
state. Knows the card and the endpoints; opens no socket.
"""

from __future__ import annotations

from pathlib import Path

from context_bus.client.endpoints import DEFAULT_LISTEN, DEFAULT_PUBLISH, Endpoints, port_below, resolve
from context_bus.errors import ConfigurationError, Fault


def endpoints_of(
    context_file: Path | None, publish: str | None, listen: str | None, state: str = ""
) -> Endpoints:
    """Where the provider is: as named, else the only one that runs a file of this directory or its ``Conf``.

    Args:
        context_file: Its context file, if one was named.
        publish: Where to publish, if that was said.
        listen: Where to listen, if that was said.
        state: Its state directory, if it has one that is not beside the file.

    Raises:
        ConfigurationError: The context file cannot be used, or several run and none was named.
    """
    if context_file is not None:
        found = _on_card(context_file, state)
        if found is None:
            return resolve(listen, publish, context_file)
        # Who names an endpoint means the bus.
        socket = "" if listen or publish else found.socket
        return Endpoints(listen or found.listen, publish or found.publish, socket)
    if publish is None and listen is None and (only := _only_one(state)):
        return only
    publish = publish or DEFAULT_PUBLISH
    is_default = publish == DEFAULT_PUBLISH
    return Endpoints(listen or (DEFAULT_LISTEN if is_default else port_below(publish)), publish)


def _on_card(context_file: Path, state: str) -> Endpoints | None:
    """What the card of a provider that lives says; None if there is none."""
    from context_bus.context.card import card_file
    from context_bus.store.place import place_of

    return _read_card(card_file(place_of(context_file, state)))


def _only_one(state: str) -> Endpoints | None:
    """The one provider that lives in the places where cards are; None if there is none."""
    from context_bus.store.place import HOME

    homes = [Path(state)] if state else [Path(HOME), Path("Conf", HOME)]
    cards = [(home, card) for home in homes for card in sorted(home.glob("*/provider.json"))]
    found = {str(_file_of(home, card)): there for home, card in cards if (there := _read_card(card))}
    if len(found) > 1:
        remedy = f"name it by -c FILE: {', '.join(found)}"
        raise ConfigurationError([Fault("several providers run here", remedy)])
    return next(iter(found.values()), None)


def _file_of(home: Path, card: Path) -> Path:
    """The context file that a card belongs to, as one would name it; of a shared directory only its name."""
    from context_bus.store.place import HOME

    name = card.parent.name
    return home.parent / name if home.name == HOME else Path(name.rpartition("-")[0])


def _read_card(file: Path) -> Endpoints | None:
    """What a card says, if the provider on it lives."""
    from context_bus.context.card import read_card

    card = read_card(file)
    # The file may have been edited since; a provider that lives is where it was.
    if card is None or _start_of(card.pid) != card.ticks:
        return None
    return Endpoints(card.listen_on, card.publish_to, card.socket)


def _start_of(pid: int) -> int | None:
    """Start of a process in clock ticks since boot; None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return int(text[text.rindex(b")") + 2 :].split()[19])
