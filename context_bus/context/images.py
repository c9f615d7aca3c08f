"""JSON images of services, made once: the table is sent ten times a second while a context comes up. Pure."""

from __future__ import annotations

import msgspec

from context_bus.config.image import service_to_image
from context_bus.config.model import TaskServiceConf
from context_bus.context.events import Key

#: Stands for the action while an image is made; no definition can hold it, since XML cannot.
_PLACE = "\x01"
_PLACE_AS_JSON = msgspec.json.encode(_PLACE)


class Images:
    """Remembers the ``TaskService`` object of each service as JSON text, until its definition changes."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[TaskServiceConf, bytes]] = {}

    def text(self, key: Key, conf: TaskServiceConf, action: str) -> bytes:
        """The object that asks ``action`` of a service, as JSON text."""
        known = self._known.get(key)
        if known is None or known[0] is not conf:
            image = service_to_image(conf, action=_PLACE, transaction=key.transaction)
            known = self._known[key] = (conf, msgspec.json.encode(image))
        return known[1].replace(_PLACE_AS_JSON, msgspec.json.encode(action))
