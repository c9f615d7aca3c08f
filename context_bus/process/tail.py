"""Reads files that grow and are rotated: their last lines, and what comes. Must not know who writes them.

A file and its parts (``x.log.N`` to ``x.log``) are read as the one stream that was written. To follow
needs the extra ``reload`` (watchfiles), which is imported then and not before.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Mapping
from pathlib import Path

from context_bus.errors import ConfigurationError, Fault
from context_bus.process.rotation import name_of_part

#: Bytes read at once.
BLOCK = 64 * 1024
#: Milliseconds for which changes are gathered before they are looked at.
GATHER = 50
#: Milliseconds between two looks of watchfiles at what the kernel told it.
_STEP = 10


def last_lines(path: str | os.PathLike[str], count: int) -> list[bytes]:
    """Read the last lines of a file, and of its rotated parts if it has too few, from the end.

    Args:
        path: The file; one that does not exist has no lines.
        count: How many lines.

    Returns:
        The lines without their ends, oldest first; the last one may be incomplete.

    Raises:
        OSError: The file exists and cannot be read.
    """
    if count <= 0:
        return []
    text = _collect(_backwards(os.fspath(path)), count + 1)
    return text.removesuffix(b"\n").split(b"\n")[-count:] if text else []


def _collect(blocks: Iterable[bytes], ends: int) -> bytes:
    """Join blocks that come last one first, until so many line ends are in them."""
    taken: list[bytes] = []
    for block in blocks:
        taken.append(block)
        ends -= block.count(b"\n")
        if ends <= 0:
            break
    return b"".join(reversed(taken))


def _backwards(path: str) -> Iterator[bytes]:
    with contextlib.closing(_parts(path)) as parts:
        for part in parts:
            yield from _blocks_before(part, os.fstat(part).st_size)


def _blocks_before(fd: int, end: int) -> Iterator[bytes]:
    while end > 0:
        start = max(0, end - BLOCK)
        if block := os.pread(fd, end - start, start):
            yield block
        end = start


def _parts(path: str) -> Generator[int, None, None]:
    """Open a file and its parts, the newest first; each is closed when the next one is asked for.

    Names may be shifted meanwhile: then one part comes again under the next name, which is noticed, or one
    name is missing for a moment, which does not mean that there are no more.
    """
    seen: set[tuple[int, int]] = set()
    missing = 0
    for number in itertools.count():
        try:
            fd = os.open(name_of_part(path, number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            missing += 1
            if missing > 1 and number > 1:
                return
            continue
        missing = 0
        try:
            if (identity := _identity(os.fstat(fd))) not in seen:
                seen.add(identity)
                yield fd
        finally:
            os.close(fd)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


async def follow(paths: Mapping[str, Path], lines: int = 0) -> AsyncGenerator[tuple[str, bytes], None]:
    """Yield lines as they are written, until cancelled or closed.

    Neither rotation nor truncation nor deletion ends it; a file that does not exist is waited for and then
    read from its beginning. No line comes twice, and none is left out that is still in a part of its file.

    Args:
        paths: The files, by the names under which their lines are yielded.
        lines: So many of the last lines of each file are yielded first.

    Yields:
        Name and one or more whole lines, each with its end.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    try:
        import watchfiles
    except ImportError:
        remedy = "install it: pip install 'context-bus[reload]'"
        raise ConfigurationError([Fault("to follow files needs the package watchfiles", remedy)]) from None
    followed = [Followed(name, os.path.abspath(path)) for name, path in paths.items()]
    try:
        for file in followed:
            if text := file.begin(lines):
                yield file.name, text
        while True:
            directories, stop = _directories(followed), asyncio.Event()
            changes = watchfiles.awatch(
                *directories, watch_filter=None, debounce=GATHER, step=_STEP, stop_event=stop, recursive=False
            )
            change = asyncio.ensure_future(anext(changes))
            try:
                # Its first step begins to watch; what changed before that is seen by the first look.
                await asyncio.sleep(0)
                while _directories(followed) == directories:
                    for file in followed:
                        for text in file.advance():
                            yield file.name, text
                            await asyncio.sleep(0)  # a flood leaves the loop to others, too
                    await change
                    change = asyncio.ensure_future(anext(changes))
            finally:
                stop.set()
                # That there are no more changes is no news to anybody.
                await asyncio.gather(change, return_exceptions=True)
                await changes.aclose()
    finally:
        for file in followed:
            file.close()


