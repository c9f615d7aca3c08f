"""Rates from looks at some messages: exact for whoever numbers them, and no guess about the others."""

from __future__ import annotations

import msgspec
import pytest

from context_bus.cli.sampling import PATIENCE, Sampler
from context_bus.kernel.message import SEPARATOR


def frame(sequence: int, at: float, sender: str = "a", *, batch: int = 0, topic: str = "t") -> bytes:
    """A frame as a publisher sends it."""
    header: dict[str, object] = {"sender": sender, "sequence": sequence, "sent_at": at}
    if batch:
        header["batch"] = batch
    return (
        topic.encode() + SEPARATOR + msgspec.json.encode({"header": header, "content": [0] * max(1, batch)})
    )


def look(second: int, rate: int, sender: str = "a") -> list[bytes]:
    """Ten messages of a sender that sends at a rate, from the beginning of a second on."""
    return [frame(second * rate + number + 1, second + number / rate, sender) for number in range(10)]


def test_rate_follows_from_the_numbers() -> None:
    """Ten messages a second are enough."""
    sampler = Sampler()
    assert sampler.look(look(1, 100_000)) is None
    rate = sampler.look(look(2, 100_000))
    assert rate is not None
    assert rate.rate == pytest.approx(100_000)
    assert (rate.messages, sampler.total) == (100_000, 100_000)
    assert rate.bytes_per_second == pytest.approx(100_000 * len(frame(200_001, 2.0)), rel=0.05)
    assert rate.shortest == pytest.approx(1e-5)


def test_rates_of_senders_and_topics_add_up() -> None:
    """One that sends in batches has many messages in a frame."""
    sampler = Sampler()
    batches = [
        [frame(second * 50_000 + 1, second + 0.00001, "b", batch=100, topic="u")] for second in range(1, 3)
    ]
    sampler.look(look(1, 100_000) + batches[0])
    rate = sampler.look(look(2, 100_000) + batches[1])
    assert rate is not None
    assert rate.rate == pytest.approx(150_000)
    # A frame of a hundred messages is no message of that size.
    assert rate.bytes_per_second < 100_000 * 120 + 50_000 * 20


def test_sender_that_ends_counts_no_more() -> None:
    """A fast one at once; a slow one, which may be missed by a look, after some."""
    sampler = Sampler()
    for second in (1, 2):
        slow = [frame(second * 10, second + 0.00001, "slow")]
        sampler.look(look(second, 100_000) + look(second, 200_000, "fast") + slow)
    rates = [sampler.look(look(second, 100_000)) for second in range(3, 5 + PATIENCE)]
    assert rates[0] is not None
    assert rates[0].rate == pytest.approx(100_010)
    assert rates[-1] is not None
    assert rates[-1].rate == pytest.approx(100_000)


def test_new_sender_counts_from_its_first_look() -> None:
    """By what was seen of it."""
    sampler = Sampler()
    sampler.look(look(1, 100_000))
    rate = sampler.look(look(2, 100_000) + look(2, 50_000, "new"))
    assert rate is not None
    assert rate.rate == pytest.approx(150_000)


def test_messages_without_numbers_have_to_be_counted() -> None:
    """So do those that do not say when they were sent, and frames that are no messages."""
    numbered = frame(1, 1.0)
    assert Sampler.can_measure([numbered])
    for other in (b"rubbish", b't @@@ {"header":{},"content":1}', frame(5, 0.0)):
        assert not Sampler.can_measure([numbered, other])
