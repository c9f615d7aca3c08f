"""Counting whatever comes: every number is accounted for, by the short way and by the long one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.bus import tallies
from context_bus.bus.tallies import Tallies, Tally, messages_in


def frame(number: int, *, topic: str = "t", sender: str = "s", batch: int = 0, pad: str = "") -> bytes:
    """A frame as our publisher makes it."""
    many = f',"batch":{batch}' if batch else ""
    content = list(range(batch)) if batch else pad
    return (
        f'{topic} @@@ {{"header":{{"action":"","service_id":"","service_name":"","service_transaction":"",'
        f'"sender":"{sender}","sequence":{number}{many},"sent_at":1.5}},"content":"{content}"}}'
    ).encode()


def row(counted: Tallies, topic: str = "t", sender: str = "s") -> Tally:
    """The row of one sender on one topic."""
    (found,) = (each for each in counted.rows() if (each.topic, each.sender) == (topic, sender))
    return found


def test_run_of_frames_is_counted_whole() -> None:
    """A run without a gap counts like its frames one by one."""
    counted = Tallies()
    frames = [frame(number) for number in range(5, 105)]
    assert counted.note_all(frames[:1]) == [True]
    assert counted.note_all(frames[1:]) == []
    assert row(counted) == Tally("t", "s", 100, sum(map(len, frames)), 0, 105)


def test_gap_inside_a_run_is_missed() -> None:
    """Numbers that are not there are missed, exactly."""
    counted = Tallies()
    counted.note_all([frame(1)])
    counted.note_all([frame(number) for number in (2, 3, 7, 8)])
    counted.note_all([frame(10)])
    assert (row(counted).messages, row(counted).missed) == (6, 4)


def test_gap_is_not_hidden_by_another_sender() -> None:
    """As many frames as numbers, but one of them is somebody else's."""
    counted = Tallies()
    counted.note_all([frame(1), frame(1, sender="other")])
    counted.note_all([frame(2), frame(2, sender="other"), frame(4)])
    assert row(counted).missed == 1
    assert row(counted, sender="other").missed == 0


def test_frame_of_many_counts_many() -> None:
    """What ``publish_many`` joined is as many messages, wherever in a run it stands."""
    counted = Tallies()
    counted.note_all([frame(1)])
    counted.note_all([frame(2), frame(3, batch=10)])
    counted.note_all([frame(13), frame(14, batch=5), frame(19)])
    assert (row(counted).messages, row(counted).missed) == (1 + 1 + 10 + 1 + 5 + 1, 0)


def test_late_message_is_not_missed_any_more() -> None:
    """What was taken for missing and comes late has come."""
    counted = Tallies()
    for number in (1, 2, 4, 3, 5):
        counted.note(frame(number))
    assert (row(counted).messages, row(counted).missed) == (5, 0)


def test_strangers_are_told_apart() -> None:
    """A frame without a topic is none; JSON that cannot be read, or has no numbers, is a message."""
    counted = Tallies()
    others = [
        b"noise",
        b" @@@ {}",
        b"t @@@ not json",
        b't @@@ {"header":{}}',
        b't@@@{"header": {"sequence": 3}}',
    ]
    assert counted.note_all(others) == [False, False, True, True, True]
    assert counted.strangers == 2
    assert row(counted, sender="").messages == 3


def test_older_layouts_are_read_the_long_way() -> None:
    """A sender that stands behind its number is not taken for another one."""
    counted = Tallies()
    for sender in ("a", "b", "a", "b"):
        number = 1 + row(counted, sender=sender).messages if counted.rows()[1:] else 1
        counted.note(f't @@@ {{"header":{{"action":"","sequence":{number},"sender":"{sender}"}}}}'.encode())
    assert [(each.sender, each.messages, each.missed) for each in counted.rows()] == [
        ("a", 2, 0),
        ("b", 2, 0),
    ]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the oldest senders only the sum is kept; nothing is counted twice or not at all."""
    monkeypatch.setattr(tallies, "TALLIES", 10)
    counted = Tallies()
    for index in range(100):
        counted.note_all([frame(1, sender=f"s{index}"), frame(3, sender=f"s{index}")])
    rows = counted.rows()
    assert len(rows) == 11
    assert (counted.messages, counted.missed) == (200, 100)
    assert rows[-1].topic == ""


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_numbers_add_up(steps: list[tuple[str, int, int]], bunch: int) -> None:
    """However frames are bunched, what came and what is missed are the numbers there were."""
    expected = dict.fromkeys("ab", 1)
    came, missed, frames = dict.fromkeys("ab", 0), dict.fromkeys("ab", 0), []
    for sender, batch, gap in steps:
        number = expected[sender] + (gap if came[sender] else 0)
        missed[sender] += number - expected[sender]
        frames.append(frame(number, sender=sender, batch=batch if batch > 1 else 0))
        expected[sender] = number + batch
        came[sender] += batch
    counted = Tallies()
    for start in range(0, len(frames), bunch):
        counted.note_all(frames[start : start + bunch])
    assert {each.sender: (each.messages, each.missed) for each in counted.rows()} == {
        sender: (came[sender], missed[sender]) for sender in "ab" if came[sender]
    }
    assert sum(map(messages_in, frames)) == counted.messages
