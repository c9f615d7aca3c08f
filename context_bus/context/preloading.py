"""What the guardian imports for its Python children, and when it is told to. Knows names of modules only.

A program needs none of it, so a context of programs has a small guardian, whose forks are quick. This
module imports little itself: the guardian is to start while the rest of the provider is still imported.
"""

from __future__ import annotations

from context_bus.config.model import ContextConf, ServiceType
from context_bus.process import spawn
from context_bus.store.place import Place

#: What the forwarder needs.
FORWARDER = ("context_bus.context.forward",)
#: What every service in Python needs.
SERVICE = ("context_bus.service.host",)


def begin_early(place: Place, *, keeps: bool) -> None:
    """Start a guardian, unless one may be there to be adopted, or will be kept at a path of its own.

    Args:
        place: Where the provider that is about to run keeps its state.
        keeps: Whether its services are to outlive it.

    Raises:
        ProcessError: No process can be made.
    """
    if not keeps and not place.guardian.exists():
        spawn.warm_up(FORWARDER)


def preload_for(conf: ContextConf) -> None:
    """Have the guardian, if there is one by now, import what the services of a context need."""
    needs = any(service.service_type is not ServiceType.COMMAND for service in conf.services)
    if needs and spawn.guardian() is not None:
        spawn.warm_up(SERVICE)
