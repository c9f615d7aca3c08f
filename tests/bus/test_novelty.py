"""Tests of what is news among kept values: pure, and by properties."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from context_bus.bus.counters import Counters
from context_bus.bus.novelty import Novelty
from context_bus.kernel import kept


def message(sender: str, number: int) -> bytes:
    """A message as it travels."""
    return msgspec.json.encode({"header": {"sender": sender, "sequence": number}, "content": None})


Steps = list[tuple[str, str]]
SENDERS = st.sampled_from(["a", "b"])
#: How far each sender is ahead, whether what it sends arrives live, or is asked for by whom.
STEPS = st.lists(st.tuples(SENDERS, st.sampled_from(["live", "lost", "asked"])), max_size=40)


@given(STEPS, STEPS)
def test_nothing_comes_twice_and_nothing_goes_back(
    before: list[tuple[str, str]], steps: list[tuple[str, str]]
) -> None:
    """Whatever is lost and whenever is asked: each listener sees rising numbers, and has the last."""
    counters = Counters("t", silent=True)
    sent = {"a": 0, "b": 0}

    def play(steps: Steps, news: Novelty | None, seen: dict[str, list[int]]) -> None:
        for sender, what in steps:
            if what == "asked":
                if news is not None and sent[sender] and news.is_news(message(sender, sent[sender])):
                    seen[sender].append(sent[sender])
                continue
            sent[sender] += 1
            if what == "live":
                counters.note(sender, sent[sender])
                seen[sender].append(sent[sender])

    play(before, None, {"a": [], "b": []})
    news = Novelty("t", lambda: counters)
    seen: dict[str, list[int]] = {"a": [], "b": []}
    play(steps, news, seen)
    for sender, numbers in seen.items():
        assert numbers == sorted(set(numbers))
        if steps and steps[-1] == (sender, "asked") and sent[sender]:
            assert numbers[-1] == sent[sender]  # who asks last has the last
    for sender, flow in counters.flows.items():
        assert flow.received >= 0
        assert flow.lost >= 0
        assert flow.expected <= sent[sender] + 1


def test_counts_add_up_around_a_kept_value() -> None:
    """Kept values are neither received nor lost; what is missing before and after them is lost."""
    counters = Counters("t", silent=True)
    news = Novelty("t", lambda: counters)
    assert news.is_news(message("a", 5))
    counters.note("a", 8)  # 6 and 7 are missing
    assert not news.is_news(message("a", 8))
    assert news.is_news(message("a", 12))  # 9, 10 and 11 are missing
    counters.note("a", 13)
    assert (counters.received, counters.lost, counters.kept) == (2, 5, 2)
    assert not news.is_news(message("a", 12))


def test_a_live_message_that_is_older_is_outdated() -> None:
    """Over two sockets a live message may come after the kept value that followed it."""
    counters = Counters("t", silent=True)
    news = Novelty("t", lambda: counters)
    assert not news.is_outdated(message("a", 4))
    assert news.is_news(message("a", 5))
    assert news.is_outdated(message("a", 4))
    assert news.is_outdated(message("a", 5))
    assert not news.is_outdated(message("a", 6))
    assert not news.is_outdated(message("b", 1))


def test_unnumbered_values_come_once_and_not_after_live_ones() -> None:
    """Messages of old senders: the same text is no news, a changed one is; after a live one none is."""
    counters = Counters("t", silent=True)
    news = Novelty("t", lambda: counters)
    assert news.is_news(b'{"header":{"service_id":"x"},"content":1}')
    assert not news.is_news(b'{"header":{"service_id":"x"},"content":1}')
    assert news.is_news(b'{"header":{"service_id":"y"},"content":1}')
    assert news.is_news(b'{"header":{"service_id":"x"},"content":2}')
    assert news.is_news(b"no json")
    counters.unnumbered += 1
    assert not news.is_news(b'{"header":{"service_id":"x"},"content":3}')


@given(st.text(min_size=1).filter(lambda topic: "@@@" not in topic and topic == topic.strip()), st.binary())
def test_question_and_answer_carry_any_topic(topic: str, body: bytes) -> None:
    """The topic is found in the question, and an answer is the question's word with the body of the frame."""
    frame = topic.encode() + b" @@@ " + body
    question = kept.new_question(topic)
    assert kept.topic_of(question) == topic
    assert kept.answer(question, topic, frame) == question + body
    assert kept.is_answer(question + body)
    assert question != kept.new_question(topic)


def test_other_filters_are_no_questions() -> None:
    """Topics, barriers and everything are not taken for questions."""
    for prefix in (b"", b"weather @@@ ", b"barrier.1 @@@ ", b"~last", b"~last.", b"~last.x"):
        assert kept.topic_of(prefix) == ""
