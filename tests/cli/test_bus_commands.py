"""``context-bus bus``: what each command prints, and its exit code, on a real bus."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from context_bus.bus.node import Bus
from context_bus.client.conversation import Conversation
from context_bus.client.endpoints import Endpoints
from context_bus.testing.bus import LocalBus
from tests.cli.conftest import Call


@contextmanager
def chatter(bus: LocalBus, topic: str = "numbers", *, many: int = 0) -> Iterator[None]:
    """Somebody who publishes numbers, ten milliseconds apart, once somebody listens."""
    node = bus.bus(service_name="counter")
    stop = threading.Event()

    def chat() -> None:
        node.publisher.wait_for_subscriber(topic, 10.0)
        number = 0
        while not stop.wait(0.01):
            number += 1
            if many:
                node.publish_many(topic, list(range(many)))
            else:
                node.publish(topic, {"number": number, "half": number / 2}, action="updated")

    thread = threading.Thread(target=chat, name="chatter")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


# -- echo ----------------------------------------------------------------------------------------


def test_echo_once_prints_one_line(call: Call, bus: LocalBus) -> None:
    """Time, topic, routing words, content."""
    with chatter(bus):
        ended = call("bus", "echo", "numbers", "--once")
    assert ended.code == 0
    (line,) = ended.out.splitlines()
    assert "  numbers  updated counter  {" in line
    assert ended.err == ""


def test_echo_field_filter_and_count(call: Call, bus: LocalBus) -> None:
    """Only what fulfils the condition counts, and only the field is printed."""
    with chatter(bus):
        ended = call(
            "bus", "echo", "numbers", "--count=3", "--field=content.half", "--filter", "content.number > 5"
        )
    halves = [float(line) for line in ended.out.splitlines()]
    assert len(halves) == 3
    assert all(half > 2.5 for half in halves)


def test_echo_json_is_an_object_a_line(call: Call, bus: LocalBus) -> None:
    """Each line holds topic, time and message."""
    with chatter(bus):
        ended = call("bus", "echo", "numbers", "--count=2", "--json")
    first, second = (json.loads(line) for line in ended.out.splitlines())
    assert first["topic"] == "numbers"
    assert first["message"]["content"]["number"] + 1 == second["message"]["content"]["number"]
    assert first["received_at"] == pytest.approx(time.time(), abs=60)


def test_echo_raw_is_the_frame(call: Call, bus: LocalBus) -> None:
    """``--raw`` prints the bytes as they came."""
    with chatter(bus):
        ended = call("bus", "echo", "numbers", "--once", "--raw")
    assert ended.out.startswith('numbers @@@ {"header":{')


def test_echo_takes_joined_messages_apart(call: Call, bus: LocalBus) -> None:
    """What ``publish_many`` sent in a frame is printed and counted one by one."""
    with chatter(bus, many=10):
        ended = call("bus", "echo", "numbers", "--count=4", "--field=content")
    assert ended.out.split() == ["0", "1", "2", "3"]


def test_echo_timeout_is_an_error_that_counts(call: Call, bus: LocalBus) -> None:
    """Nothing to print in time: one line, and how much came that was not wanted."""
    assert call("bus", "echo", "silence", "--timeout=0.1").error == "no message within 0.1 s"
    with chatter(bus):
        ended = call("bus", "echo", "numbers", "--timeout=0.5", "--filter", "content.number < 0")
    assert ended.code == 3
    assert "came that were not wanted" in ended.error


def test_echo_leaves_out_context_information(call: Call, bus: LocalBus) -> None:
    """``--no-info`` passes over the provider's broadcasts."""
    node = bus.bus(service_name="context")
    done = threading.Event()

    def send() -> None:
        node.publisher.wait_for_subscriber("control", 10.0)
        node.publish("control", {"status": {"device_action": "context_info"}})
        node.publish("control", {"status": {"device_action": "shout"}})
        done.set()

    thread = threading.Thread(target=send)
    thread.start()
    ended = call("bus", "echo", "control", "--once", "--no-info", "--field=content.status.device_action")
    thread.join()
    assert done.is_set()
    assert ended.out == "shout\n"


# -- pub -----------------------------------------------------------------------------------------