def _directories(followed: Iterable[Followed]) -> list[str]:
    """What to watch: the directories of the files, or of what is to become them."""
    found = set()
    for file in followed:
        directory = os.path.dirname(file.path)
        while not os.path.isdir(directory):
            directory = os.path.dirname(directory)
        found.add(directory)
    return sorted(found)


class Followed:
    """One file and how far it was read."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path
        self._fd = -1
        self._position = 0
        self._rest = bytearray()
        #: Parts that were last written before were there before us; nanoseconds since the epoch.
        self._not_before = 0

    def begin(self, lines: int) -> bytes:
        """Go to the end of what is there; returns the last whole lines of it."""
        with contextlib.suppress(FileNotFoundError):
            self._go_on_with(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))
        if self._fd < 0:
            with contextlib.closing(_parts(self.path)) as parts:
                self._not_before = max((os.fstat(part).st_mtime_ns + 1 for part in parts), default=0)
            return b""
        self._position = os.fstat(self._fd).st_size
        text = _collect(self._backwards(), lines + 1)
        whole = text[: text.rfind(b"\n") + 1]
        self._rest += text[len(whole) :]
        return b"".join(line + b"\n" for line in whole.split(b"\n")[:-1][-lines:]) if lines else b""

    def advance(self) -> Iterator[bytes]:
        """Read what has come; yields whole lines."""
        while True:
            yield from self._read()
            try:
                found = os.stat(self.path)
            except FileNotFoundError:
                return
            if self._fd >= 0 and _identity(found) == _identity(os.fstat(self._fd)):
                if found.st_size >= self._position:
                    return
                self._position = 0  # truncated
                self._rest.clear()
            elif self._fd >= 0 and not found.st_size:
                return  # nobody has begun with the next file: this one may still grow
            else:
                yield from self._read()
                for part in self._successors():
                    self._go_on_with(part)
                    yield from self._read()

    def rest(self) -> bytes:
        """Take what is left of a last line that has no end; for when there will be no more."""
        rest, self._rest = bytes(self._rest), bytearray()
        return rest

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _go_on_with(self, fd: int) -> None:
        self.close()
        self._fd, self._position = fd, 0

    def _backwards(self) -> Iterator[bytes]:
        yield from _blocks_before(self._fd, self._position)
        with contextlib.closing(_parts(self.path)) as parts:
            for part in parts:
                if not os.path.sameopenfile(part, self._fd):
                    yield from _blocks_before(part, os.fstat(part).st_size)

    def _successors(self) -> list[int]:
        """Open what was begun after the present file, the oldest first."""
        not_before = os.fstat(self._fd).st_mtime_ns if self._fd >= 0 else self._not_before
        successors: list[int] = []
        with contextlib.closing(_parts(self.path)) as parts:
            for part in parts:
                if self._fd >= 0 and os.path.sameopenfile(part, self._fd):
                    break
                # The present file may be gone, as the oldest of its kind or by somebody's hand.
                if os.fstat(part).st_mtime_ns < not_before:
                    break
                successors.append(os.dup(part))
        return successors[::-1]

    def _read(self) -> Iterator[bytes]:
        while self._fd >= 0 and (block := os.pread(self._fd, BLOCK, self._position)):
            self._position += len(block)
            end = block.rfind(b"\n") + 1
            if not end:
                self._rest += block
                continue
            lines = bytes(self._rest) + block[:end]
            self._rest = bytearray(block[end:])
            yield lines
