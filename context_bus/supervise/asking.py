"""Ask a host and port, or a URL, once whether somebody answers. Knows asyncio only; the caller sets the time.

Every function returns why there was no good answer, in words, or nothing if there was one.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import re
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from context_bus.config.address import parse_port

#: Bytes of the beginning of an HTTP answer that are read at most; the status stands in the first line.
HEAD_LIMIT = 64 * 1024
#: Status from which on an answer is a refusal; a redirect is an answer.
FIRST_BAD_STATUS = 400
_STATUS = re.compile(rb"[1-9][0-9]{2}")
#: What the own name of this machine means: known without the resolver, which takes a thread and may hang.
_LOCALHOST = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to connect."""

    host: str
    port: int

    @property
    def hosts(self) -> tuple[str, ...]:
        return _LOCALHOST if self.host == "localhost" else (self.host,)


async def ask_tcp(target: str) -> str:
    """Ask whether connections are accepted at ``HOST:PORT``."""
    host, _, port = target.rpartition(":")
    if not host:
        return f'"{target}" is no address: expected HOST:PORT'
    try:
        place = _Place(host.strip("[]"), parse_port(port))
    except ValueError as error:
        return str(error)
    try:
        _, writer = await _connect(place, None)
    except OSError as error:
        return _words(error, place)
    writer.transport.abort()
    return ""


async def ask_http(url: str) -> str:
    """Ask whether a URL answers with a status below 400.

    The rest of the answer is not read, however long it is or takes. A certificate is not verified: the
    question is whether somebody answers, nothing is confided, and a service that is asked by the address
    of the loopback has a certificate for its public name.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"the URL cannot be asked: {error}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        # The URL is not repeated: what stands before the @ is a secret.
        return "the URL cannot be asked: expected http://HOST[:PORT]/PATH or https://..., without a user"
    is_tls = parts.scheme == "https"
    place = _Place(parts.hostname, port or (443 if is_tls else 80))
    try:
        reader, writer = await _connect(place, _context() if is_tls else None)
    except OSError as error:  # of TLS, too
        return _words(error, place)
    try:
        writer.write(_request(parts))
        return await _read_status(reader)
    except OSError as error:
        return _words(error, place)
    finally:
        writer.transport.abort()


async def _connect(
    place: _Place, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    failure: OSError | None = None
    for host in place.hosts:
        try:
            reader, writer = await asyncio.open_connection(
                host, place.port, ssl=tls, server_hostname=place.host if tls else None, limit=HEAD_LIMIT
            )
        except OSError as error:
            failure = failure or error
            continue
        except ValueError as error:  # no name that could be looked up
            raise OSError(f"no host name: {error}") from error
        if _is_itself(writer):
            writer.transport.abort()
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return reader, writer
    assert failure is not None  # there is a host at least
    raise failure


def _is_itself(writer: asyncio.StreamWriter) -> bool:
    """Whether both ends are the same socket.

    Where nobody listens at a port of the ephemeral range, the kernel may choose that very port for this
    end, and then the socket is connected with itself.
    """
    return bool(writer.get_extra_info("sockname") == writer.get_extra_info("peername"))


@functools.cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _request(parts: SplitResult) -> bytes:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?") if parts.query else ""
    lines = (
        f"GET {path}{query} HTTP/1.1",
        f"Host: {parts.netloc}",
        "User-Agent: context-bus",
        "Accept: */*",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


async def _read_status(reader: asyncio.StreamReader) -> str:
    left, is_first = HEAD_LIMIT, True
    while left > 0:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return "closed the connection without a status of HTTP"
        except asyncio.LimitOverrunError:
            break
        left -= len(line)
        words = line.split(None, 2)
        if not (is_first or line.startswith(b"HTTP/")):
            continue  # a header of an answer that was not final
        is_first = False
        if not line.startswith(b"HTTP/") or len(words) < 2 or not _STATUS.fullmatch(words[1]):
            break
        status = int(words[1])
        if status >= 200:  # below, the final answer follows
            return "" if status < FIRST_BAD_STATUS else f"status {_shown(words)}"
    return "does not speak HTTP"


def _shown(words: list[bytes]) -> str:
    return b" ".join(words[1:]).strip().decode("latin-1")[:80]


def _words(error: OSError, place: _Place) -> str:
    # What asyncio says of a failure to connect is the address; what a resolver or TLS says is the reason.
    is_of_kernel = error.errno is not None and not isinstance(error, socket.gaierror | ssl.SSLError)
    reason = os.strerror(error.errno or 0) if is_of_kernel else error.strerror or str(error)
    return f"{place.host}:{place.port}: {reason}"
