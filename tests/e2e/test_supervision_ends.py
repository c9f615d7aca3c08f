"""How services end and what follows: the signal, the grace, each restart policy, its delays and its limit."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e import procs
from tests.e2e.told import Tell, Told, program

#: Seconds by which a time may be exceeded on a busy machine before it is another one.
SLACK = 2.0
#: Seconds of grace of who ignores its signal.
GRACE = 0.7
UP = '<readiness type="log" target="^up$" deadline="30"/>'
#: Signals, and what a service that hears them says.
HEARD = ("TERM", "INT", "QUIT", "HUP", "USR1")


def hearing(name: str) -> str:
    """Ends well when it is sent just this signal; fails by any other of those that end it here."""
    others = " ".join(each for each in HEARD if each != name)
    line = f"trap 'exit 9' {others}; trap 'echo heard {name}; exit 0' {name}; echo up; sleep 300 & wait"
    return program(name, line, f'{UP}<stop signal="{name}" grace="20"/><output stdout="{name}.log"/>')


def again(policy: str, more: str = "") -> str:
    """A restart policy whose delays do not vary."""
    return f'<restart policy="{policy}" jitter="0" {more}/>'


@pytest.fixture(scope="module")
def provider(tell_all: Tell) -> Told:
    """One provider; what the tests look at has begun."""
    deaf = "trap '' TERM; sleep 300 & echo $! > deaf.child; echo up; wait; wait; wait"
    boots = 'delay="0.2" factor="2" max_restarts="3" window="60" min_uptime="20"'
    twice = 'min_uptime="0.1" max_restarts="2"'
    provider = tell_all(
        *map(hearing, HEARD),
        program("deaf", deaf, f'{UP}<stop grace="{GRACE}"/>' + again("always")),
        program("rude", "trap 'exit 4' TERM; echo up; sleep 300 & wait", UP + again("on_failure")),
        # What ends by itself, by policy: well, by failure, by a signal, with a code that means success.
        program("never-well", "exit 0"),
        program("never-fail", "exit 7"),
        program("never-signal", "kill -SEGV $$"),
        program("failure-well", "exit 0", again("on_failure")),
        program("failure-code", "exit 3", again("on_failure", 'success_codes="0,3"')),
        program("failure-fail", "exit 7", again("on_failure", boots)),
        program("failure-signal", "kill -SEGV $$", again("on_failure", boots)),
        program("always-well", "exit 0", again("always", boots)),
        # What had lived is started again at once, and so often; and one whose failures are far apart.
        program("lived", "sleep 0.3; exit 6", again("on_failure", 'window="60" ' + twice)),
        program("apart", "sleep 0.3; echo >> apart.runs; test $(wc -l < apart.runs) -gt 4 || exit 6",
                again("on_failure", 'window="0.5" ' + twice)),
        program("recovers", "test -e recovers.ok || exit 5; exec sleep 300",
                again("on_failure", 'max_restarts="1" min_uptime="20"')),
    )  # fmt: skip
    provider.start("--start=T1")
    return provider


# -- commanded -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEARD)
def test_service_is_asked_by_the_signal_of_its_definition(provider: Told, name: str) -> None:
    """By that one and no other, and it ends as told."""
    provider.until(name, "started")
    assert provider.shell("stop", name).returncode == 0
    ended = provider.until(name, "stopped")
    assert ended.reason == ""
    assert provider.shell.services()[name]["last_end"] == "stopped as told"
    assert provider.text(f"{name}.log") == f"up\nheard {name}\n"


def test_who_ignores_its_signal_is_killed_when_its_grace_is_over(provider: Told) -> None:
    """Not before, with its children, and it is said; being killed by us is no reason to be restarted."""
    started = provider.until("deaf", "started")
    child = int(provider.text("deaf.child"))
    ended = provider.shell("stop", "deaf")
    assert ended.returncode == 0
    reason = f"killed: did not end within {GRACE:g} s"
    assert reason in ended.stdout
    (asked,), (stopped,) = provider.changes("deaf", "stopping"), provider.changes("deaf", "stopped")
    assert GRACE - 0.01 <= stopped.time - asked.time < GRACE + SLACK
    assert stopped.reason == reason
    assert procs.wait_gone([started.pid or 0, child], 5) == []
    found = provider.shell.services()["deaf"]
    assert (found["phase"], found["starts"], found["last_end"]) == ("stopped", 1, reason)
    assert reason in provider.shell("ps", "deaf").stdout


def test_failure_on_the_way_down_is_told_and_no_reason_to_start_again(provider: Told) -> None:
    """Whoever stops it gets it stopped."""
    provider.until("rude", "started")
    ended = provider.shell("stop", "rude")
    assert ended.returncode == 0
    assert provider.until("rude", "stopped").reason == "failed while it stopped: ended with exit code 4"
    assert [each.state for each in provider.changes("rude")][-2:] == ["stopping", "stopped"]


# -- by itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "state", "reason", "last_end"),
    [
        ("never-well", "exited", "", "exited"),
        ("never-fail", "failed", "ended with exit code 7", "ended with exit code 7"),
        ("never-signal", "failed", "ended by signal SIGSEGV", "ended by signal SIGSEGV"),
        ("failure-well", "exited", "", "exited"),
        ("failure-code", "exited", "", "ended with exit code 3"),
    ],
)
def test_end_that_the_policy_accepts_is_the_end(
    provider: Told, name: str, state: str, reason: str, last_end: str
) -> None:
    """One process, no delay, and the reason where there is one."""
    ended = provider.until(name, state)
    assert ended.reason == reason
    provider.until("apart", "exited")  # by when it would have been started again
    assert [each.state for each in provider.changes(name)] == ["starting", "started", state]
    found = provider.shell.services()[name]
    assert (found["phase"], found["starts"], found["wanted"]) == (state, 1, False)
    assert found["last_end"] == last_end


@pytest.mark.parametrize(
    ("name", "state", "how"),
    [
        ("failure-fail", "failed", "ended with exit code 7"),
        ("failure-signal", "failed", "ended by signal SIGSEGV"),
        ("always-well", "exited", "ended"),
    ],
)
def test_end_that_it_does_not_accept_is_repeated_with_growing_delays(
    provider: Told, name: str, state: str, how: str
) -> None:
    """After 0.2, 0.4 and 0.8 s, as each says; then it is given up, and ps says why."""
    fatal = provider.until(name, "fatal")
    waits = provider.changes(name, "backoff")
    assert [each.reason for each in waits] == [
        f"{how}; again in {delay} s (restart {number})" for number, delay in enumerate((0.2, 0.4, 0.8), 1)
    ]
    births = provider.changes(name, "starting")
    delays = [born.time - wait.time for wait, born in zip(waits, births[1:], strict=True)]
    for delay, expected in zip(delays, (0.2, 0.4, 0.8), strict=True):
        assert expected - 0.01 <= delay < expected + SLACK
    last = "ended well" if state == "exited" else how
    assert fatal.reason.startswith(f"fatal: restarted 3 times within 60 s, last: {last} after ")
    assert fatal.reason.endswith("; a restart command tries again; see max_restarts")
    found = provider.shell.services()[name]
    assert (found["phase"], found["starts"], found["reason"]) == ("fatal", 4, fatal.reason)
    assert "fatal: restarted 3 times" in provider.shell("ps", name).stdout


def test_who_had_lived_is_started_again_at_once_until_it_is_too_often(provider: Told) -> None:
    """No delay, but the limit is the same."""
    fatal = provider.until("lived", "fatal")
    assert fatal.reason.startswith(
        "fatal: restarted 2 times within 60 s, last: ended with exit code 6 after "
    )
    assert [each.state for each in provider.changes("lived")] == [
        *(["starting", "started", "failed"] * 3), "fatal"
    ]  # fmt: skip


def test_failures_that_are_far_apart_are_not_too_many(provider: Told) -> None:
    """Two within half a second are allowed; these are four, and not given up."""
    provider.until("apart", "exited")
    assert len(provider.changes("apart", "started")) == 5
    assert provider.changes("apart", "fatal") == []


def test_who_is_fatal_starts_by_a_command_only_and_counts_anew(provider: Told) -> None:
    """Its cause was mended; and later its failure is the first again."""
    provider.until("recovers", "fatal")
    (provider.directory / "recovers.ok").touch()
    assert provider.shell("restart", "recovers").returncode == 0
    pid = provider.changes("recovers", "started")[-1].pid
    assert pid is not None
    (provider.directory / "recovers.ok").unlink()
    os.kill(pid, signal.SIGKILL)
    fatal = provider.until("recovers", "fatal", 2)
    assert "restarted 1 times" in fatal.reason
    assert len(provider.changes("recovers", "backoff")) == 2
