"""Playing: byte for byte, in order, at its pace; later turns under names of their own."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.bus.counters import Counters
from context_bus.bus.player import Player, marked
from context_bus.bus.publisher import Publisher
from context_bus.bus.subscriber import read_envelope
from context_bus.errors import FrameError
from context_bus.kernel.message import join_frame, split_frame
from context_bus.testing.bus import LocalBus
from tests.bus.recordings import SECOND, numbered, read, written
from tests.bus.test_tallies import frame


@pytest.fixture
def local() -> Iterator[LocalBus]:
    """A bus on which nothing is dropped."""
    with LocalBus(policy="block") as bus:
        yield bus


def heard(local: LocalBus, player_topics: tuple[str, ...], play: object, count: int) -> list[bytes]:
    """Frames that a subscriber gets while something plays."""
    subscriber = local.subscriber(*player_topics, hwm=0)
    got = []
    thread = threading.Thread(target=play)  # type: ignore[arg-type]
    thread.start()
    for _ in range(count):
        received = subscriber.receive(10.0)
        assert received is not None
        got.append(join_frame(*received))
    thread.join()
    assert subscriber.receive(0.1) is None
    return got


def test_frames_come_as_they_were(local: LocalBus) -> None:
    """All of them, byte for byte, in their order, as fast as the bus takes them."""
    blocks = numbered(20_000, 700)
    publisher = local.publisher()

    def play() -> None:
        publisher.wait_for_subscriber("t", 10.0)
        assert sum(1 for _ in Player(read(written(blocks)), publisher, rate=0).play()) == 20_000

    assert heard(local, ("t",), play, 20_000) == [entry for _, entry in itertools.chain(*blocks)]


class Ticking:
    """A sleep that takes no time, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def __call__(self, seconds: float) -> float:
        """Note, and return."""
        self.asked.append(seconds)
        return self.held

    #: How long it says it was held.
    held = 0.0


