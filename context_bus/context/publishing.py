"""Publishes what services use again and again, each time on an endpoint that somebody named. Must not decide.

A publication is one transaction on one endpoint; several share an endpoint. It ends when it is told to, and
with the provider; the next provider knows nothing of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from context_bus.bus.outlet import Outlet
from context_bus.context.measuring import APART, Subjects
from context_bus.context.topquery import Publication, Subject
from context_bus.kernel.beat import Beat
from context_bus.process.probe import Probe
from context_bus.process.usage import MONITOR_TOPIC, Options, published

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Place:
    """An endpoint, and what is published on it: a task for each transaction."""

    outlet: Outlet
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)


class Publishing:
    """Publishes for one provider.

    Args:
        subjects: Gives the services of a transaction as they are now.
        insecure: Bind endpoints that others than this machine reach.
    """

    def __init__(self, subjects: Subjects, *, insecure: bool) -> None:
        self._subjects, self._insecure = subjects, insecure
        self._places: dict[str, _Place] = {}

    def apply(self, transactions: Iterable[str], publication: Publication, options: Options) -> None:
        """Begin to publish, go on in another rhythm, or publish no more.

        Args:
            transactions: Whose services.
            publication: Where, and how often.
            options: What to look at.

        Raises:
            EndpointError: The endpoint is malformed, taken, or open to others.
        """
        endpoint, period = publication.endpoint, publication.period
        if not period:
            for transaction in transactions:
                self._stop(endpoint, transaction)
            return
        place = self._places.get(endpoint)
        if place is None:
            place = self._places[endpoint] = _Place(Outlet(endpoint, insecure=self._insecure))
        for transaction in transactions:
            if before := place.tasks.pop(transaction, None):
                before.cancel()
            _log.info(
                "figures are published: endpoint=%s transaction=%s period=%g", endpoint, transaction, period
            )
            place.tasks[transaction] = asyncio.create_task(
                self._publish(place.outlet, transaction, period, options), name="figures"
            )

    def finish(self) -> None:
        """Publish no more."""
        for endpoint, place in [*self._places.items()]:
            for transaction in [*place.tasks]:
                self._stop(endpoint, transaction)

    def _stop(self, endpoint: str, transaction: str) -> None:
        place = self._places.get(endpoint)
        task = place.tasks.pop(transaction, None) if place is not None else None
        if place is None or task is None:
            return
        task.cancel()
        _log.info("figures are not published any more: endpoint=%s transaction=%s", endpoint, transaction)
        if not place.tasks:
            del self._places[endpoint]
            place.outlet.close()

    async def _publish(self, outlet: Outlet, transaction: str, period: float, options: Options) -> None:
        probe, loop = Probe(min(APART, period)), asyncio.get_running_loop()
        beat = Beat(period, loop.time())
        while True:
            try:
                body = await asyncio.to_thread(
                    _body, probe, transaction, self._subjects([transaction]), options
                )
                outlet.send(MONITOR_TOPIC, body)
            except Exception:  # noqa: BLE001  # one that fails must not end them all
                _log.exception("not published: transaction=%s", transaction)
            await asyncio.sleep(beat.left(loop.time()))


def _body(probe: Probe, transaction: str, subjects: list[Subject], options: Options) -> bytes:
    """What one message says; in a thread."""
    found = probe.sample({each.service_id: each.pid for each in subjects if each.pid}, options)
    rows = [
        (found[each.service_id], each.action, each.state) for each in subjects if each.service_id in found
    ]
    return published(transaction, rows)
