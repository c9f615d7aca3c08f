"""Which provider a command means: named, or the only one that runs a file here or in Conf."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from context_bus.client.endpoints import DEFAULT_LISTEN, DEFAULT_PUBLISH, Endpoints
from context_bus.client.whereabouts import endpoints_of
from context_bus.context.card import Card, card_file
from context_bus.errors import ConfigurationError
from context_bus.process import tree
from context_bus.store.place import place_of

DEFAULTS = Endpoints(DEFAULT_LISTEN, DEFAULT_PUBLISH)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def leave_card(file: str, port: int, *, state: str = "", lives: bool = True) -> Endpoints:
    """Leave the card that a provider of this file would: this process, or one that had its pid before."""
    me = tree.identify(os.getpid())
    assert me is not None
    ends = Endpoints(f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{port + 1}")
    card = Card(me.pid, me.ticks if lives else me.ticks - 1, ends.publish, ends.listen, "context001")
    path = card_file(place_of(file, state))
    path.parent.mkdir(parents=True)
    path.write_bytes(msgspec.json.encode(card))
    return ends


def test_file_is_not_read_where_its_provider_left_a_card() -> None:
    """Whatever has become of the file: the provider is where it was."""
    ends = leave_card("a.xml", 7000)
    Path("a.xml").write_text("<Context>being edi")
    assert endpoints_of(Path("a.xml"), None, None) == ends
    assert endpoints_of(Path("a.xml"), "tcp://h:1", None) == Endpoints(ends.listen, "tcp://h:1")


@pytest.mark.parametrize("file", ["a.xml", "Conf/a.xml"])
@pytest.mark.parametrize("state", ["", "kept"])
def test_only_provider_here_need_not_be_named(file: str, state: str) -> None:
    """Its card is found, whichever the state directory; one of a provider that is gone does not count."""
    ends = leave_card(file, 7000, state=state)
    leave_card("Conf/b.xml", 7002, state=state, lives=False)
    assert endpoints_of(None, None, None, state) == ends


@pytest.mark.parametrize(("state", "names"), [("", "a.xml, Conf/b.xml"), ("kept", "a.xml, b.xml")])
def test_one_of_several_providers_has_to_be_named(state: str, names: str) -> None:
    """By its file; nothing is guessed."""
    for number, file in enumerate(("a.xml", "Conf/b.xml")):
        leave_card(file, 7000 + 2 * number, state=state)
    with pytest.raises(ConfigurationError, match=f"several providers run here; name it by -c FILE: {names}"):
        endpoints_of(None, None, None, state)


def test_endpoints_that_were_named_are_not_looked_for() -> None:
    """Who says where, means there."""
    leave_card("a.xml", 7000)
    assert endpoints_of(None, "tcp://h:11", None) == Endpoints("tcp://h:10", "tcp://h:11")


def test_without_any_card_it_is_the_ports_of_the_documents() -> None:
    """A card that is torn, or of a process that is gone, is none."""
    leave_card("a.xml", 7000, lives=False)
    leave_card("b.xml", 7002)
    card_file(place_of("b.xml")).write_bytes(b'{"pid":')
    assert endpoints_of(None, None, None) == DEFAULTS
