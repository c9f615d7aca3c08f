"""Services that require others: how far those have to be, who is brought along, and who ends first."""

from __future__ import annotations

import pytest

from context_bus.testing.wait import wait_until
from tests.e2e.project import run_tool
from tests.e2e.told import Tell, Told, program

STAY = "exec sleep 300"


def gate(name: str) -> str:
    """Readiness that comes with a file."""
    return (
        '<readiness type="command" every="0.05" deadline="30">'
        f"<command>test -e {name}.go</command></readiness>"
    )


def requires(service_id: str, condition: str = "ready") -> str:
    """A requirement."""
    return f'<requires service="{service_id}" condition="{condition}"/>'


@pytest.fixture(scope="module")
def provider(tell_all: Tell) -> Told:
    """One provider; each test starts services of its own."""
    provider = tell_all(
        # How far: each of three waits for another moment in the life of one.
        program("job", "until [ -e job.done ]; do sleep 0.02; done", gate("job")),
        program("on_started", STAY, requires("job", "started")),
        program("on_ready", STAY, requires("job")),
        program("on_completed", STAY, requires("job", "completed")),
        # In vain.
        program("fails", "sleep 0.2; exit 7"),
        program("after_failed", STAY, requires("fails", "completed")),
        program("after_that", STAY, requires("after_failed")),
        program("is_late", STAY, gate("never").replace("30", "0.3")),
        program("after_late", STAY, requires("is_late")),
        program("ends", "sleep 0.2", gate("never")),
        program("after_end", STAY, requires("ends")),
        program("crashes", "exit 5", '<restart policy="on_failure" max_restarts="1" delay="0.05"/>'),
        program("after_crashes", STAY, requires("crashes", "completed")),
        # A chain of three, the first of which ends slowly, and one beside it.
        program("base", "trap 'sleep 0.2; exit 0' TERM; sleep 300 & wait", gate("base")),
        program("middle", "trap 'sleep 0.3; exit 0' TERM; touch middle.go; sleep 300 & wait",
                requires("base") + gate("middle")),
        program("top", "trap 'sleep 0.3; exit 0' TERM; touch top.go; sleep 300 & wait",
                requires("middle") + gate("top")),
        program("beside", STAY, requires("base")),
        # Three processes, all of which are required.
        program("many", f"until [ -e many.$CONTEXT_BUS_INSTANCE ]; do sleep 0.02; done; echo up; {STAY}",
                '<instances>3</instances><readiness type="log" target="up" deadline="30"/>'),
        program("after_many", STAY, requires("many")),
    )  # fmt: skip
    provider.start()
    wait_until(lambda: provider.shell("ps").returncode == 0, 20, "a provider")
    return provider


def send(provider: Told, *services: str) -> None:
    """Have services started, and wait for nobody."""
    ended = run_tool(
        "conf_command.py",
        f"--context_file={provider.shell.file}",
        "--service_name=context",
        "--transaction=T1",
        "--action=start",
        "--use_file",
        f"--task_id={','.join(services)}",
        "--no_wait",
    )
    assert ended.returncode == 0, ended


