"""What a Python child is to run, packed by its owner and unpacked by itself. Knows pickling, nothing else.

Connections, locks and shared values may be among the arguments, as multiprocessing promises: their
descriptors travel along with the order to start the child.
"""

from __future__ import annotations

import io
import multiprocessing.process
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import context, reduction
from typing import ClassVar

#: What runs in a child: the channel, then the arguments; returns the exit code.
Target = Callable[..., int]


class Passed:
    """A descriptor among the arguments, by its place among those that came along.

    Args:
        place: Counted from 0.
    """

    #: In a child that unpacks its freight, the descriptors it was given.
    arrived: ClassVar[Sequence[int]] = ()

    def __init__(self, place: int) -> None:
        self.place = place

    def detach(self) -> int:
        """The descriptor; it belongs to the caller."""
        return self.arrived[self.place]


@dataclass(slots=True)
class Freight:
    """A target with its arguments, as bytes and descriptors.

    Args:
        data: What travels as bytes.
        descriptors: What travels as descriptors; they stay the sender's.
    """

    data: bytes = b""
    descriptors: list[int] = field(default_factory=list)

    #: What multiprocessing asks for while it pickles a connection.
    DupFd: ClassVar[type[Passed]] = Passed

    def duplicate_for_child(self, descriptor: int) -> int:
        """Note a descriptor; multiprocessing calls it while it pickles."""
        self.descriptors.append(descriptor)
        return len(self.descriptors) - 1


def pack(target: Target, arguments: tuple[object, ...]) -> Freight:
    """Pack what a child is to run.

    Raises:
        AttributeError: The target, or an argument, is none that another process can import.
        pickle.PicklingError: An argument does not pickle.
        TypeError: The same.
    """
    freight = Freight()
    buffer = io.BytesIO()
    secret = bytes(multiprocessing.process.current_process().authkey)
    context.set_spawning_popen(freight)  # type: ignore[arg-type]  # all that is asked of it is here
    try:
        reduction.ForkingPickler(buffer).dump((secret, target, arguments))
    finally:
        context.set_spawning_popen(None)
    freight.data = buffer.getvalue()
    return freight


def unpack(data: bytes, descriptors: Sequence[int]) -> tuple[Target, tuple[object, ...]]:
    """Unpack in the child; the owner's secret for authenticated connections becomes its own."""
    Passed.arrived = descriptors
    secret, target, arguments = reduction.ForkingPickler.loads(data)
    multiprocessing.process.current_process().authkey = secret
    return target, arguments
