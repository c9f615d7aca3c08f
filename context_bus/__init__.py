"""context_bus: a ZeroMQ message bus, a supervisor and a job runner for sets of cooperating processes.

Everything a user's own program needs has its name here; importing the package costs next to nothing,
since each name is fetched from the file that defines it when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from context_bus._version import VERSION
    from context_bus.bus.aio import AsyncBus
    from context_bus.bus.node import Bus
    from context_bus.errors import (
        CommandFailed,
        CommandRejected,
        CommandTimeout,
        ConfigurationError,
        ContextBusError,
        EndpointError,
        NobodyListens,
        NotConnected,
        RequestFailed,
        RequestTimeout,
        SendTimeout,
        ServiceError,
    )
    from context_bus.kernel.message import Header, Message
    from context_bus.service.handler import ServiceHandler
    from context_bus.service.reports import ControlContent
    from context_bus.service.subscription import subscribe
    from context_bus.service.task import Task
    from context_bus.service.taskservice import TaskService

__all__ = [
    # what a user writes
    "Task",
    "TaskService",
    "ServiceHandler",
    "subscribe",
    # messages
    "Message",
    "Header",
    "ControlContent",
    # the bus alone
    "Bus",
    "AsyncBus",
    # errors worth catching
    "ContextBusError",
    "ConfigurationError",
    "EndpointError",
    "NotConnected",
    "NobodyListens",
    "SendTimeout",
    "RequestTimeout",
    "RequestFailed",
    "ServiceError",
    "CommandRejected",
    "CommandFailed",
    "CommandTimeout",
    "VERSION",
]

if not TYPE_CHECKING:  # a type checker would take a module with __getattr__ to have every name
    #: Where each name is defined, for the first time it is asked for.
    _HOME = {
        "Task": "service.task",
        "TaskService": "service.taskservice",
        "ServiceHandler": "service.handler",
        "subscribe": "service.subscription",
        "ControlContent": "service.reports",
        "Message": "kernel.message",
        "Header": "kernel.message",
        "Bus": "bus.node",
        "AsyncBus": "bus.aio",
        "VERSION": "_version",
    }

    def __getattr__(name):
        """Fetch a public name from its home and keep it."""
        if name not in __all__:
            raise AttributeError(f"module 'context_bus' has no attribute {name!r}")
        home = importlib.import_module(f"context_bus.{_HOME.get(name, 'errors')}")
        value = globals()[name] = getattr(home, name)
        return value

    def __dir__():
        """List the public names."""
        return sorted(__all__)
