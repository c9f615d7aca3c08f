from __future__ import annotations

import os
import py_compile
import signal
from dataclasses import replace

import pytest

from context_bus.bus.endpoint import free_endpoint
from context_bus.service.boot import Command
from context_bus.testing.wait import wait_until
from tests.service.conftest import SOON, Site, outcome

LOOPED = """
class Work(Task):
    period: float = 60.0
    def run(self):
        while not self.wait(self.period):
            self.notify("updated")
"""
SINGLE = """
class Work(Task):
    def run(self):
        self.notify("updated", items={"done": True})
"""
BLOCKED = """
import time
class Work(Task):
    def run(self):
        self.notify("updated")
        time.sleep(300)
"""
START, STOP = Command("start").encode(), Command("stop").encode()


def test_started_comes_before_updated_before_stopped_in_every_run(site: Site) -> None:
    """The order of a Single task's reports is the order of its life, 100 runs of 100."""
    site.write("Once", SINGLE)
    ids = [f"ts_{number}" for number in range(100)]
    children = [site.spawn(site.boot("Once", service_id=service_id)) for service_id in ids]
    for service_id in ids:
        assert site.actions(3, service_id) == ["started", "updated", "stopped"]
    assert {child.wait(SOON) for child in children} == {0}
    assert not any(outcome(child).commanded for child in children)


def test_reports_have_the_fields_of_the_wire(site: Site) -> None:
    """Each report names result, device_action and, where the framework sends it, the pid."""
    site.write("Once", SINGLE)
    child = site.spawn(site.boot("Once"))
    assert site.report() == ("started", {"result": "success", "device_action": "act", "pid": child.pid})
    assert site.report() == ("updated", {"result": "success", "device_action": "act", "done": True})
    assert site.report() == ("stopped", {"result": "success", "device_action": "act", "pid": child.pid})


def test_stop_on_the_channel_ends_a_service_in_order(site: Site) -> None:
    """A commanded stop says that it was one, on the bus and in the outcome."""
    site.write("Loop", LOOPED)
    child = site.spawn(site.boot("Loop"))
    assert site.report()[0] == "started"
    child.channel.send_bytes(STOP)
    action, status = site.report()
    assert (action, status["result"], status["commanded"]) == ("stopped", "success", True)
    assert outcome(child).commanded
    assert child.exitcode == 0


def test_sigterm_is_a_stop(site: Site) -> None:
    """The signal of any supervisor ends a service as the command does."""
    site.write("Loop", LOOPED)
    child = site.spawn(site.boot("Loop"))
    assert site.report()[0] == "started"
    os.kill(child.pid, signal.SIGTERM)
    assert site.report()[1]["commanded"] is True
    assert outcome(child).kind == "stopped"


def test_closed_channel_is_a_stop(site: Site) -> None:
    """Nobody is left who could ever say stop."""
    site.write("Loop", LOOPED)
    child = site.spawn(site.boot("Loop"))
    assert site.report()[0] == "started"
    child.channel.close()
    assert child.wait(SOON) == 0


def test_created_service_runs_when_it_is_started(site: Site) -> None:
    """A deferred service is there, reports so, and does nothing until it is told to."""
    site.write("Once", SINGLE)
    child = site.spawn(site.boot("Once", run_now=False))
    action, status = site.report()
    assert (action, status["pid"], status["result"]) == ("created", child.pid, "success")
    child.channel.send_bytes(START)
    assert site.actions(3) == ["started", "updated", "stopped"]


def test_created_service_can_be_stopped(site: Site) -> None:
    """A service that never ran stops like any other."""
    site.write("Once", SINGLE)
    child = site.spawn(site.boot("Once", run_now=False))
    assert site.report()[0] == "created"
    child.channel.send_bytes(STOP)
    assert site.report()[0] == "stopped"
    assert outcome(child).commanded


def test_start_of_a_running_service_changes_nothing(site: Site) -> None:
    """Neither a second task nor a second report."""
    site.write("Loop", LOOPED)
    child = site.spawn(site.boot("Loop"))
    assert site.report()[0] == "started"
    child.channel.send_bytes(START)
    child.channel.send_bytes(b"not a command")
    child.channel.send_bytes(STOP)
    assert site.report()[0] == "stopped"
    assert outcome(child).kind == "stopped"


