"""What an owner orders of its guardian, and what the guardian tells. Pure; knows surroundings, nothing else.

An owner and a guardian of different versions may meet, since a guardian can outlive its owner: a change
of a field here is a change of `PROTOCOL`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from context_bus.errors import ProcessError
from context_bus.kernel.surroundings import Surroundings

#: Version of these messages; a guardian refuses an owner with another one.
PROTOCOL = 1


# -- orders --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """First word of an owner: what its children inherit.

    Args:
        protocol: Version of the messages it speaks.
        path: Where modules are found.
        argv: ``sys.argv`` of Python children.
        cwd: Working directory.
        env: Environment.
        keep: Path of the socket at which the next owner finds the guardian; empty: there is none.
        given: What the descriptors that come along are: ``listener``, ``stdout``, ``stderr``.
    """

    protocol: int
    path: tuple[str, ...]
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    keep: str = ""
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preload:
    """Import modules before the first Python child is needed."""

    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Start a child.

    Args:
        request: Number that the answer bears.
        name: For messages and logs.
        argv: Program and arguments; empty for a Python child.
        surroundings: What it runs in; None is what the guardian runs in.
        note: Text of the owner, for the next owner.
        given: What the descriptors that come first are: ``channel``, ``ours``, ``load``, ``stdin``,
            ``stdout``, ``stderr``, and any number of ``passed``.
        held: Names of those that follow, which the guardian holds.
    """

    request: int
    name: str
    argv: tuple[str, ...] = ()
    surroundings: Surroundings | None = None
    note: str = ""
    given: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Take:
    """Give a copy of a descriptor that is held for a child."""

    request: int
    child: int
    name: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Hold a descriptor no longer."""

    child: int
    name: str


@dataclass(frozen=True, slots=True)
class Collect:
    """Forget children: the owner knows how they ended."""

    children: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KillAll:
    """Kill all that descends from the guardian."""

    request: int


@dataclass(frozen=True, slots=True)
class End:
    """Kill all that descends from the guardian, and end."""


# -- answers and events --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Welcome:
    """The new owner is taken; so many `Kept` follow."""

    pid: int
    kept: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The new owner is not taken."""

    why: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A child of the owner before; a Python child comes with our end of its channel.

    Args:
        child: Number by which owner and guardian name it.
        pid: Process id.
        ticks: Start time in clock ticks since boot.
        name: For messages and logs.
        note: What the owner before wrote on it.
        code: How it ended; None while it runs.
        is_stopped: By a signal.
        held: Names of descriptors that are held for it.
        has_channel: Whether the channel comes along.
    """

    child: int
    pid: int
    ticks: int
    name: str
    note: str = ""
    code: int | None = None
    is_stopped: bool = False
    held: tuple[str, ...] = ()
    has_channel: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """A child has been started."""

    request: int
    child: int
    pid: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A child could not be started."""

    request: int
    why: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A child has ended, with this code or by the signal whose negative number it is.

    Args:
        child: Its number.
        code: The code.
        is_clean: Nobody in the guardian's care is without a parent, so it has left nothing behind.
    """

    child: int
    code: int
    is_clean: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """A signal has stopped a child, or let it go on."""

    child: int
    is_stopped: bool


@dataclass(frozen=True, slots=True)
class Handed:
    """The copy asked for comes along; without one, nothing of that name is held."""

    request: int


@dataclass(frozen=True, slots=True)
class AllGone:
    """Nothing descends from the guardian any more."""

    request: int


Order = Hello | Preload | Start | Take | Drop | Collect | KillAll | End
News = Welcome | Refused | Kept | Started | Failed | Exited | Stopped | Handed | AllGone
Message = Order | News
_KINDS = {kind.__name__: kind for kind in (*Order.__args__, *News.__args__)}


def encode(message: Message) -> bytes:
    """Write a message."""
    return json.dumps([type(message).__name__, _fields(message)], default=_plain).encode()


def decode(data: bytes) -> Message:
    """Read a message.

    Raises:
        ProcessError: It is none of ours.
    """
    try:
        name, fields = json.loads(data)
        if (what := fields.get("surroundings")) is not None:
            fields["surroundings"] = _surroundings(what)
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
        message: Message = _KINDS[name](**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProcessError(f"not a message between owner and guardian: {error!r}") from error
    return message


def _fields(value: Message | Surroundings) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__slots__}


def _plain(value: object) -> object:
    if isinstance(value, Surroundings):
        return _fields(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a message")


def _surroundings(fields: dict[str, object]) -> Surroundings:
    cpus, limits = fields.pop("cpus"), fields.pop("limits")
    assert isinstance(cpus, list)
    assert isinstance(limits, dict)
    bounds = {name: (soft, hard) for name, (soft, hard) in limits.items()}
    return Surroundings(**fields, cpus=tuple(cpus), limits=bounds)  # type: ignore[arg-type]
