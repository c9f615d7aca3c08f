"""The way in for clients of the same user on the same machine: a socket beside the state.

They say what they would say on the bus, in the same frames, and are answered here: nothing stands between
them and the provider, no forwarder and no other thread, and the rights of the file say who may come in.
Knows streams; must not know what a frame means.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from context_bus.errors import FrameError
from context_bus.kernel.framing import HEAD, enclose, length_of
from context_bus.kernel.message import UNREADABLE, join_frame, split_frame
from context_bus.kernel.socketpath import short_path

_log = logging.getLogger(__name__)

#: Takes what a client said: topic and body.
Take = Callable[[str, bytes], None]
#: Bytes that a client may leave unread; one that reads no more is sent away.
UNREAD = 64 * 1024 * 1024
#: Seconds that clients have at the end to read what they were answered.
PARTING = 1.0


class _Header(msgspec.Struct, gc=False):
    reply_to: str = ""


class _Asking(msgspec.Struct, gc=False):
    header: _Header


_read = msgspec.json.Decoder(_Asking).decode


class Doorway:
    """Lets clients in.

    Args:
        path: The socket; None leaves only the bus.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self._guests: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        #: Who waits for answers, by the topic it gave for them.
        self._inboxes: dict[str, asyncio.StreamWriter] = {}

    async def open(self, take: Take) -> None:
        """Let clients in from now on; without a socket they have the bus."""
        if self._path is None:
            return
        try:
            self._path.unlink(missing_ok=True)  # of a provider that was killed: its lock is ours
            self._server = await asyncio.start_unix_server(
                lambda reader, writer: self._welcome(reader, writer, take), sock=_bound(self._path)
            )
        except OSError as error:
            _log.warning("no socket for local clients: path=%s reason=%s", self._path, error)

    def has(self, topic: str) -> bool:
        """Whether somebody here waits for answers on this topic."""
        return topic in self._inboxes

    def answer(self, topic: str, body: bytes) -> None:
        """Answer who waits on this topic."""
        guest = self._inboxes[topic]
        guest.write(enclose(join_frame(topic, body)))
        if guest.transport.get_write_buffer_size() > UNREAD:
            guest.transport.abort()

    async def close(self) -> None:
        """Let nobody in any more; what has been answered is still sent."""
        if self._server is None or self._path is None:
            return
        self._server.close()
        guests = dict(self._guests)
        for guest in guests:
            guest.close()
        if leaving := [asyncio.create_task(guest.wait_closed()) for guest in guests]:
            await asyncio.wait(leaving, timeout=PARTING)
        for guest, served in guests.items():
            guest.transport.abort()  # who reads nothing
            if served is not None:
                await asyncio.wait([served])
        await asyncio.gather(*leaving, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _welcome(self, reader: asyncio.StreamReader, guest: asyncio.StreamWriter, take: Take) -> None:
        self._guests[guest] = asyncio.current_task()
        try:
            while True:
                frame = await reader.readexactly(length_of(await reader.readexactly(HEAD)))
                self._hear(frame, guest, take)
        except (asyncio.IncompleteReadError, OSError):
            pass  # it has left
        except FrameError as error:
            _log.info("a local client is sent away: reason=%s", error)
        finally:
            del self._guests[guest]
            self._inboxes = {topic: one for topic, one in self._inboxes.items() if one is not guest}
            guest.close()

    def _hear(self, frame: bytes, guest: asyncio.StreamWriter, take: Take) -> None:
        topic, body = split_frame(frame)
        with contextlib.suppress(msgspec.ValidationError, *UNREADABLE):  # whoever takes it says what is wrong
            if inbox := _read(body).header.reply_to:
                self._inboxes[inbox] = guest
        take(topic, body)


def _bound(path: Path) -> socket.socket:
    """A socket at a path, for its user alone."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before the bind: the file never has another mode
        with short_path(path) as (place, _):
            listener.bind(place)
    except BaseException:
        listener.close()
        raise
    return listener
