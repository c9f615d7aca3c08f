"""One provider as it is now: what every view of it shows, asked once for all of them. Prints nothing.

Any thread may call any method. Sockets have owners: those by which is asked, and that on which the bus is
watched, belong to whoever refreshes, one at a time; those of the events to the listener's thread; an order
has its own. What is gone comes back by itself: each refresh looks for a provider if there is none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from context_bus.bus.insight import Delivery, TopicRow
from context_bus.client import asking
from context_bus.client.asking import Services
from context_bus.client.dialogue import Dialogue
from context_bus.client.endpoints import Endpoints
from context_bus.client.insight import BusWatch, ForwarderCounters, forwarder_counters
from context_bus.client.ordering import send
from context_bus.client.outcome import Outcome
from context_bus.client.sampling import top
from context_bus.context.commands import LoggedEvent
from context_bus.errors import CommandRejected, ContextBusError
from context_bus.kernel.closing import Closing
from context_bus.process.usage import Usage
from context_bus.view.contact import Contact, Find, join
from context_bus.view.listener import Listener, Observer
from context_bus.view.snapshot import NOT_ASKED, Histories, Rates, ServiceKey, ServiceView, Snapshot, views

__all__ = ["Live", "ServiceView", "Snapshot"]

T = TypeVar("T")

#: Seconds between two samples of what services use.
EVERY = 1.0
#: Share of that by which a sample may come early.
EARLY = 0.1
#: Seconds a provider may take to answer; one that takes longer is told to be in trouble.
ANSWER_TIMEOUT = 3.0
#: Seconds after which a query that was refused is asked again: the forwarder may only have been replaced.
ASK_AGAIN = 10.0
#: Seconds to wait for the outcome of an order.
ORDER_TIMEOUT = 30.0


class Live(Closing):
    """What is known of one provider.

    Args:
        where: Where it is, or what finds out.
        every: Seconds between two samples of what services use, however often one refreshes.
    """

    def __init__(self, where: Endpoints | Find, every: float = EVERY) -> None:
        self._find: Find = where if callable(where) else lambda: where
        self._every = every
        self._lock = threading.Lock()
        self._contact = Contact(self._find)
        self._watch: BusWatch | None = None
        self._listener: Listener | None = None
        self._listener_lock = threading.Lock()
        self._began = float("-inf")
        self._sampled_at = float("-inf")
        self._sampled: dict[ServiceKey, Usage | None] = {}
        self._histories = Histories()
        #: Queries that this provider refused, with what it said, and when.
        self._refused: dict[str, tuple[str, float]] = {}
        self._latest = Snapshot(at=time.time(), trouble=NOT_ASKED)

    @property
    def latest(self) -> Snapshot:
        """What was known at the last refresh."""
        return self._latest

    def refresh(self, *, figures: bool = True) -> Snapshot:
        """Ask, and put together what is known; never raises for a provider that is not there.

        Of several that ask at the same time one does, for all of them.

        Args:
            figures: Ask what services use, too; the provider takes half a second to tell it to the first.
        """
        asked = time.monotonic()
        with self._lock:
            if self._began < asked:
                self._began = time.monotonic()
                self._latest = self._ask(figures=figures)
            return self._latest

    def take_in(self) -> None:
        """Take in what has been told of the bus; for who refreshes seldom, lest it pile up."""
        with self._lock:
            if self._watch is not None:
                self._watch.read(0.0)

    def order(
        self, action: str, transaction: str, *service_ids: str, timeout: float = ORDER_TIMEOUT
    ) -> Outcome:
        """Start, stop or restart services, and wait for the outcome.

        Args:
            action: ``start``, ``stop`` or ``restart``.
            transaction: Whose services.
            *service_ids: Which; none for all of them.
            timeout: Seconds to wait at most.

        Raises:
            CommandTimeout: The outcome was not known in time.
            NobodyListens: There is no provider.
        """
        named = {"TaskService": [{"id": each} for each in service_ids]} if service_ids else {}
        context_id = str(self._latest.provider.get("context_id", ""))
        with join(self._find()) as dialogue:
            return send(dialogue, action, transaction, context_id, named, timeout)

    def log_file(self, transaction: str, service_id: str) -> Path:
        """Where a service writes.

        Raises:
            CommandRejected: It is not known, writes to no file of its own, or that is on another machine.
        """
        service = self._latest.find((transaction, service_id))
        if service is None:
            raise CommandRejected(f"no service '{service_id}' in transaction '{transaction}'")
        if not service.log:
            raise CommandRejected(f"{service_id} writes to no file of its own; see <output>")
        if not Path(service.log).parent.is_dir():
            raise CommandRejected(f"no {Path(service.log).parent} here: is the provider on another machine?")
        return Path(service.log)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call somebody at each event, on the listener's thread; returns what takes that back.

        The last events before are told as well, when the listener has found the provider.
        """
        return self._listening().observe(observer)

    def events(self, transaction: str = "", service_id: str = "", limit: int = 50) -> tuple[LoggedEvent, ...]:
        """The last events, oldest first: all, or those of a transaction or a service.

        Events are heard from the first call of this or of `observe` on, and those before are asked for.
        """
        return tuple(
            each
            for each in self._listening().events()
            if (not transaction or each.transaction == transaction)
            and (not service_id or each.service_id == service_id)
        )[-limit:]

    def close(self) -> None:
        """Let go of everything."""
        with self._listener_lock:
            if self._listener is not None:
                self._listener.close()
        with self._lock:
            self._contact.close()
            self._close_watch()

    # -- asking, with the lock held ------------------------------------------------------------

    def _ask(self, *, figures: bool) -> Snapshot:
        at, before = time.time(), self._latest
        try:
            found = self._contact.ask(lambda dialogue: asking.services(dialogue, ANSWER_TIMEOUT))
            self._meet(found, before)
            if figures:
                self._sample()
            counted = self._optional("statistics", lambda d: forwarder_counters(d, ANSWER_TIMEOUT))
        except ContextBusError as error:
            self._sampled_at = float("-inf")
            return msgspec.structs.replace(before, at=at, trouble=str(error), bus=(), foreign=None)
        return self._put_together(at, found, counted)

    def _meet(self, found: Services, before: Snapshot) -> None:
        """If this is another provider than before, forget what was known of that one."""
        if found.provider.get("pid") == before.pid and not before.trouble:
            return
        self._refused.clear()
        self._sampled.clear()
        self._close_watch()
        if self._contact.endpoints is not None:
            self._watch = BusWatch(self._contact.endpoints)
        with self._listener_lock:
            if self._listener is not None and before.answered_at:
                self._listener.begin_anew()

    def _sample(self) -> None:
        if time.monotonic() - self._sampled_at < self._every * (1 - EARLY):
            return
        rows = self._optional("top", _top)
        if rows is not None:
            self._sampled_at, self._sampled = time.monotonic(), rows
            self._histories.add(rows)

    def _optional(self, name: str, question: Callable[[Dialogue], T]) -> T | None:
        """The answer to what not every provider answers; who refuses is not asked again so soon."""
        now = time.monotonic()
        if name in self._refused and now < self._refused[name][1] + ASK_AGAIN:
            return None
        try:
            answer = self._contact.ask(question)
        except CommandRejected as error:
            self._refused[name] = str(error), now
            return None
        self._refused.pop(name, None)
        return answer

    def _put_together(self, at: float, found: Services, counted: ForwarderCounters | None) -> Snapshot:
        now = time.monotonic()
        rates, rows, foreign = Rates(), tuple[TopicRow, ...](), None
        deliveries = tuple[Delivery, ...]()
        if self._watch is not None:
            self._watch.read(0.0)
            insight = self._watch.insight
            if counted is not None:
                insight.take_forwarder(counted.received, counted.received_bytes, now)
            rates = Rates(insight.per_service(now), insight.received_per_service(now))
            rows, foreign = tuple(insight.rows(now)), insight.foreign(now)
            deliveries = tuple(insight.deliveries())
        return Snapshot(
            at=at,
            answered_at=at,
            provider=found.provider,
            services=views(found, self._sampled, rates, self._histories),
            bus=rows,
            deliveries=deliveries,
            forwarder=counted,
            foreign=foreign,
            notes=tuple(reason for reason, _ in self._refused.values()),
        )

    def _close_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    def _listening(self) -> Listener:
        with self._listener_lock:
            if self._listener is None:
                self._listener = Listener(self._find)
            return self._listener


def _top(dialogue: Dialogue) -> dict[ServiceKey, Usage | None]:
    rows = top(dialogue, brief=True, timeout=ANSWER_TIMEOUT)
    return {(row.transaction, row.service_id): row.memory for row in rows}
