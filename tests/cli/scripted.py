"""A provider that follows a script, for tests of what commands print and how they end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from context_bus.testing.bus import LocalBus

#: One answer: its verb and its content; with this verb, an event that all hear.
Said = tuple[str, dict[str, Any]]
EVENT = "event"
#: What a provider answers to a message.
Script = Callable[[dict[str, Any]], Sequence[Said]]


class ScriptedProvider:
    """Hears commands and queries and answers as it is told."""

    def __init__(self, bus: LocalBus) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.script: Script = lambda message: []
        self._bus = bus
        self._subscriber = bus.subscriber("context", "state", "process", "control", "end")
        self._publisher = bus.publisher()
        self._publisher.wait_for_subscriber("end", 5.0)
        self._thread = threading.Thread(target=self._run, name="scripted-provider")
        self._thread.start()

    def _run(self) -> None:
        while True:
            received = self._subscriber.receive(30.0)
            assert received is not None
            topic, body = received
            if topic == "end":
                return
            message = json.loads(body)
            self.heard.append((topic, message))
            header = message.get("header", {})
            if header.get("reply_to"):
                self._publisher.wait_for_subscriber(header["reply_to"], 5.0)
                for action, content in self.script(message):
                    if action == EVENT:
                        self.tell(content)
                        continue
                    answer = {
                        "header": {"action": action, "request_id": header["request_id"]},
                        "content": content,
                    }
                    answer["header"]["service_transaction"] = content.get("transaction", "")
                    self._publisher.send(header["reply_to"], msgspec.json.encode(answer))

    def tell(self, event: dict[str, Any]) -> None:
        """Publish an event, from whichever thread."""
        self._publisher.publish("event", event)

    def close(self) -> None:
        """End the thread, having heard all that was sent before."""
        sender = self._bus.publisher()
        sender.wait_for_subscriber("end", 5.0)
        sender.send("end", b"{}")
        self._thread.join()


def answers(*said: Said) -> Script:
    """The same answers to everything."""
    return lambda message: said
