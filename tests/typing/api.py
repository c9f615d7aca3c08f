"""Uses of the public face as users write them; checked by mypy, never run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, assert_type

import msgspec

from context_bus import (
    VERSION,
    AsyncBus,
    Bus,
    ContextBusError,
    ControlContent,
    Header,
    Message,
    RequestTimeout,
    ServiceError,
    ServiceHandler,
    Task,
    TaskService,
    subscribe,
)
from context_bus.testing.bus import LocalBus
from context_bus.testing.service import ServiceRun
from context_bus.watch.tasks import Tasks
from context_bus.watch.values import Outcome, Past
from context_bus.watch.values import Task as WatchedTask


class Price(msgspec.Struct):
    symbol: str
    value: float


class Trading(Task):
    """Everything a task can do, in plain code."""

    publishes: ClassVar = {"prices": Price, "ticks": list[float]}

    limit: float = 10.0
    symbols: list[str]
    log: Path | None = None

    def setup(self) -> None:
        assert_type(self.limit, float)
        assert_type(self.symbols, list[str])
        assert_type(self.service_id, str)
        assert_type(self.logger, logging.Logger)
        self.keep("prices", "double")

    def run(self) -> None:
        while not self.wait(1.0):
            self.publish("prices", Price("X", 1.0))
            self.publish("prices", {"symbol": "X"}, action="put")
            self.notify("updated", result="success", items={"n": 1})
            assert_type(self.request("double", 1), object)
            assert_type(self.request("double", 1, type=int, timeout=1.0), int)
            assert_type(self.stopping, bool)

    @subscribe("prices")
    def on_price(self, price: Price) -> None:
        assert_type(price.value, float)

    @subscribe("double", policy="conflate", last=True)
    def on_double(self, message: Message[int]) -> int:
        assert_type(message.header, Header)
        assert_type(message.header.kept, bool | msgspec.UnsetType)
        return 2 * message.content

    def on_control(self, report: Message[ControlContent]) -> None:
        assert_type(report.content.pid, int)
        assert_type(report.content.status, dict[str, Any])

    def close(self) -> None: ...


class AsyncTrading(Task):
    """The same in ``async`` code."""

    async def setup(self) -> None: ...

    async def run(self) -> None:
        while not await self.wait_async(1.0):
            assert_type(await self.request_async("double", 1), object)
            assert_type(await self.request_async("double", 1, type=int), int)

    @subscribe("prices")
    async def on_price(self, price: Price) -> None: ...

    async def close(self) -> None: ...


class ServiceTrading(TaskService):
    task_class = Trading


class ServiceOfOld(ServiceHandler):
    def GetActionHandler(self, msg: dict[str, Any]) -> object:
        self.notify("started", "success", items={"pid": 1})
        return object()


def on_the_bus_alone(bus: Bus, mapping: Mapping[str, str]) -> None:
    bus.keep("prices")
    bus.publish("prices", Price("X", 1.0))
    bus.subscribe("prices", print, last=True)
    assert_type(bus.request("double", 1, type=int), int)
    assert_type(VERSION, str)
    try:
        bus.request("nobody", mapping)
    except RequestTimeout as error:
        assert_type(error.exit_code, int)
    except (ServiceError, ContextBusError):
        raise


async def on_the_bus_async(bus: AsyncBus) -> None:
    bus.keep("prices")
    await bus.publish("prices", Price("X", 1.0))
    assert_type(await bus.request("double", 1, type=int), int)


def in_a_test() -> None:
    task = Trading(symbols=["X"], limit=1.0)
    assert_type(task.limit, float)
    with LocalBus() as bus, ServiceRun(Trading, bus, {"symbols": "X"}) as run:
        assert_type(run.wait_for("updated").content, ControlContent)
        assert_type(run.stop().commanded, bool)


def watch_tasks(path: Path) -> None:
    """Any command as a watched task."""
    with Tasks(path) as tasks:
        tasks.initialize()
        taskid = tasks.reserve("backup", unique=True, info=("a", "", ""))
        assert_type(taskid, int)
        launched = tasks.launch(["backup.sh", "--all"], taskid=taskid, timeout=60, env={"WORD": "x"})
        assert_type(launched.wait(10), Past)
        assert_type(tasks.list(name="backup"), Sequence[WatchedTask])
        assert_type(tasks.feedback(taskid), Mapping[str, str])
        assert_type([past.outcome for past in tasks.history(failed=True, limit=5)], list[Outcome])
        assert_type(tasks.stats("backup").p95, float | None)
        assert_type(tasks.killall("backup", grace=2), int)
        assert_type(tasks.clear(until=0), int)
