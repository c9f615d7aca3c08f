from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from typing import Any

import pytest

from context_bus.errors import NobodyListens, RequestFailed, ServiceError
from context_bus.kernel.message import Message
from context_bus.service.reports import ControlContent
from context_bus.service.subscription import subscribe
from context_bus.service.task import Task
from context_bus.service.taskservice import TaskService
from context_bus.testing.bus import LocalBus
from context_bus.testing.service import ServiceRun

SOON = 10.0


class Looped(Task):
    period: float = 60.0

    def run(self) -> None:
        while not self.wait(self.period):
            self.notify("updated")


class Async(Task):
    period: float = 60.0

    async def setup(self) -> None:
        self.loop = asyncio.get_running_loop()

    async def run(self) -> None:
        assert asyncio.get_running_loop() is self.loop
        self.notify("updated", items={"running": True})
        while not await self.wait_async(self.period):
            self.notify("updated")

    async def close(self) -> None:
        assert asyncio.get_running_loop() is self.loop
        self.notify("updated", items={"closed": True})


class AsyncDeaf(Task):
    async def run(self) -> None:
        self.notify("updated")
        await asyncio.sleep(300)


class Mixed(Task):
    """Plain run, plain and async handlers."""

    @subscribe("plain")
    def on_plain(self, text: str) -> str:
        return f"{text} in {threading.current_thread().name}"

    @subscribe("async")
    async def on_async(self, text: str) -> str:
        await asyncio.sleep(0)
        return f"{text} in {threading.current_thread().name}"

    def run(self) -> None:
        self.notify("updated", items={"thread": threading.current_thread().name})
        self.wait(60)


