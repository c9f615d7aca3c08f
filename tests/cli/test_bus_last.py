"""``bus last``, ``bus echo --last`` and ``bus pub --keep``: what they print, and their exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time

from context_bus.bus.endpoint import free_endpoint
from context_bus.testing.bus import LocalBus
from tests.cli.conftest import Call


def keep(bus: LocalBus, name: str, *values: object) -> None:
    """Somebody who keeps the last of these on topic ``weather``."""
    node = bus.bus(service_name=name, service_id=name)
    node.keep("weather")
    for value in values:
        node.publish("weather", value)


def test_last_prints_a_row_for_each_sender(call: Call, bus: LocalBus) -> None:
    """Sender, age and content of the last message of each, and nothing of those before."""
    keep(bus, "north", {"celsius": 1}, {"celsius": 2})
    keep(bus, "south", {"celsius": 3})
    ended = call("bus", "last", "weather")
    assert (ended.code, ended.err) == (0, "")
    head, *rows = ended.out.splitlines()
    assert head.split() == ["SENDER", "AGE", "CONTENT"]
    assert [row.split()[2] for row in rows] == ['{"celsius":2}', '{"celsius":3}']
    assert [row.split()[0].partition(".")[0] for row in rows] == ["north", "south"]


def test_last_gives_json_and_fields(call: Call, bus: LocalBus) -> None:
    """An object a line with the whole message, or only a field of it."""
    keep(bus, "north", {"celsius": 2})
    shown = json.loads(call("bus", "last", "weather", "--json").out)
    assert (shown["topic"], shown["message"]["content"]) == ("weather", {"celsius": 2})
    assert 0.0 <= shown["age"] < 60.0
    assert call("bus", "last", "weather", "--field=content.celsius").out == "2\n"
    assert json.loads(call("bus", "last", "weather", "--field=content.celsius", "--json").out)["value"] == 2
    assert call("bus", "last", "weather", "--field=content.nothing").out == ""


def test_last_is_quick_and_says_when_nobody_keeps_anything(call: Call, bus: LocalBus) -> None:
    """It ends soon after the last answer; without one, after the timeout, with the remedy."""
    keep(bus, "north", 1)
    began = time.monotonic()
    assert call("bus", "last", "weather", "--timeout=30").code == 0
    assert time.monotonic() - began < 10.0
    ended = call("bus", "last", "other", "--timeout=0.1")
    assert ended.code == 3
    assert "nobody keeps a value of topic 'other'" in ended.error
    assert "<KeepLast>" in ended.error


def test_last_says_when_there_is_no_bus(call: Call) -> None:
    """Nobody at the endpoint is another thing than nobody who keeps."""
    ended = call("bus", "last", "weather", "--timeout=0.1", f"--listen={free_endpoint()}")
    assert ended.code == 3
    assert "nothing answers at" in ended.error


def test_echo_begins_with_what_is_kept(call: Call, bus: LocalBus) -> None:
    """The kept value comes first and is marked, in the line and in JSON."""
    keep(bus, "north", 1, 2)
    ended = call("bus", "echo", "weather", "--last", "--once", "--timeout=10")
    assert ended.code == 0
    assert "  weather  (kept) " in ended.out
    assert ended.out.endswith("  2\n")
    shown = json.loads(call("bus", "echo", "weather", "--last", "--once", "--json", "--timeout=10").out)
    assert shown["message"]["header"]["kept"] is True


def test_echo_of_everything_shows_no_answers_to_others(call: Call, bus: LocalBus) -> None:
    """What somebody else gets as a late joiner is not a message for who listens to everything."""
    keep(bus, "north", 1)
    done = threading.Event()

    def join() -> None:
        while not done.is_set():
            joiner = bus.subscriber()
            joiner.subscribe("weather", last=True)
            assert joiner.receive(10.0) is not None
            bus.bus().publish("end", 1)

    thread = threading.Thread(target=join)
    thread.start()
    try:
        ended = call("bus", "echo", "--count=5", "--timeout=10")
    finally:
        done.set()
        thread.join()
    assert ended.code == 0
    assert {line.split()[1] for line in ended.out.splitlines()} == {"end"}


def test_echo_last_needs_a_topic(call: Call, bus: LocalBus) -> None:
    """Everything has no last values."""
    ended = call("bus", "echo", "--last")
    assert ended.code == 2
    assert "--last needs a TOPIC" in ended.err


def test_pub_keep_stays_until_it_is_told_to_end(bus: LocalBus) -> None:
    """It publishes, says that it stays, answers joiners, and ends by Ctrl-C."""
    subscriber = bus.subscriber()
    subscriber.subscribe("weather", last=True)
    got: list[tuple[str, bytes] | None] = []

    command = ["bus", "pub", "weather", '{"celsius": 21.5}', "--keep", "--wait=5"]
    with subprocess.Popen(
        [sys.executable, "-m", "context_bus", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "kept until this command ends" in process.stderr.readline()
        got.append(subscriber.receive(10.0))
        late = bus.subscriber()
        late.subscribe("weather", last=True)
        got.append(late.receive(10.0))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == "published 1 message on weather\n"
    assert [each is not None and b"21.5" in each[1] for each in got] == [True, True]
