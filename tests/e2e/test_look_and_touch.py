"""The commands on a running provider: ps, start, stop, restart, scale, reload, wait, logs, events."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from context_bus.bus.subscriber import Subscriber
from context_bus.store.remembered import EVENTS_OF_RUN
from context_bus.testing.wait import wait_until
from tests.e2e.project import Project
from tests.e2e.shells import Shell, Supervised, write

#: A program that stays, one that says a word, and one that fails for ever.
SERVICES = """
  <TaskService id="stay" serviceType="Command">
    <command>sleep 300</command>
    <supervision><restart policy="always"/></supervision>
  </TaskService>
  <TaskService id="talk" serviceType="Command">
    <command>sh -c 'echo a word; exec sleep 300'</command>
    <supervision><requires service="stay"/></supervision>
  </TaskService>
  <TaskService id="fail" serviceType="Command">
    <command>sh -c 'exit 3'</command>
    <supervision><restart policy="on_failure" max_restarts="1"/></supervision>
  </TaskService>
"""


@pytest.fixture
def shell(project: Project) -> Iterator[Shell]:
    """A provider that has started everything, and a shell to it."""
    file = write(project, SERVICES)
    provider = subprocess.Popen(
        [sys.executable, "-m", "context_bus", "service-context", str(file), "--start=T1", "--quiet"]
    )
    found = Shell(file)
    try:
        wait_until(lambda: found("wait", "talk").returncode == 0, 30, lambda: found("ps"))
        found("wait", "fail", "--for", "failed")
        yield found
    finally:
        provider.send_signal(signal.SIGTERM)
        provider.wait(20)


def test_ps_shows_every_service_and_why(shell: Shell) -> None:
    """State, process and reason at a glance; JSON has the same and more."""
    text = shell("ps").stdout
    assert text.splitlines()[0].split() == ["SERVICE", "TRANSACTION", "STATE", "PID", "UP", "STARTS", "NOTE"]
    assert "fatal: restarted 1 times within 10 s, last: ended with exit code 3" in text
    found = shell.services()
    assert {name: each["phase"] for name, each in found.items()} == {
        "stay": "started",
        "talk": "started",
        "fail": "fatal",
    }
    assert os.path.exists(f"/proc/{found['stay']['pid']}")


def test_stop_start_restart_by_name_and_pattern(shell: Shell) -> None:
    """Each waits for the outcome; a stop is remembered."""
    before = shell.services()
    ended = shell("stop", "ta*")
    assert ended.returncode == 0, ended
    assert "talk     stopped  done" in ended.stdout
    assert shell.services()["talk"]["wanted"] is False
    assert shell("start", "talk").returncode == 0
    assert shell("restart", "stay").returncode == 0
    after = shell.services()
    assert after["stay"]["pid"] != before["stay"]["pid"]
    assert after["talk"]["phase"] == "started"


def test_scale_changes_the_number_and_nobody_else(shell: Shell) -> None:
    """Instances have numbers; the first keeps its process."""
    pid = shell.services()["stay"]["pid"]
    assert shell("scale", "stay=3").returncode == 0
    found = shell.services()
    assert {"stay", "stay#2", "stay#3"} <= set(found)
    assert found["stay"]["pid"] == pid
    assert shell("scale", "stay=1").returncode == 0
    assert {"stay#2", "stay#3"}.isdisjoint(shell.services())


def test_reload_shows_its_plan_then_does_it(shell: Shell, project: Project) -> None:
    """Added starts, removed stops, changed restarts, the rest is not touched."""
    pid = shell.services()["stay"]["pid"]
    start = SERVICES.index('  <TaskService id="fail"')
    edited = SERVICES[:start].replace("a word", "another word") + (
        '<TaskService id="new" serviceType="Command"><command>sleep 300</command></TaskService>'
    )
    write(project, edited)
    plan = shell.json("reload", "--dry_run")
    assert isinstance(plan, dict)
    changes = {row["service_id"]: row["change"] for row in plan["plan"]}
    assert changes == {"stay": "keep", "talk": "restart", "new": "add", "fail": "remove"}
    assert "new" not in shell.services()
    assert shell("reload").returncode == 0
    found = shell.services()
    assert set(found) == {"stay", "talk", "new"}
    assert found["stay"]["pid"] == pid
    wait_until(lambda: "another word" in shell("logs", "talk").stdout, 10, lambda: shell("logs", "talk"))


def test_reload_of_a_faulty_file_changes_nothing(shell: Shell, project: Project) -> None:
    """One line with file, line and remedy, and an exit code."""
    write(project, SERVICES.replace('policy="always"', 'policy="allways"'))
    ended = shell("reload")
    assert ended.returncode == 5
    assert "allways" in ended.stderr
    assert shell.services()["stay"]["phase"] == "started"


def test_wait_tells_what_will_not_come(shell: Shell) -> None:
    """At once, with the reason; or when its time is over."""
    ended = shell("wait", "fail", "--timeout=30")
    assert ended.returncode == 5
    assert "fail will not be ready: fatal" in ended.stderr
    ended = shell("wait", "stay", "--for=stopped", "--timeout=0.3")
    assert ended.returncode == 5
    assert "not stopped within 0.3 s: stay is started" in ended.stderr


def test_logs_show_what_a_service_wrote(shell: Shell) -> None:
    """By name, and all with their names."""
    wait_until(lambda: shell("logs", "talk").stdout == "a word\n", 10, lambda: shell("logs", "talk"))
    assert "talk | a word" in shell("logs").stdout


def test_events_are_numbered_and_followed(shell: Shell) -> None:
    """The past, then what happens, without a gap."""
    past = [json.loads(line) for line in shell("events", "--json", "-n", "1000").stdout.splitlines()]
    numbers = [event["sequence"] for event in past]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    command = [
        sys.executable,
        "-m",
        "context_bus",
        "events",
        "-f",
        "-n",
        "1",
        "--json",
        "-c",
        str(shell.file),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        first = json.loads(follower.stdout.readline())
        assert shell("stop", "talk").returncode == 0
        seen = [first]
        while seen[-1]["data"].get("new") != "stopped":
            seen.append(json.loads(follower.stdout.readline()))
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 130
    assert [event["sequence"] for event in seen] == list(
        range(first["sequence"], first["sequence"] + len(seen))
    )


def test_events_are_followed_over_the_death_of_a_provider(project: Project) -> None:
    """What two providers did while nobody could hear them is asked for: every number, each once."""
    provider = Supervised(write(project, SERVICES), secrets.token_hex(8))
    shell, numbers = provider.shell, list[int]()
    command = [sys.executable, "-m", "context_bus", "events", "-f", "--json", "-c", str(shell.file)]
    try:
        provider.start("--start=T1")
        shell.until("talk", "started")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower:
            assert follower.stdout is not None
            assert follower.stderr is not None
            lines = follower.stdout
            reader = threading.Thread(
                target=lambda: numbers.extend(json.loads(line)["sequence"] for line in lines)
            )
            reader.start()
            wait_until(lambda: numbers, 20, lambda: "an event")
            follower.send_signal(signal.SIGSTOP)
            assert shell("restart", "talk").returncode == 0
            provider.kill()
            provider.start()
            shell.until("talk", "started")
            follower.send_signal(signal.SIGCONT)
            wait_until(
                lambda: shell("restart", "talk").returncode == 0 and numbers[-1] > 2 * EVENTS_OF_RUN,
                30,
                lambda: f"an event of the second run: {numbers}",
            )
            follower.send_signal(signal.SIGINT)
            assert follower.wait(10) == 130
            reader.join()
            assert follower.stderr.read().strip() == ""
        kept = numbered(shell, numbers[0] - 1)
    finally:
        provider.clean_up()
    # The follower ended with the last event that it had printed, the provider went on.
    assert numbers == kept[: len(numbers)]
    before = [number for number in numbers if number < 2 * EVENTS_OF_RUN]
    for run in (before, numbers[len(before) :]):
        assert run == list(range(run[0], run[0] + len(run)))


def numbered(shell: Shell, after: int) -> list[int]:
    """The numbers of all events after one."""
    ended = shell("events", "--json", "--after", str(after))
    assert (ended.returncode, ended.stderr) == (0, "")
    return [json.loads(line)["sequence"] for line in ended.stdout.splitlines()]


def test_wait_goes_on_over_the_death_of_a_provider(project: Project) -> None:
    """What is waited for comes about under the next one."""
    provider = Supervised(write(project, SERVICES), secrets.token_hex(8))
    shell = provider.shell
    command = [sys.executable, "-m", "context_bus", "wait", "talk", "--for", "stopped", "-c", str(shell.file)]
    try:
        provider.start("--start=T1")
        shell.until("talk", "started")
        with (
            Subscriber(project.listen_on) as questions,
            subprocess.Popen([*command, "--timeout=60"], stdout=subprocess.PIPE, text=True) as waiting,
        ):
            # The last thing that it asks before it follows what happens.
            questions.subscribe("state")
            wait_until(lambda: b'"services"' in (questions.receive(1.0) or ("", b""))[1], 20, "a question")
            provider.kill()
            provider.start()
            shell.until("talk", "started")
            assert shell("stop", "talk").returncode == 0
            assert waiting.wait(60) == 0
    finally:
        provider.clean_up()


def test_only_provider_here_need_not_be_named(shell: Shell) -> None:
    """In the directory of its file nobody has to say which."""
    command = [sys.executable, "-m", "context_bus", "ps", "--json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=shell.file.parent, env=environment, check=False
    )
    assert ended.returncode == 0, ended
    assert "stay" in ended.stdout


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("ps", "stray"), 5, "no service 'stray'; did you mean 'stay'?"),
        (("stop", "stay", "-t", "T2"), 5, "no transaction 'T2'; known: T1"),
        (("stop",), 2, "name the services, or add --all"),
        (("scale", "stay"), 2, "'stay' is not SERVICE=COUNT"),
        (("scale", "stay=0"), 5, "expected 1 to 1000"),
        (("logs", "nobody"), 5, "no service 'nobody'"),
        (("start", "nobody"), 5, "service nobody is in neither the command nor the file"),
    ],
)
def test_wrong_input_is_one_line(shell: Shell, args: tuple[str, ...], code: int, words: str) -> None:
    """What is wrong, and what would be right."""
    ended = shell(*args)
    assert ended.returncode == code, ended
    (line,) = ended.stderr.splitlines()
    assert words in line


def test_without_a_provider_there_is_one_line(project: Project) -> None:
    """Where it was looked for, and how to start one."""
    ended = Shell(write(project, SERVICES))("ps")
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert "no context provider listens" in line


def test_graph_shows_the_states_of_a_running_provider(shell: Shell) -> None:
    """The file that runs is drawn with what runs; -t of another transaction is refused."""

    def graph(*args: str) -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-m", "context_bus", "graph", str(shell.file), "--json", *args]
        return subprocess.run(call, capture_output=True, text=True, timeout=40, check=False)

    (drawn,) = json.loads(graph().stdout)
    assert drawn["transaction"] == "T1"
    states = {node["service_id"]: node["beings"][0]["state"] for node in drawn["nodes"]}
    assert states == {"stay": "started", "talk": "started", "fail": "fatal"}
    assert [edge["label"] for edge in drawn["edges"]] == ["requires ready"]
    refused = graph("-t", "T2")
    assert refused.returncode == 5
    assert "no transaction 'T2'" in refused.stderr
