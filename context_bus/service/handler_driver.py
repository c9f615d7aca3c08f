"""The steps of the life of a service in the old shape. Knows its contract; new services never come here."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any

import msgspec

from context_bus.config.image import service_to_image
from context_bus.config.model import IMMEDIATE_TYPES
from context_bus.errors import ServiceError
from context_bus.kernel.message import Message
from context_bus.service.boot import Boot
from context_bus.service.driver import Trouble
from context_bus.service.handler import ServiceHandler, WireMessage
from context_bus.service.link import ServiceLink
from context_bus.service.listeners import Listener, Listeners
from context_bus.service.reports import CONTROL_TOPIC, Report

_log = logging.getLogger(__name__)

#: What threads raised that nobody waited for; a task of old is such a thread.
_raised: weakref.WeakKeyDictionary[threading.Thread, BaseException] = weakref.WeakKeyDictionary()
_default_hook = threading.excepthook


class HandlerDriver:
    """Drives a `ServiceHandler` and the thread that it calls its task.

    Args:
        service_class: The user's class.
        boot: What the service was given.
        link: How it talks.
        trouble: Told what a handler or the task raised.
    """

    def __init__(
        self, service_class: type[ServiceHandler], boot: Boot, link: ServiceLink, trouble: Trouble
    ) -> None:
        self._service_class = service_class
        self._boot = boot
        self._link = link
        self._trouble = trouble
        self._service: ServiceHandler | None = None
        self._task: Any = None
        self._listeners: Listeners | None = None
        threading.excepthook = _note_raised

    def create(self, *, deferred: bool) -> None:
        """Make the service; if it is deferred, let it make a task that does not run yet."""
        self._service = self._service_class(boot=self._boot, link=self._link)
        header = self._message(runs=True)["Task"]["message"]
        if not self._service.DeserializeAction(header):
            raise ServiceError(
                f"{self._service_class.__name__}.DeserializeAction refuses service_name "
                f"{self._boot.conf.service_name!r}; make the name in the code and in the context file one"
            )
        if deferred:
            self._task = self._service.start_task(self._message(runs=False), Report.CREATED)

    def start(self) -> None:
        """Listen to reports, if the service wants them, and let it make a task that runs."""
        service = self._service
        assert service is not None
        listeners = []
        if self._service_class.ControlAction is not ServiceHandler.ControlAction:
            listeners.append(Listener(CONTROL_TOPIC, self._hear, type=Message[Any]))
        self._listeners = Listeners(self._boot, self._link.publisher, listeners, None, self._trouble)
        self._listeners.connect()
        self._task = service.start_task(self._message(runs=True), Report.STARTED)
        self._listeners.serve()

    def work(self) -> None:
        """Wait for the stop, or for the end of the task's thread, which is the end of the service."""
        if isinstance(self._task, threading.Thread) and self._task.ident is not None:
            name = f"{self._boot.conf.id}-watch"
            threading.Thread(target=self._watch, args=(self._task,), name=name, daemon=True).start()
        self._link.stopping.wait()

    def finish(self) -> None:
        """Close the task, then the service, and wait for the thread as long as the host allows."""
        if self._listeners is not None:
            self._listeners.close()
        if self._task is not None:
            self._close_task()
        if self._service is not None:
            self._service.stopped = True
            self._service.close()
            if self._service.fault:
                raise ServiceError(f"{self._service_class.__name__}: {self._service.fault}")

    def _close_task(self) -> None:
        flag, close = getattr(self._task, "tStop", None), getattr(self._task, "close", None)
        if flag is not None:
            flag.set()
        if close is not None:
            close()
        if isinstance(self._task, threading.Thread) and self._task.ident is not None:
            self._task.join()

    def _watch(self, task: threading.Thread) -> None:
        task.join()
        error = _raised.pop(task, None)
        if error is not None:
            self._trouble(error)
        self._link.stopping.set()

    def _hear(self, message: Message[Any]) -> None:
        assert self._service is not None
        self._service.ControlAction(msgspec.to_builtins(message))

    def _message(self, *, runs: bool) -> WireMessage:
        """The message that services of old are started with; its state type says whether to run at once."""
        conf = self._boot.conf
        message: WireMessage = dict(
            service_to_image(conf, action="start", transaction=self._boot.transaction)
        )
        is_right = (conf.state_type in IMMEDIATE_TYPES) is runs
        message["Task"]["state"]["type"] = (
            conf.state_type if is_right else "start_now" if runs else "on_demand"
        )
        return message


def _note_raised(args: threading.ExceptHookArgs) -> None:
    """Keep what a thread raised for the driver that watches it, and print it as ever."""
    if args.thread is not None and args.exc_value is not None:
        _raised[args.thread] = args.exc_value
    _default_hook(args)
