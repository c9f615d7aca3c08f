"""A path of a Unix socket that the kernel takes, however long: it takes 107 bytes. Knows paths only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def short_path(path: str | os.PathLike[str]) -> Iterator[tuple[str, int]]:
    """Name a socket by the descriptor of its directory.

    Yields:
        The path, which can be bound and connected to in this process meanwhile, and the descriptor.

    Raises:
        OSError: There is no such directory.
    """
    parent, name = os.path.split(os.path.abspath(path))
    directory = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{name}", directory
    finally:
        os.close(directory)
