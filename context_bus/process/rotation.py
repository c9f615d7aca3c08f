"""Where a file of lines is cut, and how its older parts are named. Knows file names; must not know pipes.

The parts of ``x.log`` are ``x.log.N`` (the oldest) to ``x.log.1`` and ``x.log`` itself: read in that order
they are what was written, byte for byte.
"""

from __future__ import annotations

import contextlib
import os

#: Bytes before and after the size limit within which the end of a line is looked for.
PAGE = 4096


def cut_at(data: bytes, room: int, can_be_complete: bool) -> int:
    """Say how much of some data still belongs to a file that is nearly full.

    The cut is after the last line that fits, if one ends in the last page before the limit; else after the
    first line that ends within a page behind it; else where it must be.

    Args:
        data: What is to be written.
        room: Bytes left up to the limit; negative when the file is over it and waits for the end of a line.
        can_be_complete: Whether the file holds something and ends with the end of a line.

    Returns:
        Bytes for this file; if fewer than all, the file is complete after them.
    """
    if len(data) <= room:
        return len(data)
    fits = data.rfind(b"\n", max(0, room - PAGE), max(0, room)) + 1
    if fits:
        return fits
    if can_be_complete and room <= PAGE:
        return 0
    late = data.find(b"\n", max(0, room), max(0, room + PAGE)) + 1
    if late:
        return late
    # A line that is not complete yet may end in what comes next.
    return len(data) if len(data) < room + PAGE else max(0, room)


def name_of_part(path: str, number: int) -> str:
    """Name of a rotated part; 0 is the file itself."""
    return f"{path}.{number}" if number else path


def shift(path: str, backups: int) -> int:
    """Move a file and its parts one further, each by an atomic rename; the oldest is dropped.

    Returns:
        A descriptor of the file that was dropped, -1 if none was. Its room is freed when that is closed,
        which takes a tenth of a second for some hundred megabytes.

    Raises:
        OSError: A file cannot be moved; all are where they were or one further, none is lost.
    """
    free = next((n for n in range(1, backups) if not os.path.lexists(name_of_part(path, n))), backups)
    oldest = name_of_part(path, free) if backups else path
    dropped = _hold(oldest)
    try:
        # Not left to the rename: ext4 writes a file to the disk at once when it is renamed over another.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(oldest)
        for number in range(free if backups else 0, 0, -1):
            os.replace(name_of_part(path, number - 1), name_of_part(path, number))
    except OSError:
        if dropped >= 0:
            os.close(dropped)
        raise
    return dropped


def _hold(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # none, or not ours: then nothing is gained by it
        return -1
