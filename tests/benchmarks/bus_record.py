"""How fast the recorder is, against bare pyzmq on the same forwarder; and how true a replay is to time.

    python -m tests.benchmarks.bus_record [--quick] [--json]

Every role is a process of its own; runs of all sides are interleaved. The forwarder blocks, so that the
rate is one at which nothing is lost, and what the recorder missed is counted all the same.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zmq

from context_bus.bus import sockets
from context_bus.bus.forwarder import Forwarder
from context_bus.bus.player import Player
from context_bus.bus.publisher import Publisher
from context_bus.bus.recorder import Recorder
from context_bus.bus.recording import About, Writer
from context_bus.bus.recording_reader import Recording
from tests.benchmarks.bus_roles import content_of
from tests.benchmarks.bus_runs import Role, interleaved, percentile, running

TOPIC = "process"
#: Messages of one run, by size.
COUNTS = {"400 B": 300_000, "1.5 kB": 120_000}
#: Different frames that a publisher sends in turn; the recorder has to read the number of each.
PREPARED = 50_000


class Run(NamedTuple):
    """What one run came to."""

    per_second: float
    missed: int
    cpu_us: float


def frames_of(size: str, count: int) -> list[bytes]:
    """Frames as our publisher makes them, numbered from 1."""
    content = msgspec.json.encode(content_of(size))
    head = (
        TOPIC.encode()
        + b' @@@ {"header":{"action":"updated","service_id":"ts_100","service_name":"state_update",'
        + b'"service_transaction":"6FDAHH3WPRVV7FGZCRIN","sender":"ts_100.1.1.abcdef","sequence":'
    )
    return [b'%b%d,"sent_at":1.5},"content":%b}' % (head, number, content) for number in range(1, count + 1)]


def bare_publisher(pipe: Connection, publish_to: str, size: str, count: int) -> None:
    """Sends ready frames as fast as they are taken."""
    frames = frames_of(size, count)
    context = zmq.Context()
    sock = sockets.publisher_socket(context, publish_to, send_timeout=60.0, hwm=1000)
    while sock.recv()[:1] != b"\x01":
        pass
    pipe.send("up")
    pipe.recv()
    began = time.perf_counter()
    send = sock.send
    for frame in frames:
        send(frame)
    send(b"end @@@ {}")
    pipe.send(began)
    pipe.recv()
    sock.close(0)
    context.term()


def bare_subscriber(pipe: Connection, listen_on: str, size: str, count: int) -> None:
    """Receives and counts."""
    context = zmq.Context()
    sock = sockets.subscriber_socket(context, listen_on)
    sock.subscribe(b"")
    pipe.send("up")
    recv = sock.recv
    cpu, got = time.process_time(), 0
    while not recv().startswith(b"end"):
        got += 1
    pipe.send((time.perf_counter(), count - got, time.process_time() - cpu))
    pipe.recv()
    sock.close(0)
    context.term()


def recorder(pipe: Connection, listen_on: str, size: str, count: int, *, deflate: bool = False) -> None:
    """Records into a file of its own, until the last message is in it."""
    with tempfile.NamedTemporaryFile(dir=directory(), buffering=0) as file:
        writer = Writer(file, About(), deflate=deflate)  # type: ignore[arg-type]
        with Recorder(listen_on, (), writer) as our:
            pipe.send("up")
            cpu = time.process_time()
            our.run(lambda: our.tallies.has("end"), until=120.0)
            our.finish()
            ended = time.perf_counter()
            missed = count + 1 - our.tallies.messages
            pipe.send((ended, missed, time.process_time() - cpu))
    pipe.recv()


def deflating_recorder(pipe: Connection, listen_on: str, size: str, count: int) -> None:
    """The same, compressed."""
    recorder(pipe, listen_on, size, count, deflate=True)


def directory() -> str:
    """Where recordings go; a disk, unless TMPDIR says otherwise."""
    return tempfile.gettempdir()


def rate(subscriber: Any, size: str, count: int) -> Run:
    """Messages a second from a bare publisher to one subscriber."""
    with Forwarder(policy="block") as forwarder:
        sub = Role(subscriber, forwarder.listen_on, size, count)
        with running(sub):
            sub.hear()
            pub = Role(bare_publisher, forwarder.publish_to, size, count)
            with running(pub):
                pub.hear()
                pub.say("go")
                began = pub.hear()
                ended, missed, cpu = sub.hear()
                return Run(count / (ended - began), missed, cpu / count * 1e6)


def write_paced(path: Path, count: int, per_second: int) -> None:
    """A recording with a message every so often, exactly."""
    frames = frames_of("400 B", count)
    with path.open("wb", buffering=0) as file:
        writer = Writer(file, About())  # type: ignore[arg-type]
        step = 1_000_000_000 // per_second
        for at in range(0, count, per_second):
            part = range(at, min(count, at + per_second))
            writer.write([number * step for number in part], [frames[number] for number in part])
        writer.finish([], count * step)


def replay(count: int, per_second: int) -> list[float]:
    """Seconds by which each message of a replay left later than it should have."""
    with tempfile.TemporaryDirectory() as home, Forwarder() as forwarder:
        path = Path(home) / "paced.rec"
        write_paced(path, count, per_second)
        with path.open("rb") as file, Publisher(forwarder.publish_to) as publisher:
            player = Player(Recording(file), publisher)
            late: list[float] = []
            began = 0.0
            for at in player.play():
                now = time.monotonic()
                began = began or now - at
                late.append(now - began - at)
            return [each - min(late) for each in late]


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: a look")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    options = parser.parse_args()
    figures: dict[str, Any] = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    for size, count in COUNTS.items():
        count = count // 4 if options.quick else count
        sides = {"bare": bare_subscriber, "recorder": recorder, "compressed": deflating_recorder}
        cases = {name: functools.partial(rate, side, size, count) for name, side in sides.items()}
        results = interleaved(cases, 3 if options.quick else 7)
        reference = statistics.median(run.per_second for run in results["bare"])
        for name, runs in results.items():
            speeds = [run.per_second for run in runs]
            figures[f"{name} {size}"] = {
                "per_second": round(statistics.median(speeds)),
                "least": round(min(speeds)),
                "most": round(max(speeds)),
                "ratio": round(statistics.median(speeds) / reference, 3),
                "missed": sum(run.missed for run in runs),
                "cpu_us": round(statistics.median(run.cpu_us for run in runs), 3),
            }
    late = replay(2_000 if options.quick else 10_000, 1000)
    figures["replay 1000/s, us late"] = {
        "p50": round(percentile(late, 0.5) * 1e6),
        "p99": round(percentile(late, 0.99) * 1e6),
        "max": round(max(late) * 1e6),
    }
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, values in figures.items():
            print(f"{name:24} {values}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
