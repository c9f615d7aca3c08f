"""A conversation with a provider that is taken up again whenever the provider is replaced.

Knows the wire through ``Dialogue``; must not know what is asked.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

from context_bus.client.conversation import Conversation
from context_bus.client.dialogue import Dialogue
from context_bus.client.endpoints import Endpoints
from context_bus.client.indoors import Indoors
from context_bus.context.commands import STATE_TOPIC
from context_bus.errors import CommandRejected, ContextBusError, NobodyListens, NotConnected

T = TypeVar("T")

#: Tells where the provider is; asked again whenever it has to be found again.
Find = Callable[[], Endpoints]
#: Seconds that a forwarder, and then a provider, may take to answer one who comes in by the bus.
JOIN_TIMEOUT = 0.5
#: Seconds between two looks whether a provider has a socket on this machine meanwhile.
LOOK_EVERY = 2.0


class Contact:
    """Asks a provider, the next one if that is gone. Belongs to whoever asks: one thread at a time.

    Args:
        find: Tells where it is.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._dialogue: Dialogue | None = None
        self._looked = 0.0
        #: Where the provider was found last.
        self.endpoints: Endpoints | None = None

    def ask(self, question: Callable[[Dialogue], T]) -> T:
        """Ask a question.

        Raises:
            CommandRejected: The provider does not answer such questions.
            ContextBusError: There is no provider, or it does not answer; the next call looks for another.
        """
        if self._is_door_open():
            self.close()
        if self._dialogue is None:
            self._dialogue = self._join()
        try:
            return question(self._dialogue)
        except CommandRejected:
            raise
        except (ContextBusError, OSError) as error:
            self.close()
            raise error if isinstance(error, ContextBusError) else NobodyListens(str(error)) from None

    def _is_door_open(self) -> bool:
        """Whether one who came in by the bus, since the provider was just coming up, can do better now."""
        now = time.monotonic()
        if self._dialogue is None or isinstance(self._dialogue, Indoors) or now < self._looked + LOOK_EVERY:
            return False
        self._looked = now
        try:
            return bool(self._find().socket)
        except ContextBusError:  # its file is being edited: where it is has not changed by that
            return False

    def close(self) -> None:
        """End the conversation; the next question begins another."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.close()

    def _join(self) -> Dialogue:
        self.endpoints, self._looked = self._find(), time.monotonic()
        return join(self.endpoints)


def join(endpoints: Endpoints) -> Dialogue:
    """Open a conversation with a provider, sooner told that there is none than a command would be.

    Raises:
        NobodyListens: There is none.
    """
    if endpoints.socket:
        with contextlib.suppress(OSError):
            return Indoors(endpoints.socket)
    conversation = Conversation(endpoints)
    try:
        conversation.open(JOIN_TIMEOUT)
        conversation.publisher.wait_for_subscriber(STATE_TOPIC, JOIN_TIMEOUT)
    except (NobodyListens, NotConnected):
        conversation.close()
        raise NobodyListens(f"no context provider listens at {endpoints.publish}") from None
    except BaseException:
        conversation.close()
        raise
    return conversation