def test_each_condition_lets_start_when_it_is_met_and_not_before(provider: Told) -> None:
    """A process, its readiness, its end: one follower each; what the others wait for is shown."""
    send(provider, "on_started", "on_ready", "on_completed")
    warming = provider.until("job", "warming")
    first = provider.until("on_started", "started")
    found = provider.shell.services()
    assert {name: (found[name]["phase"], found[name]["reason"]) for name in ("on_ready", "on_completed")} == {
        "on_ready": ("waiting", "waits for job to be ready"),
        "on_completed": ("waiting", "waits for job to be completed"),
    }
    assert "waits for job to be ready" in provider.shell("ps", "on_ready").stdout
    (provider.directory / "job.go").touch()
    ready, second = provider.until("job", "started"), provider.until("on_ready", "started")
    assert provider.shell.services()["on_completed"]["phase"] == "waiting"
    (provider.directory / "job.done").touch()
    done, third = provider.until("job", "exited"), provider.until("on_completed", "started")
    order = [each.place for each in (warming, first, ready, second, done, third)]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("after_failed", "requires fails, which has failed: ended with exit code 7"),
        ("after_that", "requires after_failed, which has failed: requires fails, which has failed: ended wi"),
        ("after_late", "requires is_late, which has failed: not ready within 0.3 s: exit code 1"),
        ("after_end", "requires ends, which has ended"),
        ("after_crashes", "requires crashes, which has failed: fatal: restarted 1 times within 10 s, last: "),
    ],
    ids=lambda text: text.split(",")[0].replace(" ", "_"),
)
def test_who_requires_in_vain_fails_and_says_whose_fault_it_is(
    provider: Told, name: str, reason: str
) -> None:
    """It never has a process; its start command fails, and everything that shows it says why."""
    ended = provider.shell("start", name, "-t", "T1")
    assert ended.returncode == 5, ended
    assert reason in ended.stdout + ended.stderr
    failed = provider.until(name, "failed")
    assert failed.reason.startswith(reason)
    assert [each.state for each in provider.changes(name)] == ["waiting", "failed"]
    found = provider.shell.services()[name]
    assert (found["pid"], found["starts"], found["wanted"]) == (None, 0, False)
    assert reason in provider.shell("ps", name).stdout
    assert reason in provider.shell("events", "-n", "100", "--service", name).stdout


def test_what_is_required_is_brought_along_and_ends_last(provider: Told) -> None:
    """Starting the top starts what is below it, nothing beside it; a stop of all goes the other way."""
    send(provider, "top")
    provider.until("base", "warming")
    found = provider.shell.services()
    assert {name: found[name]["phase"] for name in ("middle", "top")} == dict.fromkeys(
        ("middle", "top"), "waiting"
    )
    (provider.directory / "base.go").touch()
    up = [provider.until(name, "started") for name in ("base", "middle", "top")]
    births = [provider.changes(name, "starting")[0] for name in ("base", "middle", "top")]
    assert up[0].place < births[1].place < up[1].place < births[2].place
    assert provider.changes("beside") == []
    assert provider.shell("stop", "base", "middle", "top").returncode == 0
    down = [provider.until(name, "stopped") for name in ("top", "middle", "base")]
    asked = [provider.changes(name, "stopping")[0] for name in ("top", "middle", "base")]
    assert [each.reason for each in down] == [""] * 3
    assert asked[0].place < down[0].place < asked[1].place < down[1].place < asked[2].place < down[2].place


@pytest.mark.parametrize("way", ["signal", "exit", "all"])
def test_end_of_everything_goes_the_other_way(tell: Tell, way: str) -> None:
    """Whoever requires others ends before them, also when the provider ends."""
    slow = "trap 'sleep 0.2; exit 0' TERM; echo up; sleep 300 & wait"
    ready = '<readiness type="log" target="up"/>'
    provider = tell(
        program("base", slow, ready),
        program("top", slow, ready + requires("middle")),
        program("middle", slow, ready + requires("base")),
    )
    process = provider.start("--start=T1")
    provider.until("top", "started")
    if way == "all":
        assert provider.shell("stop", "--all").returncode == 0
    elif way == "exit":
        run_tool("conf_command.py", f"--context_file={provider.shell.file}", "--action=exit")
        assert process.wait(20) == 0
    else:
        provider.end()
    ends = [
        provider.changes(name, state)[0].place
        for name in ("top", "middle", "base")
        for state in ("stopping", "stopped")
    ]
    assert ends == sorted(ends)


def test_all_instances_are_required(provider: Told) -> None:
    """Two of three are not enough; each knows which one it is."""
    send(provider, "after_many")
    for each in ("many", "many#2", "many#3"):
        provider.until(each, "warming")
    for number, name in ((3, "many#3"), (1, "many")):
        (provider.directory / f"many.{number}").touch()
        provider.until(name, "started")
    assert provider.shell.services()["after_many"]["phase"] == "waiting"
    assert provider.changes("many#2", "started") == []
    (provider.directory / "many.2").touch()
    assert provider.until("many#2", "started").place < provider.until("after_many", "started").place
