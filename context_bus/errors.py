"""Every exception of the package, under one root; knows nothing else.

The family gives the exit code of a command, the class says whether the caller or the world is at
fault, and the fields say to what it happened. Every class pickles, since errors cross processes.
"""

from __future__ import annotations

from dataclasses import dataclass


class ContextBusError(Exception):
    """Root of all errors that context_bus raises on purpose."""

    #: Exit code of a command that ends with this error.
    exit_code = 1


class InternalError(ContextBusError):
    """A bug in context_bus itself: please report it."""

    exit_code = 70


# -- configuration -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a configuration: where it is, what is wrong, how to mend it.

    Args:
        message: What is wrong, without a full stop.
        remedy: What to do about it; may be empty when the message says it.
        file: Path as the user gave it, or the name of another source ("command line", "message").
        line: Line in the file, counted from 1; 0 when the source has no lines.
        element: Path of the element, e.g. ``TaskService[ts_100]/Task/state/on_exit/call``.
    """

    message: str
    remedy: str = ""
    file: str = ""
    line: int = 0
    element: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        text = ": ".join(part for part in (where, self.element, self.message) if part)
        return f"{text}; {self.remedy}" if self.remedy else text


class ConfigurationError(ContextBusError):
    """What the user wrote cannot be used; holds all faults found, not only the first."""

    exit_code = 2

    def __init__(self, faults: tuple[Fault, ...] | list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


# -- bus -----------------------------------------------------------------------------------------


class BusError(ContextBusError):
    """Something about the bus: an endpoint, a frame, a peer."""

    exit_code = 3


class EndpointError(BusError):
    """An endpoint cannot be used: malformed, taken by another process, or not safe to bind."""


class FrameError(BusError):
    """Bytes from the bus that are not a message."""


class NotConnected(BusError):
    """Nothing answers at an endpoint within the time given."""


class NobodyListens(BusError):
    """The bus is there, but nobody subscribes to the topic."""


class SendTimeout(BusError):
    """The bus did not take a message in time; the message was not sent."""


class RequestTimeout(BusError):
    """No reply to a request within the time given."""


class RequestFailed(BusError):
    """The handler at the other side raised; the text is its own."""


# -- processes and services ----------------------------------------------------------------------


class ProcessError(ContextBusError):
    """A process could not be started, watched or ended."""

    exit_code = 4


class ServiceError(ProcessError):
    """A task service could not be loaded, configured or run; says where in the user's code."""


# -- contexts ------------------------------------------------------------------------------------


class ContextError(ContextBusError):
    """A context or its provider cannot do what it was asked."""

    exit_code = 5


class CommandRejected(ContextError):
    """The provider refused a command, with the reason for each service."""


class CommandFailed(ContextError):
    """The provider took the command, but a service did not reach the wanted state."""


class CommandTimeout(ContextError):
    """The outcome of a command was not known in time."""
