"""The steps of the life of a service in the old shape. Knows its contract; new services never come here."""

from __future__ import annotations

from context_bus.service.boot import Boot
from context_bus.service.driver import Trouble
from context_bus.service.handler import ServiceHandler
from context_bus.service.link import ServiceLink


class HandlerDriver:
    """Drives a `ServiceHandler` and the task it makes."""

    def __init__(
        self, service_class: type[ServiceHandler], boot: Boot, link: ServiceLink, trouble: Trouble
    ) -> None: ...

    def create(self, *, deferred: bool) -> None: ...

    def start(self) -> None: ...

    def work(self) -> None: ...

    def finish(self) -> None: ...
