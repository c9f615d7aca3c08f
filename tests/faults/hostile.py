"""Faults by those outside: services that misbehave, clients that send what none should. Must not judge."""

from __future__ import annotations

import contextlib
import socket

from tests.faults.actors import ENDING, Actor
from tests.faults.findings import Finding, Kind
from tests.faults.hand import Hand

#: Connections that one client opens at once.
CONNECTIONS = 100


def service(hand: Hand) -> list[Finding]:
    """Start a service that misbehaves; it ends as its policy says, and leaves nothing."""
    actor, state = hand.rng.choice(ENDING), ""
    if hand.cast().states.get(actor.id) != "waiting":
        # What has failed is not started but restarted; what this provider has not run yet then waits.
        state = _command(hand, "restart", actor)
    if state != actor.ends:
        state = _command(hand, "start", actor)
    return [] if state == actor.ends else [Finding(Kind.STATE, f"{actor.id} does not become {actor.ends}")]


def _command(hand: Hand, action: str, actor: Actor) -> str:
    """Command a service that ends by itself; returns the state in which it waits or has ended."""
    hand.subject.services()
    since = hand.events.now
    hand.subject.send(action, [actor.id])
    event = hand.events.wait(
        lambda event: event.get("service_id") == actor.id and event.get("new") in ("waiting", actor.ends),
        since,
    )
    return str(event["new"]) if event else ""


def frames(hand: Hand) -> list[Finding]:
    """Send what no client should: garbage, a megabyte, an unknown version."""
    noise = hand.rng.randbytes(200)
    for frame in (b"context @@@ " + noise, noise, b"context @@@ " + b"x" * 1_000_000, b"context @@@ {}"):
        hand.subject.wire.raw(frame)
    hand.subject.wire.send("context", {"version": 99, "header": {"action": ["start"]}, "content": 7})
    return []


def connections(hand: Hand) -> list[Finding]:
    """Open many connections to both ports, say something that is not the protocol, and hang up."""
    project = hand.subject.project
    with contextlib.ExitStack() as stack:
        for number in range(CONNECTIONS):
            port = (project.pub_port, project.sub_port)[number % 2]
            # The forwarder may be on its way out, or in.
            with contextlib.suppress(OSError):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 1.0))
                client.sendall(
                    hand.rng.choice((b"GET / HTTP/1.0\r\n\r\n", b"\xff" + hand.rng.randbytes(40), b""))
                )
    return []


def replayed(hand: Hand) -> list[Finding]:
    """Send a command twice in one breath; both are answered, and nothing is up twice."""
    name = hand.pick(returning=True)
    hand.touched.add(name)
    hand.subject.services()
    return hand.wait_answers([hand.subject.send("restart", [name]) for _ in range(2)])
