"""What a ``top`` query asks for, in the words of clients old and new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from context_bus.context.events import ReplyTo, StateAsked
from context_bus.context.instructions import SendFigures
from context_bus.context.reading import Reader
from context_bus.context.roots import Roots
from context_bus.context.topquery import FiguresAsked, Publication, is_yes, read_asked
from context_bus.process.usage import Options
from tests.context.live import context
from tests.context.sim import Sim, service

ENDPOINT = "tcp://127.0.0.1:6558"


@pytest.mark.parametrize("text", ["0", "false", "False", "no", "NO", "", " ", "off", "none"])
def test_text_that_means_no(text: str) -> None:
    """The trap of old: the text ``"0"`` of a file was taken for yes."""
    assert not is_yes(text)


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", True, 1])
def test_what_means_yes(value: object) -> None:
    """Text, number or boolean."""
    assert is_yes(value)


def test_flags_of_old_and_new_are_read() -> None:
    """What is left out is no, but for the rows of children and threads."""
    assert read_asked({}) == FiguresAsked(Options())
    flags = {"memory_maps": "1", "open_connections": True, "opened_files": "0", "brief": "yes"}
    assert read_asked(flags).options == Options(False, True, True, False)


def test_publication_is_read() -> None:
    """With numbers as text too; without a frequency every second."""
    given = {"endpoint": ENDPOINT, "type": "pub", "frequency_s": "2.5"}
    assert read_asked({"service": given}).publication == Publication(ENDPOINT, 2.5)
    assert read_asked({"service": {"endpoint": ENDPOINT}}).publication == Publication(ENDPOINT, 1.0)
    assert read_asked({"service": given | {"frequency_s": 0}}).publication == Publication(ENDPOINT, 0.0)


@pytest.mark.parametrize(
    ("service", "word"),
    [
        ({"endpoint": ENDPOINT, "type": "push"}, "push"),
        ({"endpoint": ENDPOINT, "frequency_s": 0.01}, "0.01"),
        ({"endpoint": ENDPOINT, "frequency_s": -1}, "-1"),
        ({"endpoint": ENDPOINT, "frequency_s": "often"}, "often"),
        ({"endpoint": ENDPOINT, "frequency_s": "nan"}, "nan"),
        ({"endpoint": ENDPOINT, "frequency_s": None}, "None"),
        ({"endpoint": "tcp://127.0.0.1:*"}, "port"),
        ({"endpoint": "ipc:///tmp/a\0b"}, "name one"),
        ({"endpoint": "ipc:///tmp/\ud800"}, "name one"),
        ({"frequency_s": 1.0}, "endpoint"),
        ("yes", "no object"),
    ],
)
def test_publication_that_cannot_be_is_refused_in_words(service: Any, word: str) -> None:
    """Each says what was given, or what is missing."""
    asked = read_asked({"service": service})
    assert word in asked.refusal
    assert asked.publication is None


def test_query_is_read_from_a_frame(tmp_path: Path) -> None:
    """As the old tool sends it."""
    body = {
        "content": {"configuration": {"memory_maps": False, "opened_files": True, "open_connections": False}},
        "header": {"action": "top", "service_id": "", "service_name": "state", "service_transaction": "TX1"},
    }
    reader = Reader(frozenset(), Roots(context(tmp_path)))
    asked = reader.query(json.dumps(body, indent=4).encode())
    assert asked == StateAsked("top", "TX1", figures=FiguresAsked(Options(opened_files=True)))


def _ask(sim: Sim, transaction: str, asked: FiguresAsked | None = None, inbox: str = "r") -> None:
    sim.send(StateAsked("top", transaction, ReplyTo(inbox, inbox), figures=asked))


def test_query_is_about_the_transaction_it_names_or_the_only_one() -> None:
    """As for the record."""
    sim = Sim(service("a"))
    sim.start("a")
    _ask(sim, "T1")
    _ask(sim, "")
    assert [each.transactions for each in sim.every(SendFigures)] == [("T1",), ("T1",)]


def test_brief_query_may_be_about_all() -> None:
    """Also where there is nothing yet; one that is not brief has to say which."""
    sim = Sim(service("a"))
    brief = FiguresAsked(Options(details=False))
    _ask(sim, "", brief)
    assert sim.every(SendFigures)[-1].transactions == ()
    sim.command("start", "a", tx="T1")
    sim.command("start", "a", tx="T2")
    _ask(sim, "", brief)
    assert sim.every(SendFigures)[-1].transactions == ("T1", "T2")
    _ask(sim, "", inbox="q")
    assert "known: T1, T2" in sim.answers("q")[0][1].reason


def test_unknown_transaction_and_bad_publication_are_refused() -> None:
    """With the known ones named, and with the reason."""
    sim = Sim(service("a"))
    sim.start("a")
    _ask(sim, "T9", inbox="q")
    assert sim.answers("q")[0][1].reason == "transaction T9 is not known here; known: T1"
    _ask(sim, "T1", FiguresAsked(refusal="because"), inbox="p")
    assert sim.answers("p")[0][1].reason == "because"
    assert sim.every(SendFigures) == []
