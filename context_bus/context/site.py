"""What all services of one provider are given to begin with. Must not know processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from context_bus.context.instructions import SpawnChild
from context_bus.context.roots import Roots
from context_bus.errors import ServiceError
from context_bus.service.boot import Boot


@dataclass(frozen=True, slots=True)
class Site:
    """What all services of a provider have in common.

    Args:
        listen_on: Endpoint where they listen.
        publish_to: Endpoint where they publish.
        roots: Where they may come from.
        grace: Seconds a service has to stop by itself.
        prepare: Called first of all in each process; must pickle.
    """

    listen_on: str
    publish_to: str
    roots: Roots
    grace: float
    prepare: Callable[[], None] | None = None

    def boot(self, order: SpawnChild) -> Boot:
        """What one service is given.

        Raises:
            ServiceError: It comes from where services may not come from.
        """
        refusal = self.roots.refuse(order.conf)
        if refusal:
            raise ServiceError(refusal)
        return Boot(
            order.conf,
            order.key.transaction,
            self.listen_on,
            self.publish_to,
            location=str(self.roots.resolve(order.conf)),
            run_now=order.run_now,
            grace=self.grace,
            prepare=self.prepare,
        )
