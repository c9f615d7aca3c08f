"""What page and server say to each other."""

from __future__ import annotations

import json

import msgspec
import pytest

from context_bus.context.commands import LoggedEvent
from context_bus.view.page import words
from context_bus.view.snapshot import ServiceView, Snapshot


def test_a_page_is_understood() -> None:
    """Three things can be said."""
    assert words.read('{"kind":"hear","topic":"a"}') == words.Hear("a")
    assert words.read('{"kind":"follow"}') == words.Follow()
    order = '{"kind":"order","action":"stop","transaction":"T","service":"s"}'
    assert words.read(order) == words.Order("stop", "T", "s")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"kind":"order"}',
        '{"kind":"order","action":"exit","transaction":"","service":""}',
        "\ud800",
    ],
)
def test_anything_else_is_not(text: str) -> None:
    """Ending the provider, for one, is no order of a page."""
    with pytest.raises((msgspec.DecodeError, UnicodeError)):
        words.read(text)


def test_a_snapshot_has_a_row_for_each_service() -> None:
    """An error says the file without the way to it."""
    view = ServiceView(transaction="T", service_id="s", phase="failed", last_error="/a/b/Parse.py:56: no")
    told = json.loads(words.told(Snapshot(at=1.0, services=(view,))))
    (row,) = told["services"]
    assert (told["kind"], row["state"], row["error"]) == ("snapshot", "failed", "Parse.py:56: no")


def test_a_message_shows_its_header_and_content() -> None:
    """What is no message of this bus is shown as it came."""
    head = b'{"action":"a","service_id":"s","service_name":"n","service_transaction":"T"}'
    body = b'{"header":' + head + b',"content":[1]}'
    assert words.message("t", body, 2.0) == words.Bytes(2.0, "t", "a", "s", "T", "[1]")
    assert words.message("t", b"\xff{", 2.0).text == "\ufffd{"
    assert len(words.message("t", b'"' + b"x" * 10_000, 2.0).text) == words.MOST_SIGNS


def test_an_event_is_told_in_few_words() -> None:
    """A change of state by its new state; the rest by kind and fields that say something."""
    changed = LoggedEvent(1, 1.0, "service_changed", "T", "s", {"new": "failed", "pid": 7, "reason": "why"})
    assert words.event(changed)["what"] == "failed"
    assert words.event(changed)["text"] == "pid 7  why"
    other = LoggedEvent(2, 1.0, "file_reloaded", "", "", {"file": "x", "fault": ""})
    told = words.event(other)
    assert (told["service"], told["what"], told["text"]) == ("provider", "file_reloaded", "file=x")
