"""Runs of the bus benchmark: which processes make one, and what it measured. Nothing is left running."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from context_bus.bus.forwarder import Forwarder
from tests.benchmarks import bus_roles as roles

MULTIPROCESSING = multiprocessing.get_context("spawn")
#: Seconds any single answer of a role may take.
PATIENCE = 60.0


class Rate(NamedTuple):
    """What one throughput run came to."""

    per_second: float
    lost: int
    publisher_us: float
    subscriber_us: float


class Role:
    """One process and the pipe to it."""

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        self.pipe, theirs = MULTIPROCESSING.Pipe()
        self.process = MULTIPROCESSING.Process(target=target, args=(theirs, *args), daemon=True)
        self.process.start()
        theirs.close()

    def hear(self) -> Any:
        if not self.pipe.poll(PATIENCE):
            raise TimeoutError(f"{self.process.name} did not answer in {PATIENCE} s")
        return self.pipe.recv()

    def say(self, word: str) -> None:
        self.pipe.send(word)

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.pipe.send("end")
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


@contextlib.contextmanager
def running(*roles_: Role) -> Iterator[None]:
    try:
        yield
    finally:
        for role in roles_:
            role.end()


def throughput(
    publisher: Callable[..., None], subscriber: Callable[..., None], size: str, count: int, listeners: int = 1
) -> Rate:
    """Publish ``count`` messages through a new forwarder with default settings; the rate of delivery."""
    with Forwarder() as forwarder:
        tags = [f"tag{index}." for index in range(listeners)]
        subs = [Role(subscriber, forwarder.listen_on, forwarder.publish_to, size, tag) for tag in tags]
        with running(*subs):
            for sub in subs:
                sub.hear()
            pub = Role(publisher, forwarder.publish_to, size, count, tags)
            with running(pub):
                pub.hear()
                pub.say("go")
                begin, cpu = pub.hear()
                ends = [sub.hear() for sub in subs]
                last = max(end[0] for end in ends)
                delivered = sum(end[1] for end in ends)
                return Rate(
                    delivered / (last - begin),
                    sum(end[2] for end in ends),
                    cpu / count * 1e6,
                    sum(end[3] for end in ends) / delivered * 1e6,
                )


def requests(ours: str, count: int, rate: float) -> Any:
    """Latencies of paced requests; ``ours`` is ``bare``, ``sync`` or ``async``."""
    if ours == "bare":
        proxy = Role(roles.queue_proxy)
        with running(proxy):
            front, back = proxy.hear()
            return _ask(roles.bare_responder, (back, ""), roles.bare_requester, (front, "", count, rate))
    responder, requester = {
        "sync": (roles.our_responder, roles.our_requester),
        "async": (roles.our_async_responder, roles.our_async_requester),
    }[ours]
    with Forwarder() as forwarder:
        ends = (forwarder.listen_on, forwarder.publish_to)
        return _ask(responder, ends, requester, (*ends, count, rate))


def _ask(responder: Any, responder_args: Any, requester: Any, requester_args: Any) -> Any:
    answers = Role(responder, *responder_args)
    with running(answers):
        answers.hear()
        asks = Role(requester, *requester_args)
        with running(asks):
            asks.hear()
            asks.say("go")
            return asks.hear()


def interleaved(cases: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """Run the cases in turn, so that whatever else the machine does meets all of them."""
    results: dict[str, list[Any]] = {name: [] for name in cases}
    for turn in range(rounds):
        names = list(cases) if turn % 2 == 0 else list(reversed(cases))
        for name in names:
            results[name].append(cases[name]())
    return results


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
