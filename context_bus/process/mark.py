"""By what all that one child starts is known, even a daemon. Knows identities; not who reads it."""

from __future__ import annotations

from context_bus.process.tree import Identity

#: Environment variable by which what a child started is known to be its own, even as a daemon.
MARK = "CONTEXT_BUS_PROCESS"


def mark_of(guardian: Identity, number: int) -> str:
    """The value of ``MARK`` for all that one child of a guardian starts.

    Args:
        guardian: Whose child it is.
        number: Its number there. (Not its own identity, which it would have to read before it runs.)
    """
    return f"{guardian.pid}.{guardian.ticks}.{number}"
