"""JSON images of services, made once: the table is sent ten times a second while a context comes up. Pure."""

from __future__ import annotations

import msgspec

from context_bus.config.image import service_to_image
from context_bus.config.model import TaskServiceConf
from context_bus.context.events import Key


class Images:
    """Remembers the ``TaskService`` object of each service as JSON text, until its definition changes."""

    def __init__(self) -> None:
        self._known: dict[tuple[Key, str], tuple[TaskServiceConf, bytes]] = {}

    def text(self, key: Key, conf: TaskServiceConf, action: str) -> bytes:
        """The object that asks ``action`` of a service, as JSON text."""
        known = self._known.get((key, action))
        if known is None or known[0] is not conf:
            image = service_to_image(conf, action=action, transaction=key.transaction)
            known = self._known[key, action] = (conf, msgspec.json.encode(image))
        return known[1]
