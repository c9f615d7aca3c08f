"""What a process runs in: directory, environment, user, limits. Pure; knows nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process of a service runs in; whatever is empty or None is inherited.

    Args:
        cwd: Working directory; in a context file relative to the directory of that file, which it also
            is if nothing else is said.
        env: Environment variables besides the inherited ones.
        user: Name or number.
        group: Name or number; that of the user if only a user is given.
        umask: Mode bits that new files lack.
        nice: Added to the niceness.
        cpus: Processors it may run on.
        limits: Soft and hard resource limits by name without ``RLIMIT_``, lower case, e.g. ``nofile``;
            -1 is unlimited.
    """

    cwd: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    group: str = ""
    umask: int | None = None
    nice: int = 0
    cpus: tuple[int, ...] = ()
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
