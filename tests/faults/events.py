"""What a provider says of itself: its ``--json`` lines, kept in order. Knows pipes and JSON only."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import IO, Any

Event = dict[str, Any]


class Events:
    """Reads the events of one provider until its last word.

    Args:
        stream: Its standard output; closed at the end.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.seen: list[Event] = []
        self._stream = stream
        self._news = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._read, name="events")
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                try:
                    event = json.loads(line)
                except ValueError:  # cut short by a kill
                    continue
                with self._news:
                    self.seen.append(event)
                    self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    @property
    def now(self) -> int:
        """How many there are; give it as ``since`` to look only at what comes later."""
        with self._news:
            return len(self.seen)

    def wait(self, wanted: Callable[[Event], bool], since: int = 0, timeout: float = 20.0) -> Event | None:
        """The first event, seen or to come, that is wanted; None if it does not come in time."""
        deadline = time.monotonic() + timeout
        looked = since
        with self._news:
            while True:
                while looked < len(self.seen):
                    if wanted(self.seen[looked]):
                        return self.seen[looked]
                    looked += 1
                left = deadline - time.monotonic()
                if self._is_over or left <= 0:
                    return None
                self._news.wait(left)

    def services(self) -> dict[str, Event]:
        """The last change of each service, by id."""
        with self._news:
            return {event["service_id"]: event for event in self.seen if event["event"] == "ServiceChanged"}

    def forwarder(self) -> int:
        """Pid of the forwarder there is, as far as was said; 0 if there is none."""
        with self._news:
            changes = [event for event in self.seen if event["event"] == "ForwarderChanged"]
        if not changes or changes[-1]["state"] == "died":
            return 0
        return int(changes[-1]["pid"])

    def join(self) -> None:
        """Wait until the last line is read."""
        self._thread.join()
