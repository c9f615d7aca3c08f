"""The steps of a task's life, in the thread or loop it belongs to. Knows tasks and listeners.

A task that is ``async`` (its ``run``, or without one its hooks or handlers) lives in an event loop, hooks
and constructor too; any other in the thread that drives it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
from collections.abc import Callable
from typing import Any, Protocol

from context_bus.service.boot import Boot
from context_bus.service.eventloop import LoopThread
from context_bus.service.link import ServiceLink
from context_bus.service.listeners import Listeners, listeners_of
from context_bus.service.reports import Report
from context_bus.service.subscription import subscriptions_of
from context_bus.service.task import Task
from context_bus.service.taskservice import TaskService

#: Seconds after the wish to stop at which an ``async`` run that goes on is cancelled.
CANCEL_AFTER = 1.0

#: Told what a handler raised.
Trouble = Callable[[BaseException], None]


class Driver(Protocol):
    """One kind of service class; each step may raise what the user's code raises."""

    def create(self, *, deferred: bool) -> None:
        """Build the task; if it is deferred, report ``created``."""
        ...

    def start(self) -> None:
        """Make the task ready and report ``started``."""
        ...

    def work(self) -> None:
        """Return when the task has done its work or is to stop."""
        ...

    def finish(self) -> None:
        """Release everything; called after `create`, whatever else succeeded."""
        ...


class TaskDriver:
    """Drives a `TaskService` and its `Task`.

    Args:
        service: The service object.
        boot: What it was given.
        link: How it talks.
        trouble: Told what a handler raised.
    """

    def __init__(self, service: TaskService, boot: Boot, link: ServiceLink, trouble: Trouble) -> None:
        self._service = service
        self._boot = boot
        self._link = link
        self._trouble = trouble
        self._task: Task | None = None
        self._loop: LoopThread | None = None
        self._listeners: Listeners | None = None
        self._is_set_up = False
        self._lives_in_loop = False

    def create(self, *, deferred: bool) -> None:
        """Build the task where it will live."""
        kinds = _kinds(getattr(self._service, "task_class", Task))
        if any(kinds.values()):
            self._loop = LoopThread(f"{self._boot.conf.id}-loop")
        self._lives_in_loop = kinds.get("run", any(kinds.values()))
        self._task = self._at_home(lambda: self._service.make_task(self._link, self._boot.conf.configuration))
        if deferred:
            self._link.report(Report.CREATED)

    def start(self) -> None:
        """Set the task up, subscribe, and say so."""
        assert self._task is not None
        self._call("setup")
        self._is_set_up = True
        loop = self._loop.loop if self._loop else None
        self._listeners = Listeners(
            self._boot, self._link.publisher, listeners_of(self._task, self._boot), loop, self._trouble
        )
        self._listeners.connect()
        if not self._link.stopping.is_set():
            self._link.report(Report.STARTED)
            self._listeners.serve()

    def work(self) -> None:
        """Run the task; one without ``run`` works in its handlers."""
        run: Callable[[], Any] | None = getattr(self._task, "run", None)
        if self._link.stopping.is_set():
            return
        if run is None:
            self._link.stopping.wait()
        elif inspect.iscoroutinefunction(run):
            assert self._loop is not None
            try:
                self._loop.submit(self._run_async(run))()
            except concurrent.futures.CancelledError:
                if not self._link.stopping.is_set():
                    raise
        else:
            run()

    async def _run_async(self, run: Callable[[], Any]) -> None:
        """Await ``run``, and cancel it if it does not heed the wish to stop."""
        running = asyncio.ensure_future(run())
        stopping = asyncio.ensure_future(self._link.stopping.wait_async())
        try:
            await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await asyncio.wait([running], timeout=CANCEL_AFTER)
        finally:
            stopping.cancel()
            running.cancel()  # changes nothing when it is done
        await running

    def finish(self) -> None:
        """End the handlers, then the task."""
        try:
            if self._listeners is not None:
                self._listeners.close()
            if self._is_set_up:
                self._call("close")
        finally:
            if self._loop is not None:
                self._loop.close()

    def _call(self, hook: str) -> None:
        function = getattr(self._task, hook)
        if inspect.iscoroutinefunction(function):
            assert self._loop is not None
            self._loop.call(function)
        else:
            self._at_home(function)

    def _at_home(self, function: Callable[[], Any]) -> Any:
        if self._loop is not None and self._lives_in_loop:
            return self._loop.call(function)
        return function()


def _kinds(task_class: type[object]) -> dict[str, bool]:
    """Say of each method that the framework calls whether it is ``async``."""
    names = ["setup", "run", "close", "on_control", *(each.method for each in subscriptions_of(task_class))]
    return {
        name: inspect.iscoroutinefunction(getattr(task_class, name))
        for name in names
        if hasattr(task_class, name)
    }
