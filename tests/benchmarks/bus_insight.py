"""What insight costs, and whether it is true: ratios to the same without it, all sides in one run.

    python -m tests.benchmarks.bus_insight [--quick] [--only ROW] [--json FILE]

Every role is a process of its own; sides are interleaved, and medians are shown.
"""

from __future__ import annotations

import argparse
import bisect
import functools
import itertools
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from context_bus.bus.forwarder import Forwarder, Policy
from tests.benchmarks import bus_insight_roles as roles
from tests.benchmarks.bus_runs import Role, interleaved, percentile, running

#: One row of the result: what, the figure, its goal, whether it is met, and words.
Row = dict[str, Any]


def main() -> int:
    """Run the rows asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: a look")
    parser.add_argument("--only", choices=ROWS, action="append", help="run this row; may be repeated")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians")
    rows: list[Row] = []
    for name in options.only or ROWS:
        for row in ROWS[name](options.quick):
            rows.append(row)
            mark = "" if row["met"] is None else "  met" if row["met"] else "  NOT MET"
            print(f"  {row['what']:<66} {row['figure']:>9.4g}  (goal {row['goal']}){mark}  {row['words']}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))
    return 0


def _row(what: str, figure: float, goal: str, met: bool | None, words: str = "") -> Row:
    return {"what": what, "figure": figure, "goal": goal, "met": met, "words": words}


# -- the forwarder ---------------------------------------------------------------------------------


def raw(kind: str, count: int) -> tuple[float, int]:
    """Messages a second of a raw stream, and how many were lost, through one kind of forwarder."""
    if kind == "zmq.proxy":
        proxy = Role(roles.plain_proxy)
        publish_to, listen_on = proxy.hear()
        try:
            return _raw(publish_to, listen_on, count)
        finally:
            proxy.process.kill()
            proxy.end()
    with Forwarder(policy="block") as forwarder:
        if kind == "counters":
            with _asked(forwarder):
                return _raw(forwarder.publish_to, forwarder.listen_on, count)
        ends = (forwarder.listen_on, forwarder.publish_to)
        watch = Role(roles.watcher, *ends)
        hear = Role(roles.hearing, *ends, "beside", 0.0)
        with running(watch, hear):
            hear.hear()
            flood = Role(roles.flooding, forwarder.publish_to, "beside", 600.0, 1000.0)
            try:
                flood.hear()
                flood.say("go")
                watch.hear()
                return _raw(forwarder.publish_to, forwarder.listen_on, count)
            finally:
                flood.process.kill()
                flood.end()


@contextmanager
def _asked(forwarder: Forwarder) -> Iterator[None]:
    """Ask a forwarder for its counters ten times a second meanwhile."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.1):
            forwarder.statistics()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _raw(publish_to: str, listen_on: str, count: int) -> tuple[float, int]:
    sub = Role(roles.raw_subscriber, listen_on)
    with running(sub):
        sub.hear()
        pub = Role(roles.raw_publisher, publish_to, count)
        with running(pub):
            pub.hear()
            pub.say("go")
            began = pub.hear()
            ended, got = sub.hear()
            return got / (ended - began), count - got


def forwarding(quick: bool) -> Iterator[Row]:
    """The forwarder while it is asked, and while nodes beside the stream report to a watcher."""
    count = 300_000 if quick else 1_500_000
    kinds = ("zmq.proxy", "counters", "watched")
    cases = {kind: functools.partial(raw, kind, count) for kind in kinds}
    found = interleaved(cases, 3 if quick else 5)
    speed = {kind: statistics.median(each[0] for each in found[kind]) for kind in kinds}
    lost = sum(each[1] for kind in kinds for each in found[kind])
    proxy = speed["zmq.proxy"]
    words = f"{speed['counters']:,.0f} of {proxy:,.0f}/s"
    ratio = speed["counters"] / proxy
    yield _row(
        "8: forwarder, its counters asked 10 times a second / zmq.proxy",
        ratio,
        ">= 0.95",
        ratio >= 0.95,
        words,
    )
    ratio = speed["watched"] / proxy
    words = f"{speed['watched']:,.0f}/s, lost {lost}"
    yield _row(
        "9: forwarder with statistics by topic, lossless / zmq.proxy",
        ratio,
        ">= 0.70",
        ratio >= 0.7 and not lost,
        words,
    )


# -- what being watched costs a stream ---------------------------------------------------------------


