"""What the process of a forwarder runs. Knows the bus; imports nothing that a forwarder does without."""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection

from context_bus.bus.forwarder import Policy, run_forwarder


def forward(channel: Connection, front: str, back: str, insecure: bool, settle: float, policy: Policy) -> int:
    """Be a forwarder; the target of its process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    run_forwarder(front, back, channel, policy=policy, insecure=insecure, settle=settle)
    return 0
