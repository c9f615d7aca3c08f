"""Frames on a stream of bytes: each after its length. Knows nothing of sockets."""

from __future__ import annotations

import struct

from context_bus.errors import FrameError

#: Bytes of a frame at most; a longer one is none of ours.
LARGEST = 64 * 1024 * 1024
_LENGTH = struct.Struct("!I")
#: Bytes of the length before each frame.
HEAD = _LENGTH.size


def enclose(frame: bytes) -> bytes:
    """A frame as it goes onto the stream."""
    return _LENGTH.pack(len(frame)) + frame


def length_of(head: bytes) -> int:
    """How many bytes the frame after this head has.

    Raises:
        FrameError: More than any has.
    """
    (length,) = _LENGTH.unpack(head)
    if length > LARGEST:
        raise FrameError(f"a frame of {length} bytes; at most {LARGEST} can be")
    return int(length)