def test_pub_reaches_a_listener_with_its_header(call: Call, bus: LocalBus) -> None:
    """What is published arrives, templates filled in, header fields as the flags say."""
    listener = bus.subscriber("weather")
    ended = call(
        "bus", "pub", "weather", '{"n": {count}}', "--times=3", "--action=updated", "--service_id=ts_1",
        "--transaction=TX", "--wait=5",
    )  # fmt: skip
    assert (ended.code, ended.out) == (0, "published 3 messages on weather\n")
    messages = []
    for _ in range(3):
        received = listener.receive(5.0)
        assert received is not None
        messages.append(json.loads(received[1]))
    assert [message["content"]["n"] for message in messages] == [1, 2, 3]
    assert {message["header"]["sequence"] for message in messages} == {1, 2, 3}
    header = messages[0]["header"]
    assert (header["action"], header["service_id"], header["service_transaction"]) == (
        "updated",
        "ts_1",
        "TX",
    )


def test_pub_says_when_nobody_listens(call: Call, bus: LocalBus) -> None:
    """A message to nobody is no error, but it is said; with ``--wait`` it is one."""
    assert call("bus", "pub", "void", "1").out == "published 1 message on void; nobody listens to it\n"
    assert json.loads(call("bus", "pub", "void", "1", "--json").out) == {
        "topic": "void",
        "sent": 1,
        "heard": False,
    }
    ended = call("bus", "pub", "void", "1", "--wait=0.1")
    assert ended.code == 3
    assert "nobody listens to topic 'void'" in ended.err


def test_pub_keeps_its_rate(call: Call, bus: LocalBus) -> None:
    """Twenty-one messages at 100 a second take a fifth of a second, not less."""
    began = time.monotonic()
    assert call("bus", "pub", "void", "1", "--rate=100", "--times=21", "--json").code == 0
    assert time.monotonic() - began >= 0.2


# -- req -----------------------------------------------------------------------------------------


def test_req_prints_the_reply(call: Call, squares: Bus) -> None:
    """The content of the reply is the result."""
    assert call("bus", "req", "square", "12").out == "144\n"
    reply = json.loads(call("bus", "req", "square", "12", "--json").out)
    assert reply["content"] == 144
    assert reply["header"]["service_name"] == "calculator"
    assert 0 < reply["milliseconds"] < 5000


def test_req_that_fails_is_an_error(call: Call, squares: Bus) -> None:
    """The words of the other side, and 3."""
    ended = call("bus", "req", "square", "13")
    assert ended.code == 3
    assert "error: the other side failed: ValueError: unlucky" in ended.err.splitlines()


def test_req_to_nobody_is_told_at_once(call: Call, bus: LocalBus) -> None:
    """Where nobody listens there is nothing to wait for."""
    began = time.monotonic()
    ended = call("bus", "req", "nothing", "1", "--timeout=30")
    assert ended.code == 3
    assert "nobody listens to requests on topic 'nothing'" in ended.error
    assert time.monotonic() - began < 10


def test_req_without_an_answer_times_out(call: Call, bus: LocalBus) -> None:
    """Somebody listens and says nothing."""
    listener = bus.subscriber("deaf")
    ended = call("bus", "req", "deaf", "1", "--timeout=0.2")
    assert ended.code == 3
    assert ended.error == "no reply on topic 'deaf' within 0.2 s"
    assert listener.receive(5.0) is not None


def test_req_collects_replies(call: Call, squares: Bus, bus: LocalBus) -> None:
    """``--replies`` waits for several and is content with fewer."""
    ended = call("bus", "req", "square", "3", "--replies=2", "--timeout=0.3")
    assert (ended.code, ended.out) == (0, "9\n")
    assert "1 of 2 replies" in ended.err


# -- hz, bw, latency -----------------------------------------------------------------------------


def test_hz_counts_messages_not_frames(call: Call, bus: LocalBus) -> None:
    """A frame of ten messages is ten messages; the figures go together."""
    with chatter(bus, many=10):
        ended = call("bus", "hz", "numbers", "--count=1", "--json")
    rate = json.loads(ended.out)
    assert rate["total"] % 10 == 0
    assert 200 < rate["rate"] <= 1001
    assert rate["shortest"] <= 1 / rate["rate"] <= rate["longest"]


