"""What a service is given to begin with, and its last word. Knows config; must not know the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

import msgspec

from context_bus.config.model import TaskServiceConf
from context_bus.errors import ServiceError
from context_bus.kernel.message import UNREADABLE

#: Directory of the user's code of a service that has none: no file is in it, so no failure is blamed on one.
_NOWHERE = "(built in)"


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A class that the package brings along, and what such a service knows of its provider; pickles.

    It travels in the boot value and not in the environment: services that are threads share one process,
    whose environment whatever they start inherits.

    Args:
        class_name: ``module:Class``.
        file: The context file, for messages.
        state: Directory of the provider's state; empty if it keeps none.
        store: URL of the database in place of the file there, with its password; empty for that file.
        insecure: Endpoints that other machines reach may be bound.
    """

    class_name: str
    file: str = ""
    state: str = ""
    store: str = field(default="", repr=False)
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Boot:
    """All that a service needs to know; pickles.

    Args:
        conf: The service as the context file has it.
        transaction: Transaction it belongs to.
        listen_on: Endpoint that listeners connect to.
        publish_to: Endpoint that publishers connect to.
        location: Directory that holds ``<instance>/``, absolute; the configuration's if empty.
        run_now: Run at once; otherwise report ``created`` and wait for a start.
        grace: Seconds a stop may take before the service gives up on its own threads and ends.
        connect_timeout: Seconds to wait for the bus.
        heartbeat: Seconds between two beats on the channel; 0 for none.
        prepare: Called first of all, e.g. to configure logging; must pickle.
        built_in: The class, if the package itself brings it along; then no location is looked at.
    """

    conf: TaskServiceConf
    transaction: str
    listen_on: str
    publish_to: str
    location: str = ""
    run_now: bool = True
    grace: float = 5.0
    connect_timeout: float = 10.0
    heartbeat: float = 0.0
    prepare: Callable[[], None] | None = None
    built_in: BuiltIn | None = None

    @property
    def directory(self) -> str:
        """Where the code of the service is looked for; where none is, if the package brings it along."""
        if self.built_in is not None:
            return _NOWHERE
        return self.location or self.conf.location


class _Message(msgspec.Struct, frozen=True):
    """What travels on the channel of a service's process; JSON, since nothing from there is unpickled."""

    def encode(self) -> bytes:
        """Make the message for a channel."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Read a message from a channel.

        Raises:
            ServiceError: It is none.
        """
        try:
            return msgspec.json.decode(message, type=cls)
        except UNREADABLE as error:
            name = cls.__name__.lower()
            raise ServiceError(f"the {name} on the channel of a service cannot be read: {error}") from None


#: What a service says on its channel while it is alive; shorter than any outcome.
BEAT = b"beat"


class Outcome(_Message, frozen=True):
    """How a service ended, in its own words.

    Args:
        kind: ``stopped`` or ``failed``.
        commanded: It was asked to stop.
        reason: Why, in one line; empty when it simply finished.
        where: ``file:line`` in the user's code, if the reason is there.
        traceback: For the log, if there is one.
        reported: Whether the same went out on topic ``control``; when not, nobody on the bus knows.
        service_id: Whose outcome it is.
    """

    kind: Literal["stopped", "failed"]
    commanded: bool = False
    reason: str = ""
    where: str = ""
    traceback: str = ""
    reported: bool = True
    service_id: str = ""


class Command(_Message, frozen=True):
    """What the provider tells a service on the channel of its process.

    The channel, not the bus: it is there before the bus and when the bus is not, and two hundred services
    that each listened to a topic of their own would make every publisher learn two hundred topics.

    Args:
        action: ``start`` a service that was only created, or ``stop``.
        service_id: Which service, for a process that hosts several.
    """

    action: Literal["start", "stop"]
    service_id: str = ""
