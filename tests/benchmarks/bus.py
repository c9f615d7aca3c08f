"""How fast the bus is, as ratios to bare pyzmq with msgspec on the same forwarder, and to its peers.

    python -m tests.benchmarks.bus [--quick] [--peers] [--only PART]

Every role is a process of its own; runs of all sides are interleaved, so that whatever else the machine
does meets all of them alike; medians are shown with the least and the most. ``frame`` is the bytes on
the wire of the bare side, ours are some 40 longer: the sender's name, by which gaps are exact.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import statistics
import sys
from collections.abc import Callable
from typing import Any

import zmq

from tests.benchmarks import bus_peers, bus_robust, bus_roles
from tests.benchmarks.bus_runs import Rate, interleaved, percentile, requests, throughput

#: Messages of one run, by size.
COUNTS = {"100 B": 150_000, "400 B": 150_000, "1.5 kB": 60_000, "10 kB": 12_000}
#: Messages of one run, by number of listeners.
FANOUT = {1: 100_000, 10: 15_000, 50: 3_000}

BARE = (bus_roles.bare_publisher, bus_roles.bare_subscriber)
SYNC = (bus_roles.our_publisher, bus_roles.our_subscriber)
ASYNC = (bus_roles.our_publisher, bus_roles.our_async_subscriber)
MANY = (bus_roles.our_batch_publisher, bus_roles.our_subscriber)


def main() -> int:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter runs: a look, not a measurement"
    )
    parser.add_argument("--peers", action="store_true", help="FastStream on NATS and nats-py beside us")
    parser.add_argument("--only", choices=PARTS, action="append", help="run this part; may be repeated")
    options = parser.parse_args()
    print(
        f"python {platform.python_version()}, pyzmq {zmq.__version__}, libzmq {zmq.zmq_version()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians [least..most]"
    )
    for name in options.only or [name for name in PARTS if name != "peers"]:
        PARTS[name](options.quick)
    if options.peers and "peers" not in (options.only or ()):
        peers(options.quick)
    return 0


def sizes(quick: bool) -> None:
    """Ours against bare by message size, with blocking and async handlers."""
    print("\ntyped publish -> forwarder -> typed handler, default settings, messages/s")
    for size, count in COUNTS.items():
        count = count // 3 if quick else count
        cases: dict[str, Callable[[], Rate]] = {
            name: functools.partial(throughput, *roles, size, count)
            for name, roles in (("bare", BARE), ("sync", SYNC), ("async", ASYNC))
        }
        results = interleaved(cases, 3 if quick else 7)
        print(f"  {size} (frame {bus_roles.frame_sizes(size)} B)")
        _show(results, "bare")
        _ratio("async / sync", results["async"], results["sync"])


def batches(quick: bool) -> None:
    """publish_many against one by one and against bare."""
    print("\npublish_many, 400 B, messages/s")
    count = 60_000 if quick else 200_000
    cases: dict[str, Callable[[], Rate]] = {
        "bare": functools.partial(throughput, *BARE, "400 B", count),
        "publish": functools.partial(throughput, *SYNC, "400 B", count),
        "publish_many": functools.partial(throughput, *MANY, "400 B", count),
    }
    _show(interleaved(cases, 3 if quick else 5), "bare")


def fanout(quick: bool) -> None:
    """More listeners, each a process."""
    print("\nlisteners, 400 B, messages delivered/s in total")
    for listeners, count in FANOUT.items():
        count = count // 3 if quick else count
        cases: dict[str, Callable[[], Rate]] = {
            f"bare x{listeners}": functools.partial(throughput, *BARE, "400 B", count, listeners),
            f"sync x{listeners}": functools.partial(throughput, *SYNC, "400 B", count, listeners),
        }
        _show(interleaved(cases, 2 if quick else 3), f"bare x{listeners}")


def asking(quick: bool) -> None:
    """Requests paced at 500/s against REQ/REP through a proxy; then 64 in flight."""
    print("\nrequest/reply, 400 B, paced 500/s, microseconds")
    count = 300 if quick else 1000
    cases: dict[str, Callable[[], Any]] = {
        name: functools.partial(requests, name, count, 500.0) for name in ("bare", "sync", "async")
    }
    _show_requests(interleaved(cases, 3 if quick else 5))


def robust(quick: bool) -> None:
    """Joining, many subscriptions, outages, frozen forwarders."""
    print("\nrobustness")
    joins = bus_robust.joins(200 if quick else 1000)
    print(
        f"  join: p50 {percentile(joins.seconds, 0.5) * 1e3:.2f} ms, "
        f"p99 {percentile(joins.seconds, 0.99) * 1e3:.2f} ms, "
        f"first messages lost {joins.lost} of {len(joins.seconds)}  (goal 10 ms, 0)"
    )
    for count, goal in ((10_000, 50), (50_000, 250)):
        spent = [bus_robust.subscriptions(count) for _ in range(3)]
        known = _spread([seconds * 1e3 for seconds in spent])
        print(f"  {count} subscriptions at once, all known after {known} ms  (goal {goal})")
    spent = [bus_robust.frozen() for _ in range(3)]
    print(f"  frozen forwarder reported after {_spread([s * 1e3 for s in spent])} ms  (goal 350)")
    for _ in range(1 if quick else 3):
        outage = bus_robust.outage()
        print(f"  forwarder killed, 0.5 s, 1000/s: lost {outage.lost}, reported {outage.reported}  (goal 5)")


def peers(quick: bool) -> None:
    """FastStream on NATS and nats-py beside us."""
    print("\npeers, 400 B")
    if reason := bus_peers.why_not():
        print(f"  not run: {reason}")
        return
    python = bus_peers.environment()
    cases: dict[str, Callable[[], Rate]] = {
        "faststream": functools.partial(
            bus_peers.throughput, python, "faststream", 5_000 if quick else 15_000
        ),
        "nats-py": functools.partial(bus_peers.throughput, python, "raw", 20_000 if quick else 80_000),
        "bare": functools.partial(throughput, *BARE, "400 B", 50_000 if quick else 150_000),
        "sync": functools.partial(throughput, *SYNC, "400 B", 50_000 if quick else 150_000),
        "async": functools.partial(throughput, *ASYNC, "400 B", 50_000 if quick else 150_000),
    }
    results = interleaved(cases, 2 if quick else 5)
    _show(results, "faststream")
    _ratio("sync / nats-py", results["sync"], results["nats-py"])
    count = 200 if quick else 700
    asked: dict[str, Callable[[], Any]] = {
        "bare": functools.partial(requests, "bare", count, 500.0),
        "faststream": functools.partial(bus_peers.requests, python, "faststream", count),
        "nats-py": functools.partial(bus_peers.requests, python, "raw", count),
        "sync": functools.partial(requests, "sync", count, 500.0),
        "async": functools.partial(requests, "async", count, 500.0),
    }
    print("  requests, paced 500/s, microseconds")
    _show_requests(interleaved(asked, 2 if quick else 3))


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f} [{min(values):,.0f}..{max(values):,.0f}]"


def _show(results: dict[str, list[Rate]], base: str) -> None:
    reference = statistics.median(rate.per_second for rate in results[base])
    for name, rates in results.items():
        speed = [rate.per_second for rate in rates]
        cpu = [statistics.median(getattr(rate, field) for rate in rates) for field in Rate._fields[2:]]
        cost = f"  cpu us/message {cpu[0]:.2f} + {cpu[1]:.2f}" if all(cpu) else ""
        lost = sum(rate.lost for rate in rates)
        ratio = statistics.median(speed) / reference
        print(f"    {name:14} {_spread(speed):>34}  {ratio:6.2f} of {base}{cost}  lost {lost}")


def _ratio(label: str, over: list[Rate], under: list[Rate]) -> None:
    ratio = statistics.median(r.per_second for r in over) / statistics.median(r.per_second for r in under)
    print(f"    {label:14} {ratio:.2f}")


def _show_requests(results: dict[str, list[Any]]) -> None:
    base: tuple[float, float] | None = None
    for name, runs in results.items():
        spent = [
            run[0] if isinstance(run, (tuple, list)) and isinstance(run[0], list) else run for run in runs
        ]
        p50, p99 = ([percentile(times, share) * 1e6 for times in spent] for share in (0.5, 0.99))
        base = base or (statistics.median(p50), statistics.median(p99))
        flight = [run[1] for run in runs if isinstance(run[0], list)]
        more = f"  64 in flight {_spread(flight)}/s" if flight else ""
        ratios = f"{statistics.median(p50) / base[0]:.2f}, {statistics.median(p99) / base[1]:.2f} of bare"
        print(f"    {name:12} p50 {_spread(p50)}  p99 {_spread(p99)}  {ratios}{more}")


PARTS: dict[str, Callable[[bool], None]] = {
    "sizes": sizes,
    "batches": batches,
    "fanout": fanout,
    "requests": asking,
    "robust": robust,
    "peers": peers,
}

if __name__ == "__main__":
    sys.exit(main())
