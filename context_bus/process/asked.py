"""What an owner has asked of its guardian, until it is answered. Knows children; not how one asks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from context_bus.errors import ProcessError
from context_bus.kernel.surroundings import Surroundings
from context_bus.process.child import Child
from context_bus.process.freight import Freight


class GuardianGone(ProcessError):
    """The guardian ended before it could do what it was asked; the next one may."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What child to start.

    Args:
        name: For messages and logs.
        argv: Program and arguments; empty for a Python child.
        freight: What a Python child is to run.
        surroundings: What it runs in; None is what we run in.
        streams: Descriptors of its standard streams, by name; those not named are inherited.
        held: Descriptors that the guardian holds for it, by name.
        note: For the next owner.
        is_bequeathed: Whether the next owner gets our end of its channel, if the guardian keeps it.
    """

    name: str
    argv: tuple[str, ...] = ()
    freight: Freight | None = None
    surroundings: Surroundings | None = None
    streams: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    is_bequeathed: bool = True


class Asked:
    """What waits for an answer of the guardian; of any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._wishes: dict[int, tuple[Wish, Connection | None, Future[Child]]] = {}
        self._questions: dict[int, Future[int | None]] = {}

    def wish(self, wish: Wish, ours: Connection | None) -> tuple[int, Future[Child]]:
        """Note a child to come, with our end of its channel; returns the number of the request."""
        future: Future[Child] = Future()
        with self._lock:
            self._last += 1
            self._wishes[self._last] = (wish, ours, future)
            return self._last, future

    def question(self) -> tuple[int, Future[int | None]]:
        """Note anything else that is asked; returns the number of the request."""
        future: Future[int | None] = Future()
        with self._lock:
            self._last += 1
            self._questions[self._last] = future
            return self._last, future

    def withdraw(self, number: int) -> None:
        """Wait no longer for an answer."""
        with self._lock:
            self._wishes.pop(number, None)
            self._questions.pop(number, None)

    def take_wish(self, number: int) -> tuple[Wish, Connection | None, Future[Child]]:
        """The child to come that is answered."""
        with self._lock:
            return self._wishes.pop(number)

    def answer(self, number: int, value: int | None) -> None:
        """Answer a question."""
        with self._lock:
            future = self._questions.pop(number)
        future.set_result(value)

    def fail(self, error: Exception) -> None:
        """Tell all who wait that there will be no answer."""
        with self._lock:
            wishes, self._wishes = self._wishes, {}
            questions, self._questions = self._questions, {}
        for _, _, future in wishes.values():
            future.set_exception(error)
        for question in questions.values():
            question.set_exception(error)
