"""What carries services, by their type. Knows processes and carriers; must not know what a service means."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from context_bus.config.model import ServiceType
from context_bus.context.carriers import Carriers
from context_bus.context.events import ChildExited, Event, Key, SpawnFailed
from context_bus.context.feedback import Feedbacks
from context_bus.context.instructions import EndChild, ProbeReadiness, SpawnChild, TellService, WatchLife
from context_bus.context.probes import Probes
from context_bus.context.processes import Processes
from context_bus.context.site import Site
from context_bus.process.child import Child
from context_bus.process.output import Outputs


class Spawner:
    """Starts, tells and ends services of both types.

    Args:
        site: What they have in common.
        post: Takes the events.
        outputs: Takes what they write.
    """

    def __init__(self, site: Site, post: Callable[[Event], None], outputs: Outputs) -> None:
        feedbacks = Feedbacks(post, site.feedback_file, site.feedback)
        self._probes = Probes(post, site.surroundings, feedbacks)

        def told(event: Event) -> None:
            if isinstance(event, ChildExited | SpawnFailed):
                self._probes.end(event.key, event.incarnation)
            post(event)

        # Making a process waits for the guardian, so it happens beside the loop, a few at a time.
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="spawner")
        self._processes = Processes(site, told, self._pool, outputs, self._probes)
        self._carriers = Carriers(site, told, self._pool)
        self._threads: set[tuple[Key, int]] = set()

    def start(self) -> None:
        """Begin to watch, in the running loop."""
        self._processes.start()

    def spawn(self, order: SpawnChild) -> None:
        """Make what carries a service; its existence or its absence follows as an event."""
        if order.conf.service_type is ServiceType.THREAD:
            # Of a service only the last incarnation is ever told anything.
            self._threads = {entry for entry in self._threads if entry[0] != order.key}
            self._threads.add((order.key, order.incarnation))
        self._of(order.key, order.incarnation).spawn(order)

    def adopt(self, order: SpawnChild, child: Child) -> None:
        """Go on with a process that an earlier provider made."""
        self._probes.adopt(order.key, order.incarnation, order.conf)
        self._processes.adopt(order, child)

    def tell(self, order: TellService) -> None:
        """Tell a service to run or to stop."""
        self._of(order.key, order.incarnation).tell(order)

    def end(self, order: EndChild) -> None:
        """Kill a service."""
        self._of(order.key, order.incarnation).end(order)

    def seek(self, order: ProbeReadiness) -> None:
        """Ask a service until it is ready."""
        self._probes.seek(order)

    def watch(self, order: WatchLife) -> None:
        """Ask a service from now on whether it is alive."""
        self._probes.watch(order)

    async def close(self) -> None:
        """Kill what is left, at once, and release everything."""
        await self._carriers.close()
        await self._processes.close()
        await self._probes.close()
        self._pool.shutdown()

    def _of(self, key: Key, incarnation: int) -> Processes | Carriers:
        return self._carriers if (key, incarnation) in self._threads else self._processes
