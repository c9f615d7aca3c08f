"""What people see of frames, whatever bytes they are."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from context_bus.cli.frames import Losses, Sight, look_up, printable, routing, see, see_all

REPORT = (
    b'control @@@ {"header":{"action":"updated","service_id":"ts_1","service_name":"n",'
    b'"service_transaction":"TX","sequence":4,"sender":"s"},"content":{"status":{"result":"success"}}}'
)


def test_frame_is_taken_apart() -> None:
    """Topic, fields by path, routing words."""
    sight = see(REPORT)
    assert sight.topic == "control"
    assert look_up(sight.body, "content.status.result") == "success"
    assert look_up(sight.body, "content.status.nothing", "default") == "default"
    assert routing(sight) == ("updated", "ts_1", "n", "TX")


def test_process_message_keeps_its_routing_words_inside() -> None:
    """On topic process the header that counts is the task's."""
    inner = {"action": "start", "service_id": "a", "service_name": "b", "transaction": "T"}
    body = msgspec.json.encode({"Task": {"message": {"header": inner}}})
    assert routing(see(b"process @@@ " + body)) == ("start", "a", "b", "T")


def test_frame_of_many_messages_is_taken_apart_into_each() -> None:
    """What publish_many joined is shown one by one, numbered on."""
    frame = b'n @@@ {"header":{"sequence":5,"sender":"s","batch":3},"content":[10,20,30]}'
    sights = see_all(frame)
    assert [look_up(sight.body, "content") for sight in sights] == [10, 20, 30]
    assert [look_up(sight.body, "header.sequence") for sight in sights] == [5, 6, 7]


def test_gaps_are_told_per_topic() -> None:
    """Numbers that are missing are messages that were lost."""
    losses = Losses()
    for number in (3, 4, 8, 9):
        losses.note(Sight("n", {"header": {"sequence": number, "sender": "s"}, "content": 0}))
    losses.note(Sight("other", {"header": {"sequence": 1, "sender": "s"}}))
    assert losses.lines() == ["lost 3 of 7 messages on n"]


def test_context_information_is_known_by_its_word() -> None:
    """The provider's broadcast of its whole state is recognised."""
    assert see(b'control @@@ {"content":{"status":{"device_action":"context_info"}}}').is_context_info
    assert not see(REPORT).is_context_info


def test_control_characters_do_not_reach_a_terminal() -> None:
    """Bytes that would clear the screen are shown, not sent."""
    assert printable(b"\x1b[2Jhello\x07\xff") == "\\x1b[2Jhello\\x07\\xff"


@given(st.binary() | st.binary().map(lambda body: b"topic @@@ " + body))
def test_no_bytes_make_it_raise(frame: bytes) -> None:
    """Any bytes are shown somehow."""
    losses = Losses()
    for sight in see_all(frame):
        routing(sight)
        losses.note(sight)
        assert isinstance(sight.is_context_info, bool)
        assert sight.topic.isprintable()