@pytest.mark.parametrize(("rate", "last"), [(1.0, 0.9), (2.0, 0.45), (0.5, 1.8)])
def test_pace_is_the_original_times_the_rate(local: LocalBus, rate: float, last: float) -> None:
    """Each message waits for its time since the beginning, so that no delay adds up."""
    sleep = Ticking()
    data = written(numbered(10, 4, SECOND // 10))
    player = Player(read(data), local.publisher(), rate=rate, sleep=sleep)
    positions = list(player.play())
    assert positions == pytest.approx([index / 10 for index in range(10)])
    assert sleep.asked[-1] == pytest.approx(last, abs=0.1)
    assert player.played == 10


def test_pause_is_not_made_up_for(local: LocalBus) -> None:
    """What was held for a while goes on from there: distances stay."""
    sleep = Ticking()
    sleep.held = 100.0
    list(Player(read(written(numbered(4, 4, SECOND // 10))), local.publisher(), sleep=sleep).play())
    assert sleep.asked == pytest.approx([0.1, 100.2, 200.3], abs=0.1)


def test_pace_is_kept_in_real_time(local: LocalBus) -> None:
    """A fifth of a second takes a fifth of a second, not less."""
    player = Player(read(written(numbered(21, 4))), local.publisher())
    began = time.monotonic()
    assert len(list(player.play())) == 21
    assert 0.2 <= time.monotonic() - began < 5.0


def test_start_and_duration(local: LocalBus) -> None:
    """A piece out of the middle begins at once."""
    sleep = Ticking()
    data = written(numbered(100, 10))
    player = Player(read(data), local.publisher(), start=0.5, duration=0.2, sleep=sleep)
    assert list(player.play()) == pytest.approx([0.5 + index / 100 for index in range(21)])
    assert max(sleep.asked) <= 0.2


def test_topics_are_chosen_and_renamed(local: LocalBus) -> None:
    """Others are counted as left out; a renamed frame differs in its topic alone."""
    block = [(0, frame(1, topic="a")), (1, frame(1, topic="b")), (2, frame(1, topic="c")), (3, b"?")]
    recording = read(written([block]))
    publisher = local.publisher()
    player = Player(recording, publisher, rate=0, topics=("a", "b"), without=("b",), remap={"a": "x"})
    assert player.topics() == ["x"]

    def play() -> None:
        publisher.wait_for_subscriber("x", 10.0)
        list(player.play())

    assert heard(local, ("x", "a", "b", "c"), play, 1) == [frame(1, topic="x")]
    assert player.left_out == {"b": 1, "c": 1, "?": 1}
    with pytest.raises(FrameError):
        Player(recording, publisher, remap={"a": "x @@@ y"})


def test_each_turn_is_a_sender_of_its_own(local: LocalBus) -> None:
    """A loop loses nothing and repeats nothing, for whoever counts."""
    publisher = local.publisher()
    player = Player(read(written(numbered(5, 2))), publisher, rate=0)

    def play() -> None:
        publisher.wait_for_subscriber("t", 10.0)
        for _ in range(3):
            list(player.play())

    counters = Counters("t")
    for got in heard(local, ("t",), play, 15):
        header = json.loads(split_frame(got)[1])["header"]
        counters.note(header["sender"], header["sequence"])
    assert list(counters.flows) == ["s", "s~2", "s~3"]
    assert (counters.received, counters.lost) == (15, 0)
    assert all(flow.extra == 0 for flow in counters.flows.values())


def test_mark_gives_every_sender_a_new_name(local: LocalBus) -> None:
    """From the first turn on."""
    publisher = local.publisher()
    player = Player(read(written(numbered(1, 1))), publisher, rate=0, mark="~new")

    def play() -> None:
        publisher.wait_for_subscriber("t", 10.0)
        list(player.play())

    (got,) = heard(local, ("t",), play, 1)
    assert got == frame(1, sender="s~new")


names = st.text(st.characters(codec="utf-8"), max_size=20)


@given(names, names, st.sampled_from([None, 0, 2]))
def test_marking_changes_the_sender_and_nothing_else(sender: str, other: str, indent: int | None) -> None:
    """Whatever the sender is called, whatever else the message says, however it is written."""
    message = {
        "header": {"action": other, "cause": {"x": '"sender":"no"'}, "sender": sender, "sequence": 1},
        "content": {"sender": other, "header": {"sender": "no"}},
    }
    body = json.dumps(message, indent=indent).encode()
    topic, out = split_frame(marked(b"t @@@ " + body, "~2"))
    message["header"]["sender"] = sender + "~2"  # type: ignore[index]
    assert (topic, json.loads(out)) == ("t", message)
    assert out == json.dumps(message, indent=indent).encode()


@pytest.mark.parametrize("odd", [b"t @@@ ", b"t @@@ {}", b't @@@ {"header":{}}', b"t @@@ \xff", b"noise"])
def test_marking_leaves_alone_what_names_no_sender(odd: bytes) -> None:
    """It goes out as it came."""
    assert marked(odd, "~2") == odd


def test_player_waits_where_the_bus_takes_no_more() -> None:
    """A publisher that may wait no longer tells so, and the same message is tried again: none is lost."""
    count = 4000  # of 10 kB: more than all queues and the kernel's buffers hold
    with (
        LocalBus(policy="block", hwm=10) as local,
        Publisher(local.publish_to, send_timeout=0.05, hwm=10) as publisher,
    ):
        slow = local.subscriber("t", hwm=10)
        publisher.wait_for_subscriber("t", 10.0)
        block = [(index, frame(index + 1, pad="x" * 10_000)) for index in range(count)]
        player = Player(read(written([block])), publisher, rate=0)
        stalled = threading.Event()
        player.on_stall = stalled.set
        thread = threading.Thread(target=lambda: list(player.play()))
        thread.start()
        assert stalled.wait(20.0)
        numbers = []
        while len(numbers) < count:
            received = slow.receive(10.0)
            assert received is not None
            numbers.append(read_envelope(received[1]).header.sequence)
        thread.join()
        assert numbers == list(range(1, count + 1))
