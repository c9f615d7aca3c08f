"""What changes a running context: SIGHUP, and the raw frames of ``scale`` and ``reload``.

An old client by hand sends the frames as the reference of messages has them.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator

import pytest

from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.blackbox import Provider, tasks_of
from tests.e2e.project import CONTEXT_ID, Project
from tests.e2e.shells import write
from tests.e2e.wire import Json, Seen

STAY = '<TaskService id="stay" serviceType="Command"><command>sleep 300</command></TaskService>'
TALK = '<TaskService id="talk" serviceType="Command"><command>sleep {}</command></TaskService>'
GONE = '<TaskService id="gone" serviceType="Command"><command>sleep 300</command></TaskService>'
NEW = '<TaskService id="new" serviceType="Command"><command>sleep 300</command></TaskService>'
BEFORE, AFTER = STAY + TALK.format(301) + GONE, STAY + TALK.format(302) + NEW


@pytest.fixture
def running(project: Project) -> Iterator[Provider]:
    """A provider that has started three programs in transaction T1."""
    with Provider(project, write(project, BEFORE)) as provider:
        assert provider.ask("start", "T1")["verbs"][-1] == "done"
        yield provider


def ask(provider: Provider, action: str, configuration: Json, transaction: str = "") -> Json:
    """Send a frame by hand; content of the last answer, with all their verbs as ``verbs``."""
    request, since = secrets.token_hex(8), provider.wire.now
    header = {
        "action": action,
        "service_id": CONTEXT_ID,
        "service_name": "context",
        "service_transaction": transaction,
        "request_id": request,
        "reply_to": provider.wire.inbox,
    }
    provider.wire.send("context", {"header": header, "content": {"configuration": configuration}})

    def answers(seen: Seen) -> bool:
        return seen.topic == provider.wire.inbox and seen.header["request_id"] == request

    last = provider.wire.wait_for(
        lambda seen: answers(seen) and seen.action in ("rejected", "done", "failed"), action, since
    )
    verbs = [seen.action for seen in provider.wire.seen[since:] if answers(seen)]
    return dict(last.data["content"]) | {"verbs": verbs}


def up(provider: Provider) -> dict[str, int]:
    """Pids of the services that run, by id, as the wire has them."""
    tasks = tasks_of(provider.record("T1"))
    return {name: task["pid"] for name, task in tasks.items() if task["action"] == "started"}


def test_scale_frame_changes_the_number_of_instances(running: Provider) -> None:
    """It is answered for those that come and go; the first keeps its process; what cannot be is refused."""
    before = up(running)
    more = ask(running, "scale", {"TaskService": [{"id": "stay"}], "instances": 3}, "T1")
    assert more["verbs"][0] == "accepted"
    assert more["verbs"][-1] == "done"
    assert {row["service_id"]: row["state"] for row in more["services"]} == {
        "stay#2": "started",
        "stay#3": "started",
    }
    grown = up(running)
    assert grown.keys() - before.keys() == {"stay#2", "stay#3"}
    assert {name: grown[name] for name in before} == before
    fewer = ask(running, "scale", {"TaskService": {"id": "stay"}, "instances": 1}, "T1")
    assert {row["service_id"]: row["state"] for row in fewer["services"]} == {
        "stay#2": "stopped",
        "stay#3": "stopped",
    }
    assert procs.wait_gone([grown["stay#2"], grown["stay#3"]], 5) == []
    assert up(running) == before


def test_scale_frame_that_cannot_be_is_refused(running: Provider) -> None:
    """Once, with the reason, and nothing changes."""
    before, stay = up(running), [{"id": "stay"}]
    for configuration, transaction, words in (
        ({"TaskService": stay, "instances": 0}, "T1", "0 instances; expected 1 to 1000"),
        ({"TaskService": stay, "instances": "2"}, "T1", "0 instances; expected 1 to 1000"),
        ({"instances": 2}, "T1", "scale names no service; give one"),
        ({"TaskService": [{"id": "stray"}], "instances": 2}, "T1", "service stray is not known"),
        ({"TaskService": stay, "instances": 2}, "T9", "transaction T9 is not known here"),
    ):
        answer = ask(running, "scale", configuration, transaction)
        assert answer["verbs"] == ["rejected"]
        assert words in answer["reason"]
    assert up(running) == before


def test_reload_frame_shows_its_plan_and_carries_it_out(running: Provider, project: Project) -> None:
    """With ``dry_run`` the plan alone; without it the same plan, and what it says."""
    before = up(running)
    write(project, AFTER)
    plan = ask(running, "reload", {"dry_run": True})
    assert plan["verbs"] == ["accepted", "done"]
    rows = {row["service_id"]: (row["change"], row["reason"]) for row in plan["plan"]}
    assert rows == {
        "stay": ("keep", ""),
        "talk": ("restart", "command differs"),
        "new": ("add", "new in the file"),
        "gone": ("remove", "not in the file any more"),
    }
    assert up(running) == before
    done = ask(running, "reload", {})
    assert done["verbs"][-1] == "done"
    assert done["plan"] == plan["plan"]
    after = up(running)
    assert after.keys() == {"stay", "talk", "new"}
    assert after["stay"] == before["stay"]
    assert after["talk"] != before["talk"]
    assert running.processes()[after["talk"]] == "sleep 302 "
    assert procs.wait_gone([before["gone"], before["talk"]], 5) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sleep 302", "no-such-program", "program no-such-program is not in its PATH"),
        ("</Context>", "", "Context"),
        ("<TaskLogName>", "<ContextID>other</ContextID><TaskLogName>", "context_id is now other, was"),
    ],
    ids=["cannot run here", "not well-formed", "another context"],
)
def test_sighup_with_a_file_that_cannot_be_applied_changes_nothing(
    running: Provider, project: Project, old: str, new: str, words: str
) -> None:
    """The reason is on the terminal, and is the answer to the frame; mended, the file is applied."""
    before, since = up(running), running.wire.now
    file = write(project, AFTER)
    right = file.read_text()
    file.write_text(right.replace(old, new))
    running.process.send_signal(signal.SIGHUP)
    running.wire.wait_for(
        lambda seen: seen.topic == "event" and seen.action == "file_reloaded" and words in str(seen.data),
        f"a refusal with {words!r}",
        since,
    )
    said = wait_until(lambda: "not reloaded" in running.output and running.output, 10, "a line")
    assert words in said
    assert "Traceback" not in running.output
    for configuration in ({"dry_run": True}, {}):
        answer = ask(running, "reload", configuration)
        assert answer["verbs"] == ["rejected"]
        assert words in answer["reason"]
    assert up(running) == before
    file.write_text(right)
    running.process.send_signal(signal.SIGHUP)
    running.wire.report("started", "new", "T1", since)
    running.wire.report("stopped", "gone", "T1", since)
    assert up(running)["stay"] == before["stay"]