def test_bw_counts_bytes(call: Call, bus: LocalBus) -> None:
    """Bytes a second are bytes a message times messages a second."""
    with chatter(bus):
        rate = json.loads(call("bus", "bw", "numbers", "--count=1", "--json").out)
    mean = rate["bytes_per_second"] / rate["rate"]
    assert rate["smallest"] <= mean <= rate["largest"]
    assert 100 < mean < 400


@pytest.mark.parametrize("command", ["hz", "bw"])
def test_rates_are_printed_for_people(call: Call, bus: LocalBus, command: str) -> None:
    """A line a second, in the words of ROS."""
    with chatter(bus):
        ended = call("bus", command, "numbers", "--count=1", "--window=20")
    assert ended.out.startswith("average rate: " if command == "hz" else "")
    assert "window: 2" in ended.out
    assert "/s" in ended.out


def test_silence_is_no_rate(call: Call, bus: LocalBus) -> None:
    """Nothing to measure is an error."""
    ended = call("bus", "hz", "silence", "--timeout=0.2")
    assert (ended.code, ended.error) == (3, "no message within 0.2 s")


def test_latency_measures_the_way_round(call: Call, bus: LocalBus) -> None:
    """Percentiles grow, nothing is lost."""
    figures = json.loads(call("bus", "latency", "--count=50", "--json").out)
    assert (figures["messages"], figures["lost"]) == (50, 0)
    ordered = [figures[name] for name in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert ordered == sorted(ordered)
    assert 10 < ordered[1] < 1_000_000
    assert "P99.9" in call("bus", "latency", "--count=10", "--rate=1000").out


# -- wrong input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["echo", "--count=0"], "'--count'"),
        (["echo", "--count=many"], "'--count'"),
        (["echo", "--timeout=-1"], "'--timeout'"),
        (["echo", "--listen=nowhere"], "'--listen'"),
        (["echo", "--filter=foo("], "--filter"),
        (["echo", "a@@@b"], "cannot be sent"),
        (["echo", "--raw", "--json"], "--raw"),
        (["echo", "--context_file=nowhere.xml"], "no such file"),
        (["pub"], "missing argument 'TOPIC'"),
        (["pub", "t"], "missing argument 'JSON'"),
        (["pub", "t", "text"], "not JSON"),
        (["pub", "t", "1", "--rate=0"], "'--rate'"),
        (["pub", "t", "1", "--times=-2"], "'--times'"),
        (["pub", "", "1"], "cannot be sent"),
        (["req", "t", "{"], "not JSON"),
        (["req", "t", "--replies=0"], "'--replies'"),
        (["hz", "--window=1"], "'--window'"),
        (["latency", "--size=0"], "'--size'"),
        (["latency", "--publish=tcp://127.0.0.1:99999"], "out of range"),
        (["ecko"], "did you mean 'echo'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_input_is_one_line(call: Call, bus: LocalBus, args: list[str], words: str) -> None:
    """Every wrong flag, topic, file and endpoint gives one clear line and a non-zero exit."""
    ended = call("bus", *args)
    assert ended.code in {2, 3}
    assert words in ended.error


@pytest.mark.parametrize("command", [["pub", "t", "1"], ["req", "t"], ["latency"]])
def test_missing_bus_is_one_line(call: Call, command: list[str]) -> None:
    """Where no forwarder is, that is said within seconds."""
    ended = call("bus", *command, "--publish=tcp://127.0.0.1:1", "--listen=tcp://127.0.0.1:2")
    assert ended.code == 3
    assert "no forwarder joins tcp://127.0.0.1:1 with tcp://127.0.0.1:2" in ended.error


def test_endpoints_come_from_the_file_unless_a_flag_says_otherwise(
    call: Call, bus: LocalBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flag, then environment, then file."""
    file = tmp_path / "Context-X.xml"
    file.write_text(
        f"<Context><FrontEndEndpoint>{bus.listen_on}</FrontEndEndpoint><BackendEndpoint>{bus.publish_to}"
        f"</BackendEndpoint><FrontBind>{bus.publish_to}</FrontBind><BackendBind>{bus.listen_on}</BackendBind>"
        "<TaskLogName>X</TaskLogName></Context>"
    )
    monkeypatch.setenv("CONTEXT_BUS_PUBLISH", "tcp://127.0.0.1:1")
    monkeypatch.delenv("CONTEXT_BUS_LISTEN")
    flag = f"--publish={bus.publish_to}"
    assert call("bus", "latency", "--count=1", f"--context_file={file}", flag).code == 0
    monkeypatch.delenv("CONTEXT_BUS_PUBLISH")
    assert call("bus", "latency", "--count=1", f"--context_file={file}").code == 0


def test_conversation_lets_only_its_own_answers_through(bus: LocalBus) -> None:
    """An answer with another request's id in our inbox is not ours."""
    with Conversation(Endpoints(bus.listen_on, bus.publish_to)) as conversation:
        conversation.open()
        for request_id in ("another", conversation.request_id):
            conversation.send(
                conversation.inbox, {"header": {"request_id": request_id}, "content": request_id}
            )
        conversation.send(conversation.inbox, "not a message")
        answers = conversation.answers(time.monotonic() + 5)
        _, header, content = next(answers)
        assert header.request_id == conversation.request_id
        assert bytes(content) == f'"{conversation.request_id}"'.encode()


# -- top, list -----------------------------------------------------------------------------------


def test_top_shows_rates_by_topic_and_sender(call: Call, bus: LocalBus) -> None:
    """A table a second, the busiest first; each is an object with the rows as JSON."""
    with chatter(bus), serving_numbers(bus):
        sight = json.loads(call("bus", "top", "--once", "--json").out)
        ended = call("bus", "top", "numbers", "--count=2")
    row = next(row for row in sight["rows"] if row["topic"] == "numbers")
    assert 20 < row["rate"] < 110
    assert (row["lost"], row["receivers"]) == (0, 1)
    assert (row["service_name"], row["sender"].startswith("node.")) == ("counter", True)
    assert 0 < row["p50"] <= row["p99"]
    lines = ended.out.splitlines()
    assert [line.split()[0] for line in lines] == ["TOPIC", "numbers", "TOPIC", "numbers"]


def test_list_shows_topics_and_who_listens(call: Call, bus: LocalBus) -> None:
    """Of all senders of a topic together."""
    lonely = bus.bus(service_id="ts_lonely")
    with chatter(bus), serving_numbers(bus) as node:
        node.publish("unheard", 1)
        topics = {each["topic"]: each for each in json.loads(call("bus", "list", "--json").out)}
        assert "numbers" in call("bus", "list").out
    lonely.close()
    assert topics["numbers"]["listened"]
    assert not topics["unheard"]["listened"]
    assert topics["unheard"]["messages"] == 1


def test_top_of_a_bus_without_traffic_says_so(call: Call, bus: LocalBus) -> None:
    """Nothing to show is no error."""
    ended = call("bus", "top", "--once")
    assert (ended.code, ended.out, ended.err) == (0, "", "no node reports any traffic yet\n")


@contextmanager
def serving_numbers(bus: LocalBus) -> Iterator[Bus]:
    """Somebody who listens to the numbers."""
    node = bus.bus()
    node.subscribe("numbers", lambda content: None)
    thread = threading.Thread(target=node.serve)
    thread.start()
    try:
        yield node
    finally:
        node.stop()
        thread.join()


def test_hz_of_a_flood_looks_at_some_and_is_exact(call: Call, bus: LocalBus) -> None:
    """Above ten thousand a second the numbers tell what was not received."""
    node, over = bus.bus(), threading.Event()
    counted: list[tuple[float, int]] = []

    def flood() -> None:
        began, sent = time.monotonic(), 0
        while not over.wait(0.001):
            due = int((time.monotonic() - began) * 20_000)
            for _ in range(due - sent):
                node.publish("flood", {"number": sent})
            sent = due
            counted.append((time.monotonic(), sent))

    before = bus.statistics().sent
    with serving_numbers(bus):
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            reports = [
                json.loads(line)
                for line in call("bus", "hz", "flood", "--count=3", "--json").out.splitlines()
            ]
        finally:
            over.set()
            thread.join()
    passed = bus.statistics().sent - before
    # A burst of what was due more or less is all that may differ, on a machine that may be busy.
    assert all(17_000 < report["rate"] < 23_000 for report in reports)
    assert reports[-1]["total"] > 35_000
    assert passed < 0.4 * counted[-1][1], "it has received more than some"