def stream(kind: str, seconds: float, policy: Policy = "drop") -> dict[str, Any]:
    """Our publisher at full speed to our handler, watched or not, or measured by a command."""
    with Forwarder(policy=policy) as forwarder:
        ends = (forwarder.listen_on, forwarder.publish_to)
        hear = Role(roles.hearing, *ends, "flood", 0.0)
        others = [Role(roles.watcher, *ends)] if kind == "watched" else []
        with running(hear, *others):
            hear.hear()
            flood = Role(roles.flooding, forwarder.publish_to, "flood", seconds)
            with running(flood):
                flood.hear()
                flood.say("go")
                for other in others:
                    other.hear()
                tool = _measure(forwarder.listen_on, seconds) if kind == "measured" else None
                sent, took, cpu, line = flood.hear()
                time.sleep(0.5)
                hear.say("stop")
                heard, heard_in, stats, _, handling = hear.hear()
                flood.say("end")
                flood.hear()
                return {
                    "rate": heard / heard_in,
                    "sent": sent / took,
                    "cpu": cpu / sent,
                    "handling": handling,
                    "lost": stats.lost,
                    "tool": tool,
                    "line": line,
                }


def _measure(listen_on: str, seconds: float) -> dict[str, Any]:
    """Measure rates for most of a run: the reports, each with its time, and the share of a core it took."""
    tool = Role(roles.measuring, listen_on, int(seconds) - 2)
    with running(tool):
        reports, cpu = tool.hear()
    return {"reports": reports, "cpu": cpu / (reports[-1][0] - reports[0][0] + 1.0)}


def watched(quick: bool) -> Iterator[Row]:
    """The same stream with and without somebody who watches."""
    seconds = 2.0 if quick else 4.0
    cases = {kind: functools.partial(stream, kind, seconds) for kind in ("unwatched", "watched")}
    found = interleaved(cases, 3 if quick else 7)
    speed = {kind: statistics.median(each["rate"] for each in found[kind]) for kind in found}
    ratio = speed["watched"] / speed["unwatched"]
    words = f"{speed['watched']:,.0f} of {speed['unwatched']:,.0f}/s"
    yield _row("stream at full speed, watched / unwatched", ratio, ">= 0.97", ratio >= 0.97, words)
    for name, what in (("cpu", "publishing"), ("handling", "handling")):
        cost = {kind: statistics.median(each[name] for each in found[kind]) for kind in found}
        ratio = cost["watched"] / cost["unwatched"]
        words = f"{cost['watched'] * 1e6:.2f} of {cost['unwatched'] * 1e6:.2f} us a message"
        yield _row(f"processor time of {what}, watched / unwatched", ratio, "<= 1.05", ratio <= 1.05, words)


def measured(quick: bool) -> Iterator[Row]:
    """What ``hz`` and ``bw`` say at full speed, and what they cost; both are one measurement."""
    cases = {kind: functools.partial(stream, kind, 7.0) for kind in ("alone", "measured")}
    found = interleaved(cases, 2 if quick else 5)
    alone, beside = (statistics.median(each["sent"] for each in found[kind]) for kind in cases)
    for name, field in (("hz", "rate"), ("bw", "bytes_per_second")):
        errors = [_error(each, field) for each in found["measured"]]
        error = max(map(abs, errors))
        words = f"at {alone:,.0f}/s; of each run: " + ", ".join(f"{each:+.2%}" for each in errors)
        yield _row(f"22: bus {name}, greatest error at full speed", error, "<= 0.01", error <= 0.01, words)
    cost = 1 - beside / alone
    cpu = statistics.median(each["tool"]["cpu"] for each in found["measured"])
    words = f"{beside:,.0f} of {alone:,.0f}/s; it takes {cpu:.1%} of a core"
    yield _row("22: bus hz or bw, share of the throughput it costs", cost, "< 0.03", cost < 0.03, words)


def _error(run: dict[str, Any], field: str) -> float:
    """By what share the reports after the first differ from what was sent between the first and the last."""
    reports = run["tool"]["reports"]
    told = sum(
        getattr(rate, field) * (at - before) for (before, _), (at, rate) in itertools.pairwise(reports)
    )
    true = _sent_by(run["line"], reports[-1][0]) - _sent_by(run["line"], reports[0][0])
    if field == "bytes_per_second":  # all frames are alike but for the digits of two numbers
        true *= statistics.mean((rate.smallest + rate.largest) / 2 for _, rate in reports)
    return float(told / true - 1)


def _sent_by(line: list[tuple[float, int]], at: float) -> float:
    """How many had been sent at a time."""
    place = bisect.bisect_left(line, (at, 0))
    (before, sent), (after, more) = line[place - 1], line[place]
    return sent + (more - sent) * (at - before) / (after - before)


# -- losses -----------------------------------------------------------------------------------------