class Chatty(Task):
    """Notifies from many threads at once."""

    def run(self) -> None:
        threads = [threading.Thread(target=self.talk, args=(name,)) for name in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def talk(self, name: str) -> None:
        for number in range(50):
            self.notify("updated", items={"name": name, "number": number})


class Owner(Task):
    """Holds what belongs to one thread."""

    def setup(self) -> None:
        self.database = sqlite3.connect(":memory:")

    def run(self) -> None:
        self.notify("updated", items={"one": self.database.execute("select 1").fetchone()[0]})

    def close(self) -> None:
        self.database.close()


class Asking(Task):
    def run(self) -> None:
        self.notify("updated", items={"twice": self.request("double", 21, type=int, timeout=5)})
        with pytest.raises(RequestFailed, match="too small"):
            self.request("double", -1)
        with pytest.raises(NobodyListens):
            self.request("nowhere", 1, timeout=0.2)


class Doubling(Task):
    @subscribe("double")
    def on_double(self, number: int) -> int:
        if number < 0:
            raise ValueError("too small")
        return 2 * number


class Watching(Task):
    def on_control(self, report: Message[ControlContent]) -> None:
        self.notify("updated", items={"saw": f"{report.header.service_id} {report.header.action}"})


class WatchingAsync(Task):
    async def on_control(self, content: ControlContent) -> None:
        self.notify("updated", items={"saw": content.result})


class Identified(Task):
    def run(self) -> None:
        assert not self.stopping
        who = [self.transaction, self.service_id, self.service_name, self.device_action, self.logger.name]
        self.notify("updated", items={"who": who})


def test_task_that_waits_stops_at_once(bus: LocalBus) -> None:
    """A rest of a minute ends with the wish to stop."""
    with ServiceRun(Looped, bus) as run:
        run.wait_for("started")
        outcome = run.stop()
    assert (outcome.kind, outcome.commanded, outcome.reason) == ("stopped", True, "")


def test_task_wakes_from_its_rest_and_goes_on(bus: LocalBus) -> None:
    """``wait`` is false as long as nobody wants the stop."""
    with ServiceRun(Looped, bus, {"period": "0.01"}) as run:
        run.wait_for("updated")
        run.wait_for("updated")


def test_async_task_lives_in_one_loop(bus: LocalBus) -> None:
    """Hooks and run share a loop, and ``wait_async`` hears the stop."""
    with ServiceRun(Async, bus) as run:
        assert run.wait_for("updated").content.status["running"]
        assert run.stop().kind == "stopped"
        assert run.wait_for("updated").content.status["closed"]
        run.wait_for("stopped")


def test_async_task_that_does_not_look_is_cancelled(bus: LocalBus) -> None:
    """A sleep of five minutes ends by cancellation, which is an orderly end."""
    with ServiceRun(AsyncDeaf, bus) as run:
        run.wait_for("updated")
        outcome = run.stop()
    assert (outcome.kind, outcome.reason) == ("stopped", "")


def test_plain_and_async_handlers_work_side_by_side(bus: LocalBus) -> None:
    """Run, plain handlers and async handlers each have their own place."""
    with ServiceRun(Mixed, bus) as run:
        assert run.wait_for("updated").content.status["thread"] == "ts_test-task"
        node = bus.bus()
        assert node.request("plain", "hi") == "hi in ts_test-handlers"
        assert node.request("async", "hi") == "hi in ts_test-loop"
        assert run.stop().kind == "stopped"


def test_messages_that_do_not_fit_a_handler_do_not_fail_it(bus: LocalBus) -> None:
    """Anybody can send anything; a service that dies of it would be a way to kill it."""
    with ServiceRun(Mixed, bus) as run:
        run.wait_for("updated")
        node = bus.bus()
        node.publish("plain", {"not": "text"})
        node.publisher.send("plain", b"not json")
        assert node.request("plain", "still here").startswith("still here")
        assert run.outcome is None


def test_notify_from_many_threads_keeps_each_threads_order(bus: LocalBus) -> None:
    """One publisher for all threads: no report is lost, none overtakes another of its thread."""
    with ServiceRun(Chatty, bus) as run:
        run.wait_for("stopped")
    updates = [report.content.status for report in run.reports if report.header.action == "updated"]
    assert len(updates) == 8 * 50
    for name in "abcdefgh":
        assert [update["number"] for update in updates if update["name"] == name] == list(range(50))
    assert [report.header.sequence for report in run.reports] == list(range(1, len(run.reports) + 1))


def test_hooks_and_run_share_a_thread(bus: LocalBus) -> None:
    """What may be used only by the thread that made it can be a task's own."""
    with ServiceRun(Owner, bus) as run:
        assert run.wait_for("updated").content.status["one"] == 1
        assert run.wait().kind == "stopped"


def test_tasks_ask_each_other(bus: LocalBus) -> None:
    """A request is answered by another service's handler, and what that raises is told to the asker."""
    with ServiceRun(Doubling, bus, service_id="ts_2") as doubling:
        doubling.wait_for("started")
        with ServiceRun(Asking, bus) as asking:
            assert asking.wait_for("updated").content.status["twice"] == 42
            assert asking.wait().kind == "stopped"
        assert doubling.outcome is None


@pytest.mark.parametrize(("task", "saw"), [(Watching, "ts_2 started"), (WatchingAsync, "success")])
def test_task_hears_reports_of_its_transaction_but_not_its_own(
    bus: LocalBus, task: type[Task], saw: str
) -> None:
    """``on_control`` is for what others do."""
    with ServiceRun(task, bus) as watching:
        watching.wait_for("started")
        with ServiceRun(Looped, bus, service_id="ts_3", transaction="OTHER") as other:
            other.wait_for("started")
        with ServiceRun(Looped, bus, service_id="ts_2") as looped:
            looped.wait_for("started")
            assert watching.wait_for("updated").content.status["saw"] == saw


def test_task_knows_who_it_is(bus: LocalBus) -> None:
    """Identity comes from the context file, the logger carries it."""
    with ServiceRun(Identified, bus, {"device_action": "shout"}, service_name="echo") as run:
        who = run.wait_for("updated").content.status["who"]
    assert who == ["TEST", "ts_test", "echo", "shout", "service.ts_test"]


@pytest.mark.parametrize("action", ["started", "created", "stopped", "failed", "exited"])
def test_verbs_of_the_lifecycle_are_not_the_tasks(bus: LocalBus, action: str) -> None:
    """A task that could report its own end could end differently than it says."""

    class Lying(Task):
        def run(self) -> None:
            self.notify(action)

    with ServiceRun(Lying, bus) as run:
        assert "is for the framework" in run.wait().reason


def test_task_without_a_service_says_so() -> None:
    """What needs a bus is refused with a remedy; what does not can be tried out."""
    task = Looped(period=0.5)
    assert task.period == 0.5
    with pytest.raises(ServiceError, match=r"context_bus\.testing"):
        task.notify("updated")
    with pytest.raises(TypeError, match="did you mean 'period'"):
        Looped(perid=0.5)


def test_constructor_of_its_own_may_use_the_service(bus: LocalBus) -> None:
    """Logger and identity are there from the first line, without a call of the base."""

    class Own(Task):
        def __init__(self, count: int, words: list[str], **rest: Any) -> None:
            self.logger.debug("constructed")
            self.facts = [count, words, rest, self.service_id]

        def run(self) -> None:
            self.notify("updated", items={"facts": self.facts})

    with ServiceRun(Own, bus, {"count": "3", "words": "one", "extra": "x"}) as run:
        assert run.wait_for("updated").content.status["facts"] == [3, ["one"], {"extra": "x"}, "ts_test"]


def test_service_that_names_no_task_is_refused(bus: LocalBus) -> None:
    """The remedy is in the reason."""

    class ServiceEmpty(TaskService):
        """Names none."""

    with ServiceRun(ServiceEmpty, bus) as run:
        assert "ServiceEmpty.task_class is None; set it to" in run.wait().reason
    with ServiceRun(dict, bus) as run:
        assert run.wait().reason == "class dict is no service; derive it from context_bus.TaskService"


def test_handler_with_a_wrong_signature_is_refused(bus: LocalBus) -> None:
    """Before the service calls itself started."""

    class Wrong(Task):
        @subscribe("prices")
        def on_price(self, price: float, volume: float) -> None:
            """Takes one too many."""

    with ServiceRun(Wrong, bus) as run:
        reason = run.wait().reason
        assert "on_price takes 2 arguments" in reason
    assert [report.header.action for report in run.reports] == []


def test_threads_end_with_the_service(bus: LocalBus) -> None:
    """Loop, handlers and task: none is left when the outcome is there."""
    with ServiceRun(Mixed, bus) as run:
        run.wait_for("updated")
        run.stop()
        assert not [each.name for each in threading.enumerate() if each.name.startswith("ts_test-")]


def test_conflating_handler_gets_the_newest(bus: LocalBus) -> None:
    """Values of which nobody needs the older ones do not queue."""

    class Latest(Task):
        @subscribe("price", policy="conflate")
        def on_price(self, price: int) -> None:
            self.notify("updated", items={"price": price})
            if price == 0:
                self.wait(0.3)

    with ServiceRun(Latest, bus) as run:
        run.wait_for("started")
        node = bus.bus()
        node.publish("price", 0)
        assert run.wait_for("updated").content.status["price"] == 0
        node.publish_many("other", [1])
        for price in range(1, 101):
            node.publish("price", price)
        assert run.wait_for("updated").content.status["price"] == 100


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """Failures are wanted here; their tracebacks would hide an unwanted one."""
    logging.getLogger("context_bus.service").setLevel(logging.CRITICAL)
