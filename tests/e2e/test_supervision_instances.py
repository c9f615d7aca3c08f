"""Several processes of one service, each of which knows its number; and services that run by the clock."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from context_bus.testing.wait import wait_until
from tests.e2e.told import Tell, Told, program

#: Writes what a process was told of itself.
SAYS = "echo $CONTEXT_BUS_SERVICE $CONTEXT_BUS_INSTANCE $CONTEXT_BUS_TRANSACTION; exec sleep 300"


@pytest.fixture(scope="module")
def provider(tell_all: Tell) -> Told:
    """One provider of a service with three processes, and of some that run by the clock."""
    every_second = "<schedule>* * * * * *</schedule>"
    long = "echo >> long.runs; until [ -e long.$(wc -l < long.runs) ]; do sleep 0.02; done"
    provider = tell_all(
        program("many", SAYS, '<instances>3</instances><restart policy="always"/>'),
        program("one", SAYS),
        program("long", long, every_second),
        program("short", "echo >> short.runs", every_second),
        program("never", "echo >> never.runs", "<schedule>0 0 29 2 *</schedule>"),
        program("bad", "exit 3", every_second),
    )  # fmt: skip
    provider.start("--start=T1")
    return provider


def wait_said(provider: Told, service_id: str, *lines: str) -> None:
    """Wait until an instance has written these lines and no more."""
    log = Path(str(provider.shell.services()[service_id]["log"]))

    def said() -> list[str]:
        return log.read_text().splitlines() if log.exists() else []

    wait_until(lambda: said() == [*lines], 10, lambda: f"{service_id} to say {lines}, not {said()}")


def test_each_instance_is_told_which_it_is(provider: Told) -> None:
    """By its number, its id and its transaction; a service with one process is the first."""
    ids = {"one": "one 1 T1", "many": "many 1 T1", "many#2": "many#2 2 T1", "many#3": "many#3 3 T1"}
    for name, line in ids.items():
        provider.until(name, "started")
        wait_said(provider, name, line)


def test_instances_live_and_die_each_for_itself(provider: Told) -> None:
    """The death of one restarts one, with its number; its siblings keep their processes."""
    before = {name: provider.until(name, "started").pid for name in ("many", "many#2", "many#3")}
    assert len(set(before.values())) == 3
    os.kill(before["many#2"] or 0, signal.SIGKILL)
    again = provider.until("many#2", "started", 2)
    after = provider.shell.services()
    assert after["many#2"]["pid"] == again.pid != before["many#2"]
    assert {name: after[name]["pid"] for name in ("many", "many#3")} == {
        name: before[name] for name in ("many", "many#3")
    }
    wait_said(provider, "many#2", "many#2 2 T1", "many#2 2 T1")


def test_scaled_instances_are_told_so_too(provider: Told) -> None:
    """A fourth learns that it is the fourth."""
    assert provider.shell("scale", "many=4").returncode == 0
    wait_said(provider, "many#4", "many#4 4 T1")


# -- by the clock ----------------------------------------------------------------------------------


def test_time_that_comes_while_it_still_runs_is_skipped_and_said(provider: Told) -> None:
    """One run at a time, however long; the next one is at the next time after its end."""
    first = provider.until("long", "started")
    wait_until(lambda: len(provider.text("short.runs").splitlines()) >= 3, 30, "two more seconds to come")
    assert provider.text("long.runs") == "\n"
    assert provider.shell.services()["long"]["pid"] == first.pid
    (provider.directory / "long.1").touch()
    ended, waiting = provider.until("long", "exited"), provider.until("long", "waiting", 2)
    count = int(ended.time) - int(first.time)
    assert waiting.reason in {
        f"runs by its schedule * * * * * *; skipped {each} time{'' if each == 1 else 's'}, when it still ran"
        for each in (count - 1, count, count + 1)
    }
    assert "skipped" in provider.shell("events", "-n", "1000", "--service", "long").stdout
    second = provider.until("long", "starting", 2)
    assert 0.0 < second.time - ended.time < 3.0
    for number in range(2, 5):
        (provider.directory / f"long.{number}").touch()
    third = provider.until("long", "waiting", 3)
    assert "skipped" not in third.reason


def test_runs_come_at_their_times(provider: Told) -> None:
    """At the beginning of a second, each once; between two runs it waits, and says for what."""
    provider.until("short", "waiting", 4)
    births = provider.changes("short", "starting")
    assert min(each.time % 1.0 for each in births) < 0.5  # as soon as this machine can, once
    assert len({int(each.time) for each in births}) == len(births)
    assert {each.reason for each in provider.changes("short", "waiting")} == {
        "runs by its schedule * * * * * *"
    }
    assert {each.state for each in provider.changes("short")} == {"waiting", "starting", "started", "exited"}


def test_failed_run_does_not_keep_the_next_from_its_time(provider: Told) -> None:
    """Without a policy for failures the schedule is one."""
    provider.until("bad", "failed", 2)
    provider.until("bad", "waiting", 3)
    assert provider.shell.services()["bad"]["last_end"] == "ended with exit code 3"


def test_time_that_is_far_away_runs_nothing_until_somebody_wants_it_now(provider: Told) -> None:
    """A second start runs it at once; afterwards it waits again, and a stop disarms it."""
    assert provider.until("never", "waiting").reason == "runs by its schedule 0 0 29 2 *"
    assert provider.text("never.runs") == ""
    assert provider.shell("start", "never").returncode == 0
    provider.until("never", "exited")
    assert provider.text("never.runs") == "\n"
    provider.until("never", "waiting", 2)
    assert provider.shell("stop", "never").returncode == 0
    assert provider.shell.services()["never"]["phase"] == "stopped"
