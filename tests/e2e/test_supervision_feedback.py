"""Programs that say by a file how far they are: told on the bus, waited for, missed when they are silent."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.told import PATIENCE, Tell, Told, program

#: Feedback that is looked at without delay.
FEEDBACK = '<feedback every="0.05"/>'
#: What a script does to say something.
SAY = 'say() { echo "$1" >> "$CONTEXT_BUS_FEEDBACK"; }; '


def with_update(service: str, action: str, call: str) -> str:
    """The same service with a transition on its updates."""
    moves = f"<on_update><action>{action}</action><call>{call}</call></on_update>"
    return service.replace("<state type='on_start'/>", f"<state type='on_start'>{moves}</state>")


def updates(provider: Told, service_id: str) -> list[Mapping[str, Any]]:
    """The status of each update of a service."""
    return [
        each["status"]
        for each in provider.events
        if each["event"] == "ServiceReported" and each["service_id"] == service_id
    ]


def file_of(provider: Told, service_id: str) -> Path:
    """The feedback file of a service of transaction T1."""
    state = provider.directory / ".context_bus" / provider.shell.file.name
    return state / "feedback" / "T1" / f"{service_id}.log"


def test_script_that_tells_its_progress_starts_another_service(tell: Tell) -> None:
    """By its transition; each step is told, the last one before its end; then its file is gone."""
    steps = SAY + 'say "[progress]12"; while [ ! -e go ]; do sleep 0.01; done; say "[progress]100"'
    provider = tell(
        with_update(program("import", steps, FEEDBACK), "start", "report"),
        program("report", "echo started > reported; exec sleep 300", state="deferred"),
    )
    provider.start("--start=T1")
    provider.until("report", "started")
    assert [each["progress"] for each in updates(provider, "import")] == ["12"]
    (provider.directory / "go").touch()
    provider.until("import", "exited")
    assert updates(provider, "import") == [
        {"device_action": "", "result": "success", "progress": number} for number in ("12", "100")
    ]
    assert provider.text("reported") == "started\n"
    assert not file_of(provider, "import").exists()


def test_python_program_has_a_helper(tell: Tell) -> None:
    """The calls that it makes as a watched task work in a service as well."""
    source = (
        "from context_bus.watch import feedback; feedback.progress(1, 4, 'importing'); feedback.heartbeat(); "
        "import time; time.sleep(300)"
    )
    line = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(source)}"
    provider = tell(program("a", line, FEEDBACK))
    provider.start("--start=T1")
    status = wait_until(lambda: updates(provider, "a"), PATIENCE, "told")[-1]
    told = {key: status[key] for key in ("progress", "done", "total", "info")}
    assert told == {"progress": "25", "done": "1", "total": "4", "info": "importing"}


def test_silent_script_is_failed_and_started_again(tell: Tell) -> None:
    """With all it spawned, after its timeout and not before; ps tells meanwhile that it is silent."""
    silent = SAY + 'say "[step]first"; sleep 300 & wait'
    provider = tell(
        program("a", silent, '<feedback timeout="2"/><restart policy="on_failure"/>'),
        program("b", SAY + 'while say "[heartbeat]"; do sleep 0.1; done', '<feedback timeout="1"/>'),
    )
    provider.start("--start=T1")
    first = provider.until("a", "started")
    assert first.pid is not None

    def note() -> str:
        return str(provider.shell.services()["a"].get("complaint", ""))

    wait_until(lambda: note().startswith("silent: no feedback for 0.5 of 2 s"), PATIENCE, note)
    failed = provider.until("a", "failed")
    assert failed.reason == "no feedback for 2 s"
    assert failed.time - first.time >= 2.0
    second = provider.until("a", "started", 2)
    assert second.pid != first.pid
    assert procs.wait_gone([first.pid], 5) == []
    assert [each.state for each in provider.changes("b")][:2] == ["starting", "started"]
    assert not provider.changes("b", "failed")


def test_service_that_waits_until_it_is_ready_is_not_missed_before(tell: Tell) -> None:
    """What it says meanwhile is told as soon as it is ready, and its timeout begins then."""
    provider = tell(
        program(
            "a",
            SAY + 'say "[step]warm"; while [ ! -e go ]; do sleep 0.01; done; touch ready; exec sleep 300',
            '<feedback timeout="1"/><readiness type="command" every="0.05"><command>test -e ready</command>'
            "</readiness>",
        )
    )
    provider.start("--start=T1")
    file = file_of(provider, "a")
    wait_until(lambda: file.exists() and file.read_text(), PATIENCE, "it says something")
    assert not updates(provider, "a")
    (provider.directory / "go").touch()
    ready = provider.until("a", "started")
    assert wait_until(lambda: updates(provider, "a"), PATIENCE, "told")[0]["step"] == "warm"
    assert provider.until("a", "failed").time - ready.time >= 1.0


def test_file_of_a_killed_provider_is_not_believed(tell: Tell) -> None:
    """The next provider reads nothing of it, and what it leaves in the end is nothing."""
    script = SAY + 'test -e again || say "[progress]99"; touch again; exec sleep 300'
    provider = tell(program("a", script, FEEDBACK))
    provider.start("--start=T1")
    wait_until(lambda: updates(provider, "a"), PATIENCE, "told")
    provider.kill()
    file = file_of(provider, "a")
    assert file.read_text() == "[progress]99\n"
    provider.start()
    provider.until("a", "started", 2)
    wait_until(lambda: not file.exists(), PATIENCE, "removed")
    assert len(updates(provider, "a")) == 1
    provider.end()
    assert not file.parents[1].exists()


def test_script_that_outlives_its_provider_is_followed_by_the_next(tell: Tell) -> None:
    """From where it stands: it says on, to the same file."""
    script = SAY + 'say "[step]1"; while [ ! -e go ]; do sleep 0.01; done; say "[step]2"; exec sleep 300'
    provider = tell(program("a", script, FEEDBACK))
    provider.start("--start=T1", "--keep_services")
    first = provider.until("a", "started")
    wait_until(lambda: updates(provider, "a"), PATIENCE, "told")
    provider.kill()
    (provider.directory / "go").touch()
    provider.start("--keep_services")
    told = wait_until(lambda: updates(provider, "a")[1:], PATIENCE, lambda: updates(provider, "a"))
    wait_until(lambda: updates(provider, "a")[-1]["step"] == "2", PATIENCE, lambda: told)
    assert provider.shell.services()["a"]["pid"] == first.pid


def test_program_that_knows_another_file_only_is_followed_there(tell: Tell) -> None:
    """It is named, begins with what comes from now on, and stays when the service has ended."""
    provider = tell(
        program(
            "a",
            'echo "$CONTEXT_BUS_FEEDBACK" > told_where; echo "[step]new" >> old.log; exec sleep 300',
            '<feedback every="0.05" file="old.log"/>',
        )
    )
    (provider.directory / "old.log").write_text("[step]old\n[more]old\n")
    provider.start("--start=T1")
    status = wait_until(lambda: updates(provider, "a"), PATIENCE, "told")[0]
    assert (status["step"], status.get("more")) == ("new", None)
    assert provider.text("told_where") == f"{provider.directory / 'old.log'}\n"
    provider.end()
    assert provider.text("old.log").endswith("[step]new\n")


def test_flood_does_not_keep_a_provider_from_its_work(tell: Tell) -> None:
    """It tells a few times a second, and obeys at once."""
    flood = 'while :; do echo "[number]$n"; n=$((n + 1)); done >> "$CONTEXT_BUS_FEEDBACK"'
    provider = tell(program("a", flood, "<feedback/>"), program("b", "exec sleep 300"))
    provider.start("--start=T1")
    wait_until(lambda: len(updates(provider, "a")) > 4, PATIENCE, "told")
    assert provider.shell("stop", "b").returncode == 0
    began = provider.until("a", "started")
    last = [each for each in provider.events if each["event"] == "ServiceReported"][-1]
    assert len(updates(provider, "a")) <= (last["time"] - began.time) / 0.25 + 2
    os.kill(began.pid or 0, signal.SIGKILL)