@pytest.mark.parametrize(
    ("task", "before"),
    [
        ("class Work(Task):\n    def __init__(self):\n        raise ValueError('as wanted')\n", []),
        ("class Work(Task):\n    def setup(self):\n        raise ValueError('as wanted')\n", []),
        ("class Work(Task):\n    def run(self):\n        raise ValueError('as wanted')\n", ["started"]),
        ("class Work(Task):\n    async def run(self):\n        raise ValueError('as wanted')\n", ["started"]),
        (
            "class Work(Task):\n    def run(self): ...\n"
            "    def close(self):\n        raise ValueError('as wanted')\n",
            ["started"],
        ),
    ],
    ids=["constructor", "setup", "run", "async run", "close"],
)
def test_exception_of_the_user_fails_the_service(site: Site, task: str, before: list[str]) -> None:
    """Whatever raises, the service fails with the reason and the line of the user's file."""
    site.write("Bad", task)
    child = site.spawn(site.boot("Bad"))
    assert site.actions(len(before)) == before
    action, status = site.report()
    line = task[: task.index("raise")].count("\n") + 2
    assert (action, status["result"], status["reason"]) == ("failed", "failure", "ValueError: as wanted")
    assert status["where"] == f"{site.location}/Bad/Work.py:{line}"
    last = outcome(child)
    assert (last.kind, last.reason, last.where, last.reported) == (
        "failed",
        status["reason"],
        status["where"],
        True,
    )
    assert "ValueError: as wanted" in last.traceback
    assert "context_bus/service" not in last.traceback
    assert child.exitcode == 1


def test_exit_of_the_user_is_a_failure(site: Site) -> None:
    """``sys.exit`` in a task is not the end of its work."""
    site.write("Bad", "import sys\nclass Work(Task):\n    def run(self):\n        sys.exit('enough')\n")
    child = site.spawn(site.boot("Bad"))
    assert site.actions(2) == ["started", "failed"]
    assert outcome(child).reason == "SystemExit: enough"


def test_handler_that_raises_fails_the_service(site: Site) -> None:
    """A task that rests does not outlive its broken handler."""
    site.write(
        "Bad",
        """
        class Work(Task):
            @subscribe("prices")
            def on_price(self, price: float) -> None:
                raise RuntimeError(f"price {price}")
        """,
    )
    child = site.spawn(site.boot("Bad"))
    assert site.report()[0] == "started"
    site.bus.bus().publish("prices", 1.5)
    action, status = site.report()
    assert (action, status["reason"]) == ("failed", "RuntimeError: price 1.5")
    assert outcome(child).where.endswith("Bad/Work.py:6")


def test_killed_service_leaves_no_word_but_its_signal(site: Site) -> None:
    """Nobody can report his own sudden death; the exit tells it."""
    site.write("Loop", LOOPED)
    child = site.spawn(site.boot("Loop"))
    assert site.report()[0] == "started"
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(SOON) == -signal.SIGKILL
    assert child.messages() == []


def test_task_that_does_not_stop_is_cut_off_after_its_grace(site: Site) -> None:
    """The host still answers, says what happened, and takes the blocked thread along."""
    site.write("Blocked", BLOCKED)
    child = site.spawn(site.boot("Blocked", grace=0.3))
    assert site.actions(2) == ["started", "updated"]
    child.channel.send_bytes(STOP)
    action, status = site.report()
    assert (action, status["reason"]) == ("stopped", "did not stop within 0.3 s and was cut off")
    assert outcome(child).commanded


def test_blocked_handler_does_not_keep_a_stop_waiting(site: Site) -> None:
    """Handlers have their own thread, so the stop is heard while one of them hangs."""
    site.write(
        "Stuck",
        """
        import time
        class Work(Task):
            @subscribe("work")
            def on_work(self, work: str) -> None:
                self.notify("updated")
                time.sleep(300)
        """,
    )
    child = site.spawn(site.boot("Stuck", grace=0.3))
    assert site.report()[0] == "started"
    site.bus.bus().publish("work", "hang")
    assert site.report()[0] == "updated"
    child.channel.send_bytes(STOP)
    assert site.report()[0] == "stopped"
    assert outcome(child).reason.startswith("did not stop within")


