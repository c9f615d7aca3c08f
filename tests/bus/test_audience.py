"""Tests of what a publisher is told of listeners while somebody answers them on the way."""

from __future__ import annotations

import select

from context_bus.testing.bus import LocalBus

#: Seconds that news may take.
SOON = 5.0


def test_news_that_come_while_one_answers_are_not_left_unread(local: LocalBus) -> None:
    """An answer takes the signal of news off the descriptor, so who answers looks once more."""
    publisher, first, second = local.publisher(), local.subscriber("first"), local.subscriber("before")
    publisher.wait_for_subscriber("first", SOON)
    publisher.wait_for_subscriber("before", SOON)
    looks = 0

    class Answers:
        def asked(self, question: bytes) -> None:
            raise AssertionError(question)

        def looked(self, now: float, before: float) -> bool:
            nonlocal looks
            looks += 1
            if looks > 1:
                return False
            second.subscribe("second")
            poll = select.poll()
            poll.register(publisher.audience.descriptor, select.POLLIN)
            assert poll.poll(SOON * 1000)
            publisher._send(b"first @@@ {}")
            return True

    publisher.audience.attendant = Answers()
    publisher.audience.refresh()
    assert looks == 2
    assert publisher.audience.knows(b"second @@@ ")
    assert first.receive(SOON) is not None
