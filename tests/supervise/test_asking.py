"""One question by connection or URL, to servers that answer well, badly or not at all."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from context_bus.config.supervision import Probe, ReadinessKind
from context_bus.supervise.asking import _is_itself, ask_http, ask_tcp
from context_bus.supervise.probing import attempt
from tests.supervise.answering import Handler, saying, serving, silent

OK = b"HTTP/1.1 200 OK\r\n\r\n"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def asked(handler: Handler, path: str = "/", scheme: str = "http", tls: ssl.SSLContext | None = None) -> str:
    """What is said of a server that behaves like this."""

    async def main() -> str:
        async with serving(handler, tls) as port:
            probe = Probe(target=f"{scheme}://127.0.0.1:{port}{path}", timeout=10.0)
            return await attempt(ReadinessKind.HTTP, probe)

    return asyncio.run(main())


def test_tcp_is_answered_by_whoever_accepts() -> None:
    """By number and by the own name of the machine."""

    async def main() -> list[str]:
        async with serving(silent) as port:
            return [await ask_tcp(f"127.0.0.1:{port}"), await ask_tcp(f"localhost:{port}")]

    assert asyncio.run(main()) == ["", ""]


def test_tcp_refusal_says_where_and_why() -> None:
    """The words of the kernel, after host and port."""
    port = free_port()
    assert asyncio.run(ask_tcp(f"127.0.0.1:{port}")) == f"127.0.0.1:{port}: Connection refused"
    assert asyncio.run(ask_tcp(f"localhost:{port}")) == f"localhost:{port}: Connection refused"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("8080", "is no address: expected HOST:PORT"),
        ("host:0", "is not a port"),
        ("host:http", "is not a port"),
        ("a..b:80", "a..b:80: no host name"),
    ],
)
def test_tcp_target_that_is_none_is_told(target: str, reason: str) -> None:
    """A line that says what is wrong."""
    assert reason in asyncio.run(ask_tcp(target))


def test_a_socket_connected_with_itself_is_no_answer() -> None:
    """The kernel does that at a free port of the ephemeral range, seldom, and then all seems well."""

    async def main() -> list[bool]:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        _, own = await asyncio.open_connection(sock=sock)
        async with serving(silent) as port:
            _, other = await asyncio.open_connection("127.0.0.1", port)
            answers = [_is_itself(own), _is_itself(other)]
            own.transport.abort()
            other.transport.abort()
        return answers

    assert asyncio.run(main()) == [True, False]


def test_http_asks_as_a_browser_would() -> None:
    """Path and query as they are, host and port in the header."""
    heard: list[bytes] = []
    assert asked(saying(OK, heard), "/health check?deep=1&x=%20#part") == ""
    lines = heard[0].decode().split("\r\n")
    assert lines[0] == "GET /health%20check?deep=1&x=%20 HTTP/1.1"
    assert lines[1].startswith("Host: 127.0.0.1:")
    assert "Connection: close" in lines


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.0 204\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    ],
)
def test_http_below_400_is_well(answer: bytes) -> None:
    """Also a redirect, and a final answer after some that are not."""
    assert asked(saying(answer)) == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "status 404 Not Found"),
        (b"HTTP/1.1 503\r\n\r\n", "status 503"),
        (b"SSH-2.0-OpenSSH_9\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 fine\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 ", "closed the connection without a status of HTTP"),
        (b"", "closed the connection without a status of HTTP"),
        (b"x" * 100_000, "does not speak HTTP"),
        (b"HTTP/1.1 100 Continue\r\n" + b"a: b\r\n" * 20_000, "does not speak HTTP"),
    ],
)
def test_http_that_is_not_well_says_why(answer: bytes, reason: str) -> None:
    """A status, or that there was none; however long one has to listen for it."""
    assert asked(saying(answer)) == reason


def test_http_body_without_end_is_cut() -> None:
    """The status is enough: the server is hung up on while it still speaks."""

    async def main() -> str:
        ended = asyncio.Event()

        async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(OK)
            try:
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
            except ConnectionError:
                ended.set()

        async with serving(endless) as port:
            said = await ask_http(f"http://127.0.0.1:{port}")
            await asyncio.wait_for(ended.wait(), 10)
            return said

    assert asyncio.run(main()) == ""


def test_silence_is_no_answer() -> None:
    """Cut at the timeout, with a word for it, for plain and TLS."""

    async def main() -> list[str]:
        async with serving(silent) as port:
            targets = [f"{scheme}://127.0.0.1:{port}/" for scheme in ("http", "https")]
            return [
                await attempt(ReadinessKind.HTTP, Probe(target=target, timeout=0.05)) for target in targets
            ]

    assert asyncio.run(main()) == ["no answer within 0.05 s"] * 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of a server that nobody vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder: Path = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN=service.example -keyout {key} -out {cert}".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def test_https_answers_whoever_signed_it(certificate: ssl.SSLContext) -> None:
    """A service on the loopback has a certificate for another name, and is well all the same."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()

    assert asked(handle, scheme="https", tls=certificate) == ""


def test_https_without_tls_at_the_other_side_is_told() -> None:
    """By what the TLS library says of it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(OK)
        await reader.read()

    assert "WRONG_VERSION_NUMBER" in asked(handle, scheme="https")


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/", "http://", "http://user:secret@127.0.0.1/", "http://127.0.0.1:99999/", "http://["],
)
def test_url_that_cannot_be_asked_is_told(url: str) -> None:
    """Before anything is sent."""
    said = asyncio.run(ask_http(url))
    assert said.startswith("the URL cannot be asked: ")
    assert "secret" not in said


def test_only_what_can_be_asked_is_attempted() -> None:
    """Another kind is a fault of the caller."""
    with pytest.raises(ValueError, match="log is not asked; expected one of command, http, tcp"):
        asyncio.run(attempt(ReadinessKind.LOG, Probe()))