def drops(kind: str, seconds: float) -> dict[str, Any]:
    """A flood to a slow handler; what was sent, what came, and what the watcher says of it."""
    policy: Policy = "block" if kind == "block" else "drop"
    with Forwarder(policy=policy, hwm=1000) as forwarder:
        ends = (forwarder.listen_on, forwarder.publish_to)
        delivery = "conflate" if kind == "conflate" else "queue"
        pause = 0.01 if kind == "conflate" else 0.0005
        hear, watch = Role(roles.hearing, *ends, "flood", pause, delivery), Role(roles.watcher, *ends)
        with running(hear, watch):
            hear.hear()
            floods, senders = [], []
            for _ in range(2):
                floods.append(Role(roles.flooding, forwarder.publish_to, "flood", seconds))
                senders.append(floods[-1].hear())
                time.sleep(0.3)  # its first message is handled before the next one's would replace it
            with running(*floods):
                for flood in floods:
                    flood.say("go")
                watch.hear()
                for flood in floods:
                    flood.hear()
                hear.say("fast")  # so that it gets through its queue
                time.sleep(1.5)
                for flood in floods:
                    flood.say("end")
                sent = dict(zip(senders, (flood.hear() for flood in floods), strict=True))
                time.sleep(0.5)
                watch.say("last")
                _, rows = watch.hear()
                hear.say("stop")
                heard, _, stats, *_ = hear.hear()
        found = {row.sender: row for row in rows if row.topic == "flood"}
        return {"sent": sent, "rows": found, "heard": heard, "stats": stats}


def exact(quick: bool) -> Iterator[Row]:
    """What is reported to be missing is what is missing, by sender."""
    for kind in ("block", "drop", "conflate"):
        run = drops(kind, 0.5 if kind == "block" else 1.5)
        rows, stats = run["rows"], run["stats"]
        missing = sum(run["sent"].values()) - run["heard"]
        wrong = 0
        for sender, sent in run["sent"].items():
            row = rows[sender]
            reported = row.lost + row.conflated
            wrong += abs(row.messages - sent) + abs(sent - row.received - reported)
        wrong += abs(missing - sum(row.lost + row.conflated for row in rows.values()))
        own = stats.lost + stats.conflated
        words = (
            f"sent {sum(run['sent'].values()):,}, missing {missing:,}, as the handler's node counts {own:,}"
        )
        yield _row(
            f"16: {kind}: messages by which reports differ from the truth", wrong, "0", wrong == 0, words
        )


# -- slow and late ---------------------------------------------------------------------------------


def neighbour(with_slow: bool, seconds: float) -> float:
    """Messages a second at a fast handler, alone or beside one that takes 1000 a second."""
    with Forwarder() as forwarder:
        ends = (forwarder.listen_on, forwarder.publish_to)
        fast = Role(roles.hearing, *ends, "flood", 0.0)
        slow = [Role(roles.hearing, *ends, "flood", 0.001)] if with_slow else []
        with running(fast, *slow):
            for each in (fast, *slow):
                each.hear()
            flood = Role(roles.flooding, forwarder.publish_to, "flood", seconds)
            with running(flood):
                flood.hear()
                flood.say("go")
                flood.hear()
                fast.say("stop")
                heard, took, *_ = fast.hear()
                for each in slow:
                    each.say("stop")
                    each.hear()
                flood.say("end")
                flood.hear()
                return float(heard / took)


def slow_neighbour(quick: bool) -> Iterator[Row]:
    """What a slow listener costs a fast one beside it."""
    seconds = 2.0 if quick else 4.0
    cases = {name: functools.partial(neighbour, name == "beside", seconds) for name in ("alone", "beside")}
    found = interleaved(cases, 3 if quick else 5)
    alone, beside = (statistics.median(found[name]) for name in ("alone", "beside"))
    ratio = beside / alone
    words = f"{beside:,.0f} of {alone:,.0f}/s"
    yield _row("17: fast handler beside a slow one, drop / alone", ratio, ">= 0.8", ratio >= 0.8, words)


def newest(quick: bool) -> Iterator[Row]:
    """How old the newest value is for a handler that takes 100 a second of 20,000."""
    ages: dict[str, list[float]] = {}
    for policy in ("conflate", "queue"):
        with Forwarder() as forwarder:
            ends = (forwarder.listen_on, forwarder.publish_to)
            hear = Role(roles.hearing, *ends, "flood", 0.01, policy)
            with running(hear):
                hear.hear()
                flood = Role(roles.flooding, forwarder.publish_to, "flood", 2.0 if quick else 5.0, 20_000.0)
                with running(flood):
                    flood.hear()
                    flood.say("go")
                    flood.hear()
                    hear.say("stop")
                    ages[policy] = hear.hear()[3]
                    flood.say("end")
                    flood.hear()
    p50, p99 = (percentile(ages["conflate"], share) for share in (0.5, 0.99))
    words = f"p99 {p99 * 1e3:.2f} ms; queued: p50 {percentile(ages['queue'], 0.5) * 1e3:,.0f} ms"
    yield _row("18: age of a conflated value, p50, milliseconds", p50 * 1e3, "<= 2", p50 <= 0.002, words)


ROWS: dict[str, Callable[[bool], Iterator[Row]]] = {
    "forwarding": forwarding,
    "watched": watched,
    "exact": exact,
    "neighbour": slow_neighbour,
    "newest": newest,
    "measured": measured,
}

if __name__ == "__main__":
    sys.exit(main())
