"""Hears what happens at a provider and keeps the last of it, over the death of provider and forwarder.

Its thread owns its sockets: it opens, uses and closes them. Whoever wants to know is called from it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from context_bus.client import happenings
from context_bus.client.conversation import Conversation
from context_bus.context.commands import EVENT_TOPIC, LoggedEvent
from context_bus.errors import ContextBusError
from context_bus.view.contact import JOIN_TIMEOUT, Find

#: Events that are kept.
KEPT = 1_000
#: Seconds between two looks whether to go on; so long takes the end at most.
TURN = 0.25
#: Seconds between two attempts to find a bus.
RETRY = 1.0

#: Told of each event, on the listener's thread; must not wait for anything.
Observer = Callable[[LoggedEvent], object]


class Listener:
    """Follows the events of a provider from its start on, those before included.

    Args:
        find: Tells where the provider is.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._kept: deque[LoggedEvent] = deque(maxlen=KEPT)
        self._observers: tuple[Observer, ...] = ()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._again = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider-listener", daemon=True)
        self._thread.start()

    def events(self) -> tuple[LoggedEvent, ...]:
        """The last events, oldest first."""
        with self._lock:
            return tuple(self._kept)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call somebody at each event from now on; returns what takes that back."""
        with self._lock:
            self._observers = (*self._observers, observer)

        def forget() -> None:
            with self._lock:
                self._observers = tuple(each for each in self._observers if each is not observer)

        return forget

    def begin_anew(self) -> None:
        """Find the provider again: it is another one, which may be elsewhere and number its events anew."""
        self._again.set()

    def close(self) -> None:
        """End it; returns when its sockets are closed."""
        self._closing.set()
        self._thread.join()

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            self._again.clear()
            try:
                with Conversation(self._find(), (EVENT_TOPIC,)) as conversation:
                    self._follow(conversation)
            except (ContextBusError, OSError):
                # Who refreshes finds out the same and tells it.
                self._closing.wait(RETRY)

    def _follow(self, conversation: Conversation) -> None:
        conversation.open(JOIN_TIMEOUT)
        past = happenings.past(conversation, 0, KEPT)
        seen = self._take_past(past.events, past.last)
        while not (self._closing.is_set() or self._again.is_set()):
            for event in happenings.live(conversation, seen, time.monotonic() + TURN):
                seen = event.sequence
                self._take(event)

    def _take_past(self, events: tuple[LoggedEvent, ...], last: int) -> int:
        with self._lock:
            known = self._kept[-1].sequence if self._kept else 0
            # Numbers only go up, also from provider to provider; unless one forgets all that was before it.
            if known > last:
                self._kept.clear()
                known = 0
        for event in events:
            if event.sequence > known:
                self._take(event)
        return last

    def _take(self, event: LoggedEvent) -> None:
        with self._lock:
            self._kept.append(event)
            observers = self._observers
        for observer in observers:
            observer(event)
