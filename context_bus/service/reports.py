"""What a service says of itself on topic ``control``. Knows kernel; must not know the bus."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from typing import Any

import msgspec

#: Topic on which services report.
CONTROL_TOPIC = "control"
#: ``device_action`` of the provider's own broadcast on the same topic.
CONTEXT_INFO = "context_info"


class Report(enum.StrEnum):
    """The verbs of a report."""

    STARTED = "started"
    CREATED = "created"
    UPDATED = "updated"
    STOPPED = "stopped"
    FAILED = "failed"
    #: Nobody of us sends it; older tools may, and it means what ``stopped`` of its own accord means.
    EXITED = "exited"


#: The one result that lets transitions fire.
SUCCESS = "success"
FAILURE = "failure"


class ControlContent(msgspec.Struct, frozen=True):
    """Content of a ``control`` message.

    Args:
        status: ``result`` and ``device_action``, and whatever the service added: ``pid``, ``reason``,
            the items of an update.
    """

    status: dict[str, Any]

    @property
    def result(self) -> str:
        """``success``, ``failure`` or a word of the service's own."""
        return str(self.status.get("result", ""))

    @property
    def device_action(self) -> str:
        """The word that the service's configuration gives it."""
        return str(self.status.get("device_action", ""))

    @property
    def pid(self) -> int:
        """Process id of the service, 0 when the report does not name it."""
        pid = self.status.get("pid", 0)
        return pid if isinstance(pid, int) else 0

    @property
    def reason(self) -> str:
        """Why the service failed or stopped, if it says so."""
        return str(self.status.get("reason", ""))


def update_content(result: str, device_action: str, items: Mapping[str, object]) -> ControlContent:
    """Build the content of an ``updated`` report; items may replace result and device_action."""
    return ControlContent({"device_action": device_action, "result": result, **items})


def lifecycle_content(
    report: Report,
    device_action: str,
    *,
    commanded: bool = False,
    reason: str = "",
    where: str = "",
) -> ControlContent:
    """Build the content of a report of the framework's own.

    Args:
        report: What happened; ``failed`` carries result ``failure``, all others ``success``.
        device_action: The word that the configuration gives the service.
        commanded: A stop that was asked for; absent from the message otherwise.
        reason: Why, in one line; absent when empty.
        where: File and line in the user's code; absent when empty.
    """
    status: dict[str, Any] = {
        "device_action": device_action,
        "pid": os.getpid(),
        "result": FAILURE if report is Report.FAILED else SUCCESS,
    }
    if commanded:
        status["commanded"] = True
    if reason:
        status["reason"] = reason
    if where:
        status["where"] = where
    return ControlContent(status)
