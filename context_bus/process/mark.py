"""By what all that one child starts is known, even a daemon. Knows identities; not who reads it."""

from __future__ import annotations

from context_bus.process.tree import Identity

#: Environment variable by which what a child started is known to be its own, even as a daemon.
MARK = "CONTEXT_BUS_PROCESS"


def mark_of(identity: Identity) -> str:
    """The value of ``MARK`` for all that one child starts."""
    return f"{identity.pid}.{identity.ticks}"
