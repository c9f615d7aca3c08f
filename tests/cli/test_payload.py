"""JSON from the command line, and its templates."""

from __future__ import annotations

import io
import sys
import time

import click
import pytest
from msgspec import UNSET

from context_bus.cli.payload import Payload
from context_bus.kernel.message import Header


def test_content_gets_the_header_of_the_flags() -> None:
    """What is no whole message is a content."""
    message = Payload('{"celsius": 21.5}').message(1, Header(action="updated", service_id="ts_1"))
    assert message.content == {"celsius": 21.5}
    assert (message.header.action, message.header.service_id) == ("updated", "ts_1")


def test_whole_message_brings_its_own_header() -> None:
    """Fields that it lacks come from the flags."""
    text = '{"header": {"action": "stopped"}, "content": [1]}'
    message = Payload(text).message(1, Header(action="updated", service_id="ts_1"))
    assert message.content == [1]
    assert (message.header.action, message.header.service_id) == ("stopped", "ts_1")


def test_templates_are_filled_in_for_each_message() -> None:
    """``{count}`` is the number of the message, ``{time}`` the time it was made."""
    payload = Payload('{"n": {count}, "text": "number {count}", "at": {time}}')
    before = time.time()
    contents = [payload.message(number, Header()).content for number in (1, 2)]
    assert [content["n"] for content in contents] == [1, 2]
    assert contents[1]["text"] == "number 2"
    assert contents[0]["at"] == pytest.approx(before, abs=60)


def test_messages_do_not_share_a_header() -> None:
    """The header is written to when a message is sent; the next one starts afresh."""
    header = Header(action="a")
    payload = Payload("1")
    payload.message(1, header).header.sequence = 9
    assert payload.message(2, header).header.sequence is UNSET


def test_minus_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long messages come through a pipe."""
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"from": "a pipe"}'))
    assert Payload("-").message(1, Header()).content == {"from": "a pipe"}


@pytest.mark.parametrize("text", ["", "hello", "{", "{'a': 1}", "[1,]", "NaN", '{"n": {counter}}'])
def test_what_is_not_json_is_refused(text: str) -> None:
    """The line shows the text and says what is wrong."""
    with pytest.raises(click.UsageError, match="not JSON"):
        Payload(text)


def test_header_of_the_wrong_kind_is_refused() -> None:
    """A header field is text."""
    with pytest.raises(click.UsageError, match=r"header cannot be sent.*action"):
        Payload('{"header": {"action": 3}, "content": 1}').check()
    with pytest.raises(click.UsageError, match="header cannot be sent"):
        Payload('{"header": 3, "content": 1}').check()
