"""The service class of old, so that services written for it run as they are. New ones use TaskService.

The names and shapes are those of its contract; ours are only the order of what is sent and the word on
how it all ended. Knows links and reports; must not know the host.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from context_bus.errors import ServiceError
from context_bus.service.boot import Boot
from context_bus.service.link import ServiceLink
from context_bus.service.reports import SUCCESS, ControlContent, Report

#: A message as services of old see it: what the JSON says.
WireMessage = dict[str, Any]


class RunFlag:
    """The flag of old whose meaning is inverted: set while the service runs, cleared to end it."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._is_set = True

    def set(self) -> None:
        """Say that the service runs."""
        self._is_set = True

    def clear(self) -> None:
        """End the service of its own accord."""
        self._is_set = False
        self._end()

    def is_set(self) -> bool:
        """Whether the service runs."""
        return self._is_set

    isSet = is_set  # as services of old call it


class TaskedService:
    """What services of old know of the thing that carries them.

    Args:
        boot: What the service was given.
        end: Ends the service of its own accord.
    """

    def __init__(self, boot: Boot, end: Callable[[], None]) -> None:
        self.transaction = boot.transaction
        self.topic = boot.conf.topic
        self.frontend = boot.listen_on
        self.backend = boot.publish_to
        self.tStop = RunFlag(end)
        #: Threads that the service named, with their names.
        self.joiners: list[tuple[threading.Thread, str]] = []

    def AddContext(self, thread: threading.Thread, name: str) -> None:
        """Name a thread; what it is for is for people, the host finds threads by itself."""
        self.AddJoiner(thread, name)

    def AddJoiner(self, thread: threading.Thread, name: str) -> None:
        """Do what `AddContext` does."""
        self.joiners.append((thread, name))


class ServiceHandler:
    """Base of services in the old shape: subclass it as ``Service<instance>``.

    A subclass supplies `GetActionHandler` and, if it wants, `DeserializeAction`, `ParseItems`,
    `ControlAction` and `close`. Its constructor passes ``**kwargs`` on.

    Args:
        boot: What the service is given.
        link: How it talks.
    """

    def __init__(self, *, boot: Boot, link: ServiceLink, **_: object) -> None:
        self.logger: logging.Logger = link.logger
        self.service_id = boot.conf.id
        self.service_name = boot.conf.service_name
        self.transaction = boot.transaction
        self.device_action = boot.conf.device_action
        self.frontend = boot.listen_on
        self.backend = boot.publish_to
        self.actionHandler: Any = None
        self.stopped = True
        self.task = TaskedService(boot, link.stopping.set)
        #: Why the service itself says that it failed; empty if it does not.
        self.fault = ""
        self._start_fault = ""
        self._link = link
        self._lock = threading.Lock()
        self._is_announced = False
        self._waiting: list[tuple[str, ControlContent]] = []

    # -- for the subclass ----------------------------------------------------------------------------

    def DeserializeAction(self, msg: WireMessage) -> bool:
        """Whether a message is for this service, by name and transaction."""
        header = msg.get("header", {})
        return header.get("service_name") in (self.service_name, "all") and self.ValidateTransaction(msg)

    def ParseItems(self, items: Mapping[str, Any] | None, resp_format: WireMessage) -> WireMessage | None:
        """Put the items of a report into its status."""
        resp_format["content"]["status"].update(items or {})
        return resp_format

    def GetActionHandler(self, msg: WireMessage) -> Any:
        """Make the task from a TaskService message, and notify ``started`` or ``created``."""
        raise NotImplementedError(f"{type(self).__name__} has no GetActionHandler")

    def ControlAction(self, msg: WireMessage) -> None:
        """React to a report on topic ``control``."""

    def close(self) -> None:
        """Release what the service holds; the task has been closed before."""

    # -- for the subclass and its task to use ------------------------------------------------------------

    def ValidateTransaction(self, msg: WireMessage) -> bool:
        """Whether a message is of this service's transaction, in either of its two spellings."""
        header = msg.get("header", {})
        return self.transaction in (header.get("transaction"), header.get("service_transaction"))

    def notify(self, action: str, result: str, items: Mapping[str, Any] | None = None) -> None:
        """Report on topic ``control``; from any thread.

        What the task reports before the service has said ``started`` waits for it. ``stopped`` and
        ``failed`` end the service: the host, which sees the end, is the one to report it.
        """
        message: WireMessage = {
            "header": {
                "action": action,
                "service_id": self.service_id,
                "service_name": self.service_name,
                "service_transaction": self.transaction,
            },
            "content": {"status": {"result": result, "device_action": self.device_action}},
        }
        content = ControlContent((self.ParseItems(items, message) or message)["content"]["status"])
        if action in (Report.STARTED, Report.CREATED):
            self._announce(action, content)
        elif action == Report.FAILED:
            self.fault = content.reason or "it reported failed"
            self._link.stopping.set()
        elif action in (Report.STOPPED, Report.EXITED):
            self._link.stopping.set()
        else:
            with self._lock:
                if not self._is_announced:
                    self._waiting.append((action, content))
                    return
            self._link.send(action, content)

    def _announce(self, action: str, content: ControlContent) -> None:
        """Report that the task is there, then what it had to say meanwhile."""
        if content.result != SUCCESS:
            self._start_fault = content.reason or f"it reported {action} with result {content.result!r}"
            return
        content.status["pid"] = os.getpid()
        with self._lock:
            self._link.send(action, content)
            waiting, self._waiting = self._waiting, []
            for verb, report in waiting:
                self._link.send(verb, report)
            self._is_announced = True

    def start_task(self, msg: WireMessage, report: Report) -> Any:
        """Make the task as the message says; for the host.

        Raises:
            ServiceError: The service made none.
        """
        self._is_announced, self._start_fault, self.stopped = False, "", False
        task = self.actionHandler = self.GetActionHandler(msg)
        # A task whose work is done before it is asked whether it has started says no; its thread knows.
        has_run = isinstance(task, threading.Thread) and task.ident is not None
        if task is None or (self._start_fault and not has_run):
            raise ServiceError(
                f"{type(self).__name__}.GetActionHandler made no task: "
                f"{self._start_fault or 'it returned None'}; its log says why"
            )
        if not self._is_announced:
            self._announce(report, ControlContent({"result": SUCCESS, "device_action": self.device_action}))
        return task
