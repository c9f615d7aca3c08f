"""Names of services and transactions for the shell to complete, asked of the provider while one types.

Knows the wire. Whatever is wrong completes to nothing: a shell has no place for a message.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.errors import ContextBusError

if TYPE_CHECKING:
    from context_bus.client.asking import Services

#: Seconds that one who types waits at most for a provider to be found, and for its answer.
TIMEOUT = 0.5


def service_ids(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Ids of services that begin so, but for those that stand there already."""
    given = ctx.params.get(parameter.name or "") or ()
    transaction = ctx.params.get("transaction")
    return _beginning(
        incomplete,
        lambda found: [
            task.service_id
            for each in found.transactions
            if not transaction or each.name == transaction
            for task in each.tasks
            if task.service_id not in given
        ],
        ctx,
    )


def transactions(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Transactions that begin so."""
    return _beginning(incomplete, lambda found: [each.name for each in found.transactions], ctx)


def _beginning(incomplete: str, names: Callable[[Services], list[str]], ctx: click.Context) -> list[str]:
    from context_bus.client import asking
    from context_bus.client.conversation import Conversation
    from context_bus.client.whereabouts import endpoints_of

    file, state = ctx.params.get("context_file"), ctx.params.get("state") or ""
    try:
        endpoints = endpoints_of(
            Path(file) if file else None, ctx.params.get("publish"), ctx.params.get("listen"), state
        )
        with Conversation(endpoints) as conversation:
            conversation.open(TIMEOUT)
            found = asking.services(conversation, TIMEOUT)
    except (ContextBusError, OSError):
        return []
    return [name for name in dict.fromkeys(names(found)) if name.startswith(incomplete)]
