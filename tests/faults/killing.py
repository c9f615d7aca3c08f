"""Faults that kill and freeze, at random, at changes of state and during commands. Must not judge."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial

from tests.faults.actors import ACTORS, BEAT
from tests.faults.events import Event
from tests.faults.findings import Finding, Kind
from tests.faults.hand import Hand

#: Heartbeats after whose time a hung service must be noticed, as the reference says.
PERIODS = 2.5
#: Seconds by which a busy machine may be late with that.
LATE = 2.0
#: States at whose beginning something is killed.
STATES = ("stopping", "stopped", "starting", "started")
#: Seconds that somebody is stopped; less than a service with heartbeats may be silent.
FREEZE = (0.02, 0.6)
#: Seconds from sending a command to the kill of who gave or took it, at most.
DURING = 0.03
#: Seconds within which a provider has printed what it heard before it answered.
HEARD = 0.1
#: Services killed in a row to see what is not given back.
STORM = 15


def service(hand: Hand) -> list[Finding]:
    """Kill the main process of a service."""
    hand.kill_service(hand.pick())
    return []


def child(hand: Hand) -> list[Finding]:
    """Kill a service together with one of its children; the others must not outlive it."""
    name = "family" if hand.judge.wanted["family"] else hand.pick(returning=True)
    children = hand.children(name)
    hand.strike(hand.rng.choice(children) if children else 0)
    hand.kill_service(name)
    return []


def everyone(hand: Hand) -> list[Finding]:
    """Kill the main processes of all services at once."""
    pids = hand.cast().services.values()
    for pid in pids:
        hand.strike(pid or 0)
    hand.all_ended()
    return []


def forwarder(hand: Hand) -> list[Finding]:
    """Kill the forwarder."""
    since = hand.events.now
    hand.strike(hand.cast().forwarder)
    return hand.wait_forwarder(since)


def writer(hand: Hand) -> list[Finding]:
    """Kill the writer of outputs."""
    hand.strike(max(hand.cast().writers, default=0))
    return []


def guardian(hand: Hand) -> list[Finding]:
    """Kill the guardian: what returns by its policy comes back under the next one."""
    since = hand.events.now
    hand.strike(hand.cast().guardian)
    hand.all_ended()
    return hand.wait_forwarder(since)


def provider(hand: Hand) -> list[Finding]:
    """Kill the provider; the next one brings back, or adopts, what was wanted."""
    return hand.kill_provider() + hand.next_provider()


def both(hand: Hand) -> list[Finding]:
    """Kill provider and guardian at once; the next provider ends what they left."""
    hand.touched.update(ACTORS)
    return hand.kill_provider(hand.cast().guardian) + hand.next_provider()


def change(hand: Hand) -> list[Finding]:
    """Restart a service, and kill it, or the provider, or both, at a change of its state."""
    name, since = hand.pick(returning=True), hand.events.now
    state = hand.rng.choice(STATES)
    hand.touched.add(name)
    hand.subject.services()
    hand.subject.send("restart", [name])
    event = hand.events.wait(
        lambda event: event.get("service_id") == name and event.get("new") == state, since, 5.0
    )
    victim = hand.rng.choice(("service", "provider", "both"))
    if victim == "service":
        hand.strike(int((event or {}).get("pid") or 0))
        return []
    return provider(hand) if victim == "provider" else both(hand)


def during_command(hand: Hand) -> list[Finding]:
    """Kill the provider while it obeys; what was answered is remembered, what was not may be."""
    subject, name = hand.subject, hand.pick(returning=True)
    action = hand.rng.choice(("stop", "restart"))
    hand.touched.add(name)
    subject.services()
    request = subject.send(action, [name])
    time.sleep(hand.rng.uniform(0.0, DURING))
    found = hand.kill_provider()
    is_told = bool(set(subject.answers(request)) - {"rejected"})
    is_stopped = hand.judge.recorded_wishes().get(name) != "up"
    if is_told or is_stopped:
        hand.judge.wanted[name] = action != "stop"
    found += hand.next_provider()
    # What had not left us when the forwarder died goes to the next one.
    subject.services()
    heard = hand.events.wait(
        lambda event: event["event"] == "CommandHeard" and event["services"] == [name], 0, HEARD
    )
    if heard:
        hand.judge.wanted[name] = action != "stop"
    return found


def commander(hand: Hand) -> list[Finding]:
    """Kill who gives a command, at any moment of it; the service is up in any case."""
    name = hand.pick(returning=True)
    hand.touched.add(name)
    hand.later.add(name)  # it may have said it, and nobody has heard it yet
    words = [sys.executable, "-m", "context_bus", "restart", name, "-c", str(hand.subject.file)]
    command = subprocess.Popen(
        words, cwd=hand.subject.project.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(hand.rng.uniform(0.0, 0.25))
    command.kill()
    command.wait()
    hand.done_at = time.monotonic()
    return []


# -- freezing ----------------------------------------------------------------------------------


def frozen(hand: Hand) -> list[Finding]:
    """Stop a service that has no heartbeat; it is shown as frozen until it goes on."""
    pid = hand.cast().services.get("steady") or 0
    found = []
    for number, is_frozen in ((signal.SIGSTOP, True), (signal.SIGCONT, False)) if pid else ():
        since = hand.events.now
        hand.strike(pid, number)
        if hand.events.wait(partial(_is_shown, is_frozen=is_frozen), since, 5.0) is None:
            found.append(Finding(Kind.STATE, f"{number.name} of {pid} is not shown"))
    return found


def hung(hand: Hand) -> list[Finding]:
    """Stop a service that has a heartbeat; it is noticed in time, and restarted."""
    since, pid = hand.events.now, hand.cast().services.get("beating") or 0
    if not pid:
        return []
    hand.touched.add("beating")
    hand.strike(pid, signal.SIGSTOP)
    event = hand.events.wait(
        lambda event: event.get("service_id") == "beating" and event.get("new") == "stopping",
        since,
        PERIODS * BEAT + LATE,
    )
    return [] if event else [Finding(Kind.STATE, f"beating, {pid}, hangs and is not noticed")]


def frozen_provider(hand: Hand) -> list[Finding]:
    """Stop the provider, kill a service meanwhile, and let it go on."""
    return _freeze(hand, hand.cast().provider)


def frozen_guardian(hand: Hand) -> list[Finding]:
    """Stop the guardian, kill a service meanwhile, and let it go on."""
    return _freeze(hand, hand.cast().guardian)


def frozen_forwarder(hand: Hand) -> list[Finding]:
    """Stop the forwarder, kill a service meanwhile, and let it go on."""
    return _freeze(hand, hand.cast().forwarder)


def frozen_writer(hand: Hand) -> list[Finding]:
    """Stop the writer of outputs, kill a service meanwhile, and let it go on."""
    return _freeze(hand, max(hand.cast().writers, default=0))


def frozen_both(hand: Hand) -> list[Finding]:
    """Kill the provider while its guardian is stopped, start the next one, and let the old one go on."""
    pid = hand.cast().guardian
    os.kill(pid, signal.SIGSTOP)
    hand.touched.update(ACTORS)
    hand.subject.kill(waits=False)  # nothing can be gone yet: who is to see to it is stopped
    try:
        return hand.next_provider()
    finally:
        hand.strike(pid, signal.SIGCONT)


def _freeze(hand: Hand, pid: int) -> list[Finding]:
    if pid:
        os.kill(pid, signal.SIGSTOP)
    hand.kill_service(hand.pick())
    hand.touched.add("beating")  # a machine with too much to do may make it seem hung
    time.sleep(hand.rng.uniform(*FREEZE))
    hand.strike(pid, signal.SIGCONT)
    return []


def _is_shown(event: Event, *, is_frozen: bool) -> bool:
    return event.get("is_frozen") is is_frozen


# -- commands and leaks ------------------------------------------------------------------------


def commands(hand: Hand) -> list[Finding]:
    """Give several commands in one breath, kill somebody meanwhile; the last word on each service counts."""
    requests, names = [], [name for name in hand.judge.wanted if ACTORS[name].returns]
    hand.subject.services()
    for _ in range(hand.rng.randint(2, 6)):
        name, action = hand.rng.choice(names), hand.rng.choice(("stop", "start", "restart"))
        hand.touched.add(name)
        requests.append(hand.subject.send(action, [name]))
        hand.judge.wanted[name] = action != "stop"
    if hand.rng.random() < 0.5:
        victim = hand.rng.choice(names)
        hand.touched.add(victim)
        hand.strike(hand.cast().services.get(victim) or 0)
    hand.done_at = time.monotonic()
    return hand.wait_answers(requests)


def storm(hand: Hand) -> list[Finding]:
    """Kill one service again and again; its descriptors are given back each time."""
    name = hand.pick(returning=True)
    for _ in range(STORM):
        since = hand.events.now
        hand.kill_service(name)
        event = hand.events.wait(
            lambda event: event.get("service_id") == name and event.get("new") == "started", since
        )
        if event is None:
            return [Finding(Kind.STATE, f"{name} was killed and is not back")]
    return []
