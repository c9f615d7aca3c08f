"""What a context file says of how a service is kept: the frozen model of ``<supervision>``.

Knows the kernel; defaults stand here and nowhere else. Times are seconds, sizes bytes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from context_bus.kernel.surroundings import Surroundings


class RestartWhen(enum.StrEnum):
    """After which ends a service is started again without being asked."""

    NEVER = "never"
    ON_FAILURE = "on_failure"
    ALWAYS = "always"


class ReadinessKind(enum.StrEnum):
    """How a service is known to be ready."""

    MESSAGE = "message"  # its own report; of a command: that it was executed
    TCP = "tcp"  # somebody accepts connections at a host and port
    HTTP = "http"  # a URL answers with a status below 400
    COMMAND = "command"  # a program ends with exit code 0
    LOG = "log"  # a line of its output matches a regular expression
    TIME = "time"  # it has lived that long


class LivenessKind(enum.StrEnum):
    """How a service that runs is known to be alive."""

    HEARTBEAT = "heartbeat"  # its process says so again and again; for Python services
    TCP = "tcp"
    HTTP = "http"
    COMMAND = "command"


class Condition(enum.StrEnum):
    """What is required of another service."""

    STARTED = "started"  # its process exists
    READY = "ready"  # it is ready
    COMPLETED = "completed"  # it has ended by itself, well


@dataclass(frozen=True, slots=True)
class Restart:
    """When and how fast a service is started again.

    An end within ``min_uptime`` of the start, or before the service was ready, is a *boot failure*: the
    n-th in a row is followed by a delay of ``delay * factor ** (n - 1)``, at most ``max_delay``, varied by
    ``jitter``. Any other end is followed by a start at once. More than ``max_restarts`` starts within
    ``window`` are too many: the service is fatal, and only a command starts it again.

    Args:
        policy: After which ends.
        delay: First delay, in seconds.
        factor: Growth of the delay.
        max_delay: Longest delay, in seconds.
        jitter: Part of the delay by which it varies to either side, 0 to 1.
        max_restarts: So many are allowed within the window.
        window: Seconds over which restarts are counted.
        min_uptime: Seconds after which an end is no boot failure.
        success_codes: Exit codes of a command that mean success.
    """

    policy: RestartWhen = RestartWhen.NEVER
    delay: float = 0.1
    factor: float = 2.0
    max_delay: float = 30.0
    jitter: float = 0.1
    max_restarts: int = 5
    window: float = 10.0
    min_uptime: float = 1.0
    success_codes: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Probe:
    """One way of asking whether something answers.

    Args:
        target: ``HOST:PORT``, a URL, or a regular expression, by kind; empty for the other kinds.
        command: Program and arguments, for kind ``command``.
        every: Seconds from the beginning of one attempt to the next; for ``heartbeat`` between two beats.
        timeout: Seconds one attempt may take.
    """

    target: str = ""
    command: tuple[str, ...] = ()
    every: float = 0.25
    timeout: float = 1.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """When a service is ready.

    Args:
        kind: How that is known.
        probe: Whom to ask, and how often.
        after: Seconds, for kind ``time``.
        deadline: Seconds from the existence of its process; then it has failed to start. None leaves it to
            the provider.
    """

    kind: ReadinessKind = ReadinessKind.MESSAGE
    probe: Probe = Probe()
    after: float = 0.0
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Liveness:
    """How a running service is watched.

    Args:
        kind: How it is known to be alive.
        probe: Whom to ask, and how often.
        failures: Attempts in a row that fail before the service counts as hung. A heartbeat is lost when
            none came for two and a half periods.
    """

    kind: LivenessKind
    probe: Probe = Probe(every=2.0)
    failures: int = 3


@dataclass(frozen=True, slots=True)
class Stop:
    """How a service is asked to end.

    Args:
        signal: What a command is sent; Python services are asked on their channel.
        grace: Seconds from there to SIGKILL; None leaves it to the provider.
    """

    signal: str = "SIGTERM"
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """Another service that has to be so far before this one starts.

    Args:
        service_id: Which.
        condition: How far.
        line: Line in the file, 0 if it has none.
    """

    service_id: str
    condition: Condition = Condition.READY
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Output:
    """Where what a service writes goes.

    Args:
        stdout: ``log`` (a file in the state directory), ``inherit``, ``null``, or a path relative to the
            context file.
        stderr: The same, or ``stdout`` for the same place.
        max_bytes: Size at which a file is rotated; 0 never.
        backups: Rotated files that are kept.
        show: Whether the provider shows the lines on its terminal, too.
    """

    stdout: str = "log"
    stderr: str = "stdout"
    max_bytes: int = 10 * 1024 * 1024
    backups: int = 5
    show: bool = True


@dataclass(frozen=True, slots=True)
class Feedback:
    """How the feedback file of a command is followed: each change of its content is reported as ``updated``.

    Args:
        timeout: Seconds without a sign of it, also one that says nothing new, after which the service
            counts as hung; None waits for ever.
        every: Seconds between two reports; what changes faster is told by the next one.
        file: The file, relative to the context file; empty for one of the provider's own, whose path the
            command learns from its environment.
    """

    timeout: float | None = None
    every: float = 0.25
    file: str = ""


@dataclass(frozen=True, slots=True)
class Supervision:
    """All that a context file says of how one service is kept."""

    restart: Restart = Restart()
    readiness: Readiness = Readiness()
    liveness: Liveness | None = None
    stop: Stop = Stop()
    requires: tuple[Requirement, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)
    output: Output = Output()
    feedback: Feedback | None = None
    instances: int = 1
    schedule: str = ""
