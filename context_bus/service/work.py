"""The thread in which a service lives, from loading its class to closing its task. Knows drivers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from context_bus.errors import ServiceError
from context_bus.service.boot import Boot
from context_bus.service.driver import Driver, TaskDriver
from context_bus.service.failure import Failure, failure_of
from context_bus.service.handler import ServiceHandler
from context_bus.service.handler_driver import HandlerDriver
from context_bus.service.link import ServiceLink
from context_bus.service.loading import load_built_in, load_service_class, unload
from context_bus.service.taskservice import BuiltInService, TaskService


@dataclass(frozen=True, slots=True)
class Troubled:
    """A handler raised while the task goes on."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Finished:
    """The thread of the task has come to its end."""

    failure: Failure | None


#: Gives the class of a service.
Load = Callable[[], type[object]]


class Work:
    """One service's own thread.

    Args:
        boot: What the service was given.
        link: How it talks.
        tell: Told, from any thread, what happened.
        load: Gives the class of the service; called in the thread.
    """

    def __init__(
        self, boot: Boot, link: ServiceLink, tell: Callable[[Troubled | Finished], None], load: Load
    ) -> None:
        self._boot = boot
        self._link = link
        self._tell = tell
        self._load = load
        self._go = threading.Event()
        self._failure: Failure | None = None
        if boot.run_now:
            self._go.set()
        self._thread = threading.Thread(target=self._live, name=f"{boot.conf.id}-task", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def go(self) -> None:
        """Run a service that was only created; a running one is not disturbed."""
        self._go.set()

    def stop(self) -> None:
        """Make the wish to stop known to the task."""
        self._link.stopping.set()
        self._go.set()

    def _live(self) -> None:
        try:
            self._step(self._life)
        finally:
            self._tell(Finished(self._failure))

    def _life(self) -> None:
        driver = self._driver(self._load())
        try:
            self._step(lambda: self._run(driver))
        finally:
            self._link.stopping.set()
            self._step(driver.finish)

    def _run(self, driver: Driver) -> None:
        driver.create(deferred=not self._boot.run_now)
        self._go.wait()
        if self._link.stopping.is_set():
            return
        driver.start()
        driver.work()

    def _step(self, step: Callable[[], None]) -> None:
        """Take a step of the user's code; the first failure is the one that counts."""
        try:
            step()
        except BaseException as error:  # noqa: BLE001  # border to the user's code, SystemExit included
            self._note(error)

    def _note(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = failure_of(error, self._boot.directory)

    def _trouble(self, error: BaseException) -> None:
        self._note(error)
        assert self._failure is not None
        self._tell(Troubled(self._failure))

    def _driver(self, service_class: type[object]) -> Driver:
        if issubclass(service_class, BuiltInService):
            return TaskDriver(service_class(self._boot), self._boot, self._link, self._trouble)
        if issubclass(service_class, TaskService):
            return TaskDriver(service_class(), self._boot, self._link, self._trouble)
        if issubclass(service_class, ServiceHandler):
            return HandlerDriver(service_class, self._boot, self._link, self._trouble)
        raise ServiceError(
            f"class {service_class.__name__} is no service; derive it from context_bus.TaskService"
        )


def load_from_files(boot: Boot) -> Load:
    """Load the class from where the boot value says, into a process of its own."""
    built_in = boot.built_in
    if built_in is not None:
        return lambda: load_built_in(built_in.class_name)
    return lambda: load_service_class(boot.directory, boot.conf.instance)


class SharedLoad:
    """Loads the class of a service into a process that holds others too.

    Args:
        boot: Says from where.
    """

    def __init__(self, boot: Boot) -> None:
        self._boot = boot
        self._loaded: type[object] | None = None

    def __call__(self) -> type[object]:
        """Load it."""
        if self._boot.built_in is not None:
            return load_built_in(self._boot.built_in.class_name)
        self._loaded = load_service_class(self._boot.directory, self._boot.conf.instance, shared=True)
        return self._loaded

    def unload(self) -> None:
        """Forget it; when the service has ended."""
        if self._loaded is not None:
            unload(self._loaded)
