"""``context-bus monitor``: what monitors have recorded of the services they watch."""

from __future__ import annotations

from context_bus.cli.lazy import LazyGroup, examples

command = LazyGroup(
    "monitor",
    package="context_bus.cli.commands",
    prefix="monitor-",
    table={
        "history": "Show what a service has used: CPU, memory, threads, descriptors.",
        "list": "Show which services are recorded, from when to when.",
    },
    help="Read what monitors have recorded, whether the provider runs or not.",
    epilog=examples("{command} list -c Conf/Context-EchoAction.xml", "{command} history --help"),
)
