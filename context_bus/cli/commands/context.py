"""``context``: the commands on a running provider as a group of their own."""

from __future__ import annotations

import click

from context_bus.cli.lazy import LazyGroup, examples

#: Every command of the group with its line in the overview.
COMMANDS = {
    "ps": "Show the services, and how they are.",
    "start": "Start services.",
    "stop": "Stop services.",
    "restart": "Restart services.",
    "scale": "Have more or fewer instances of a service.",
    "reload": "Apply the edited context file.",
    "wait": "Wait until services are ready, stopped, completed.",
    "logs": "Show what services have written.",
    "events": "Show what has happened.",
}


@click.group(
    "context",
    cls=LazyGroup,
    package="context_bus.cli.commands",
    table=COMMANDS,
    epilog=examples("{command} reload --dry_run -c Conf/Context-EchoAction.xml"),
)
def command() -> None:
    """Look at a running provider and touch it."""
