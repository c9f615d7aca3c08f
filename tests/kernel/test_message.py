"""Frames and messages survive the wire, and older readers understand them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from context_bus.errors import FrameError
from context_bus.kernel.message import AnyMessage, Cause, Header, Message, join_frame, split_frame

TEXT = st.text(max_size=20)
TOPICS = st.text(min_size=1, max_size=20).filter(lambda topic: "@@@" not in topic and topic == topic.strip())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
OPTIONAL = st.just(UNSET) | TEXT
HEADERS = st.builds(
    Header,
    action=TEXT,
    service_id=TEXT,
    service_name=TEXT,
    service_transaction=TEXT,
    sequence=st.just(UNSET) | st.integers(1, 2**53),
    sent_at=st.just(UNSET) | st.floats(0, 2e9),
    sender=OPTIONAL,
    message_id=OPTIONAL,
    request_id=OPTIONAL,
    reply_to=OPTIONAL,
    cause=st.just(UNSET) | st.builds(Cause, TEXT, TEXT, st.integers(1, 99)),
    batch=st.just(UNSET) | st.integers(1, 1000),
)


@given(TOPICS, HEADERS, JSON)
def test_message_survives_the_wire(topic: str, header: Header, content: Any) -> None:
    """Encoded, framed, split and decoded it is the same."""
    frame = join_frame(topic, msgspec.json.encode(Message(header, content)))
    got_topic, body = split_frame(frame)
    assert got_topic == topic.strip()
    assert msgspec.json.decode(body, type=AnyMessage) == Message(header, content)


@given(TOPICS, HEADERS, JSON)
def test_older_reader_understands_a_message(topic: str, header: Header, content: Any) -> None:
    """It strips, splits, and reads four fields without asking whether they are there."""
    frame = join_frame(topic, msgspec.json.encode(Message(header, content)))
    got_topic, text = (part.strip() for part in frame.decode().strip().split("@@@", 1))
    fields = json.loads(text)["header"]
    assert got_topic == topic
    assert {"action", "service_id", "service_name", "service_transaction"} <= set(fields)
    assert None not in fields.values()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_frame_error(frame: bytes) -> None:
    """Nothing else is raised."""
    try:
        topic, body = split_frame(frame)
    except FrameError:
        return
    assert topic
    assert body in frame.partition(b"@@@")[2]


@pytest.mark.parametrize(
    ("frame", "parts"),
    [
        (b"control @@@ {}", ("control", b"{}")),
        (b"control@@@{}", ("control", b"{}")),
        (b"  control  @@@\n {} \n", ("control", b"{}")),
        (b'control @@@ {"text": "a @@@ b"}', ("control", b'{"text": "a @@@ b"}')),
    ],
)
def test_frame_is_split_at_its_first_mark_only(frame: bytes, parts: tuple[str, bytes]) -> None:
    """Blanks around the mark do not matter, marks inside the payload do not either."""
    assert split_frame(frame) == parts