def test_forgotten_thread_does_not_keep_the_service(site: Site) -> None:
    """A thread the user started and forgot ends with the service."""
    site.write(
        "Forgets",
        """
        import threading, time
        class Work(Task):
            def run(self):
                threading.Thread(target=time.sleep, args=(300,)).start()
        """,
    )
    child = site.spawn(site.boot("Forgets"))
    assert site.actions(2) == ["started", "stopped"]
    assert child.wait(SOON) == 0


def test_messages_of_close_are_sent(site: Site) -> None:
    """What a task says in its last hook arrives, before its ``stopped``."""
    site.write(
        "Polite",
        """
        class Work(Task):
            def close(self):
                self.publish("farewell", {"from": self.service_id})
                self.notify("updated", items={"last": True})
        """,
    )
    listener = site.bus.subscriber("farewell")
    child = site.spawn(site.boot("Polite"))
    assert site.report()[0] == "started"
    child.channel.send_bytes(STOP)
    received = listener.receive(SOON)
    assert received is not None
    assert b'"from":"ts_1"' in received[1]
    assert site.actions(2) == ["updated", "stopped"]


def test_edited_code_runs_on_restart_within_the_same_second(site: Site) -> None:
    """Byte code that looks current is not trusted: same size, same second, other code."""
    work = site.location / "Edited" / "Work.py"
    for number in range(3):
        site.write(
            "Edited", f"class Work(Task):\n    def run(self):\n        self.notify(items={{'n': {number}}})\n"
        )
        os.utime(work, (1_700_000_000, 1_700_000_000))
        if number == 0:
            py_compile.compile(str(work))  # as some other run of the same code may have left it
        site.spawn(site.boot("Edited"))
        assert site.report()[0] == "started"
        assert site.report()[1]["n"] == number
        assert site.report()[0] == "stopped"
    assert [path.suffix for path in (site.location / "Edited" / "__pycache__").iterdir()] == [".pyc"]


def test_big_configuration_arrives_whole(site: Site) -> None:
    """More than a pipe holds at once, in a list of many elements."""
    site.write(
        "Big",
        """
        class Work(Task):
            words: list[str]
            def run(self):
                self.notify(items={"count": len(self.words), "last": self.words[-1]})
        """,
    )
    words = [f"word{number:06}" for number in range(50_000)]
    site.spawn(site.boot("Big", {"words": words}))
    assert site.report()[0] == "started"
    status = site.report()[1]
    assert (status["count"], status["last"]) == (50_000, "word049999")


def test_configuration_that_does_not_fit_fails_the_service(site: Site) -> None:
    """The reason names the child and what the task takes."""
    site.write("Loop", LOOPED)
    child = site.spawn(site.boot("Loop", {"perid": "3"}))
    action, status = site.report()
    assert action == "failed"
    assert (
        status["reason"]
        == "configuration of Work: 'perid' is unknown; did you mean 'period'? it takes period"
    )
    assert outcome(child).kind == "failed"


def test_service_without_a_bus_says_so_to_its_parent(site: Site) -> None:
    """Nobody on the bus can hear it, so the outcome says that nothing was reported."""
    site.write("Loop", LOOPED)
    boot = site.boot("Loop")
    child = site.spawn(replace(boot, publish_to=free_endpoint(), connect_timeout=0.2))
    last = outcome(child)
    assert (last.kind, last.reported) == ("failed", False)
    assert last.reason.startswith("no provider listens on the bus at tcp://127.0.0.1:")
    wrong = outcome(site.spawn(replace(boot, publish_to="nonsense")))
    assert (wrong.kind, wrong.reported) == ("failed", False)
    assert "nonsense" in wrong.reason


def test_stop_is_obeyed_while_the_code_is_being_imported(site: Site) -> None:
    """Even a module that never finishes its import does not keep the service from its stop."""
    flag = site.location / "importing"
    site.write(
        "Slow", f"open({str(flag)!r}, 'w').close()\nimport time\ntime.sleep(300)\nclass Work(Task): ...\n"
    )
    child = site.spawn(site.boot("Slow", grace=0.2))
    wait_until(flag.exists, SOON, "the import to begin")
    child.channel.send_bytes(STOP)
    assert site.report()[0] == "stopped"
    assert child.wait(SOON) == 0
