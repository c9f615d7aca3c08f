"""What kept values cost and how soon a late joiner has them, beside the bare proxy in the same run.

    python -m tests.benchmarks.bus_last [--quick] [--json FILE]

Rows: the forwarder with last values against the bare proxy, a late joiner of 50 topics, joins, many topics
subscribed at once; and what keeping costs a publisher.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import zmq

from context_bus.bus.forwarder import Forwarder
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.kernel.message import SEPARATOR
from tests.benchmarks import bus_robust
from tests.benchmarks.bus_runs import Role, interleaved, percentile, running

#: Topics of which a late joiner wants the last value.
TOPICS = 50
#: Bytes of a raw frame.
SIZE = 400
#: Seconds between two joins while the forwarder is measured.
JOIN_EVERY = 0.02

Row = dict[str, object]


# -- roles ---------------------------------------------------------------------------------------


def bare_proxy(pipe: Connection) -> None:
    """The proxy of libzmq, lossless, and nothing else."""
    context = zmq.Context()
    front, back = context.socket(zmq.XSUB), context.socket(zmq.XPUB)
    back.set(zmq.XPUB_NODROP, 1)
    ends = [sock.bind_to_random_port("tcp://127.0.0.1") for sock in (front, back)]
    pipe.send([f"tcp://127.0.0.1:{port}" for port in ends])
    threading.Thread(target=zmq.proxy, args=(front, back), daemon=True).start()
    pipe.recv()
    os._exit(0)


def raw_subscriber(pipe: Connection, listen_on: str, count: int) -> None:
    """Counts frames of one topic."""
    sock = zmq.Context().socket(zmq.SUB)
    sock.rcvhwm = 1000
    sock.subscribe(b"raw" + SEPARATOR)
    sock.connect(listen_on)
    pipe.send("up")
    recv = sock.recv
    recv()
    for _ in range(count - 1):
        recv()
    pipe.send(time.monotonic())
    pipe.recv()
    os._exit(0)


def raw_publisher(pipe: Connection, publish_to: str, count: int) -> None:
    """Sends frames as fast as they are taken."""
    sock = zmq.Context().socket(zmq.XPUB)
    sock.set(zmq.XPUB_NODROP, 1)
    sock.connect(publish_to)
    while sock.recv() != b"\x01raw" + SEPARATOR:
        pass
    pipe.send("ready")
    pipe.recv()
    frame = b"raw" + SEPARATOR + b"x" * (SIZE - 8)
    begin, send = time.monotonic(), sock.send
    for _ in range(count):
        send(frame)
    pipe.send(begin)
    pipe.recv()
    os._exit(0)


def keeper(pipe: Connection, publish_to: str, topics: int) -> None:
    """Keeps a value of many topics and does nothing else."""
    with Publisher(publish_to) as publisher:
        names = [f"value.{number}" for number in range(topics)]
        publisher.keep(*names)
        for name in names:
            publisher.publish(name, {"name": name, "value": 20.5})
        pipe.send("kept")
        pipe.recv()


# -- the forwarder ------------------------------------------------------------------------


def forwarded(count: int, kind: str) -> float:
    """Frames a second through the bare proxy, ours, ours with kept values, and with late joiners besides."""
    if kind == "bare":
        proxy = Role(bare_proxy)
        with running(proxy):
            publish_to, listen_on = proxy.hear()
            return _stream(publish_to, listen_on, count, joining=False)
    with Forwarder(policy="block") as forwarder:
        ends = forwarder.publish_to, forwarder.listen_on
        if kind == "plain":
            return _stream(*ends, count, joining=False)
        holds = Role(keeper, forwarder.publish_to, TOPICS)
        with running(holds):
            holds.hear()
            return _stream(*ends, count, joining=kind == "joined")


def _stream(publish_to: str, listen_on: str, count: int, *, joining: bool) -> float:
    receives = Role(raw_subscriber, listen_on, count)
    with running(receives):
        receives.hear()
        sends = Role(raw_publisher, publish_to, count)
        with running(sends):
            sends.hear()
            stopping = threading.Event()
            joiner = threading.Thread(target=_keep_joining, args=(publish_to, listen_on, stopping))
            if joining:
                joiner.start()
            sends.say("go")
            begin = sends.hear()
            end = receives.hear()
            stopping.set()
            if joining:
                joiner.join()
            return float(count / (end - begin))


def _keep_joining(publish_to: str, listen_on: str, stopping: threading.Event) -> None:
    while not stopping.wait(JOIN_EVERY):
        join(listen_on, publish_to, TOPICS)


# -- late joiners -------------------------------------------------------------------------


def join(listen_on: str, publish_to: str, topics: int) -> float:
    """Seconds from the first of many subscriptions of a node on the bus until all values are there."""
    values = 0
    done = threading.Event()

    def take(value: dict[str, object]) -> None:
        nonlocal values
        values += 1
        if values == topics:
            done.set()

    with Bus(listen_on, publish_to) as node:
        begin = time.perf_counter()
        node._server.run(lambda: _subscribe_all(node, topics, take))
        thread = threading.Thread(target=node.serve)
        thread.start()
        assert done.wait(30.0), f"{values} of {topics}"
        spent = time.perf_counter() - begin
        node.stop()
        thread.join()
    assert values == topics
    return spent


def _subscribe_all(node: Bus, topics: int, take: Callable[[dict[str, object]], None]) -> None:
    from context_bus.bus.dispatch import inspect_handler

    spec = inspect_handler(take)
    for number in range(topics):
        node._listening.add(f"value.{number}", spec, conflate=False, last=True)


def late_joiners(topics: int, count: int) -> list[float]:
    """Milliseconds of each of many joins of a bus whose keeper does nothing."""
    with Forwarder() as forwarder:
        holds = Role(keeper, forwarder.publish_to, topics)
        with running(holds):
            holds.hear()
            spent = []
            for _ in range(count + 1):
                gc.collect()  # what is left of the joins before is no part of this one
                spent.append(join(forwarder.listen_on, forwarder.publish_to, topics) * 1e3)
            return spent[1:]


# -- what keeping costs a publisher ------------------------------------------------------------------


def publishing(kept: str, count: int) -> float:
    """Microseconds of one ``publish``; ``kept`` says which topic is: none, another, or the one published."""
    with Forwarder() as forwarder, Publisher(forwarder.publish_to) as publisher:
        if kept != "none":
            publisher.keep("stream" if kept == "stream" else "other")
        content = {"number": 1, "filling": "x" * 200}
        publisher.publish("other", content)
        for _ in range(count // 10):
            publisher.publish("stream", content)
        began = time.perf_counter()
        for _ in range(count):
            publisher.publish("stream", content)
        return (time.perf_counter() - began) / count * 1e6


# -- the run ---------------------------------------------------------------------------------------


def rows(quick: bool) -> list[Row]:
    """Everything measured, one row each."""
    found: list[Row] = []
    count = 200_000 if quick else 600_000
    kinds = {"bare": "bare proxy", "plain": "forwarder", "kept": "50 kept", "joined": "50 kept, joins"}
    speeds = interleaved(
        {name: functools.partial(forwarded, count, kind) for kind, name in kinds.items()}, 3 if quick else 7
    )
    base = statistics.median(speeds["bare proxy"])
    for name, values in speeds.items():
        ratio = statistics.median(values) / base
        found.append(_row(10, name, values, "messages/s", ratio=ratio, goal="0.45 of bare"))
    costs = interleaved(
        {
            kept: functools.partial(publishing, kept, 50_000 if quick else 200_000)
            for kept in ("none", "other", "stream")
        },
        3 if quick else 7,
    )
    base = statistics.median(costs["none"])
    for kept, values in costs.items():
        ratio = statistics.median(values) / base
        found.append(_row(10, f"publish, {kept} kept", values, "us", ratio=ratio))
    for topics, goal in ((TOPICS, "5 ms p99"), (1000, "")):
        spent = late_joiners(topics, (50 if quick else 300) if topics == TOPICS else 20)
        found.append(_row(11, f"late joiner of {topics} topics", spent, "ms", goal=goal))
    joins = bus_robust.joins(100 if quick else 1000)
    found.append(
        _row(12, f"join, {joins.lost} first lost", [s * 1e3 for s in joins.seconds], "ms", goal="10 ms p99")
    )
    for many, goal in ((10_000, "50 ms"), (50_000, "250 ms")):
        spent = [bus_robust.subscriptions(many) * 1e3 for _ in range(3 if quick else 7)]
        found.append(_row(15, f"{many} topics at once", spent, "ms", goal=goal))
    return found


def _row(
    goal_number: int, name: str, values: list[float], unit: str, *, goal: str = "", ratio: float = 0.0
) -> Row:
    row: Row = {"goal": goal_number, "what": name, "unit": unit, "wanted": goal, "runs": len(values)}
    row |= {"median": statistics.median(values), "least": min(values), "most": max(values)}
    if len(values) >= 20:
        row["p99"] = percentile(values, 0.99)
    if ratio:
        row["ratio"] = ratio
    return row


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: a look")
    parser.add_argument("--json", type=Path, help="write the rows to this file, too")
    options = parser.parse_args()
    print(f"libzmq {zmq.zmq_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    found = rows(options.quick)
    for row in found:
        p99 = f"  p99 {row['p99']:,.2f}" if "p99" in row else ""
        ratio = f"  {row['ratio']:.3f} of the first" if "ratio" in row else ""
        spread = f"{row['median']:,.2f} [{row['least']:,.2f}..{row['most']:,.2f}] {row['unit']}"
        print(f"{row['goal']:>3}  {row['what']:28} {spread:>44}{p99}{ratio}  {row['wanted']}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
