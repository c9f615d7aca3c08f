"""Commands as supervised services of a test, and the provider they run under.

Builds definitions for `tests.context.live`; what they do is a line of shell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from context_bus.config.model import ServiceType, TaskServiceConf
from context_bus.config.supervision import Supervision
from context_bus.context.states import State
from context_bus.context.trace import ServiceChanged
from tests.context.live import Live


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run an asynchronous test; asyncio's own check that nothing is left is on."""
    asyncio.run(work)


def shell(service_id: str, line: str, **supervision: Any) -> TaskServiceConf:
    """A service that runs a line of shell, kept as said."""
    return TaskServiceConf(
        id=service_id,
        instance="",
        service_name=service_id,
        service_type=ServiceType.COMMAND,
        command=("/bin/sh", "-c", line),
        supervision=Supervision(**supervision),
    )


def changes(here: Live, service_id: str, new: State) -> list[ServiceChanged]:
    """How often, and why, a service came to a state."""
    return [each for each in here.of(ServiceChanged) if (each.service_id, each.new) == (service_id, new)]


def state_letter(pid: int) -> str:
    """State letter of a process as in ``ps``; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
