"""Serves the page at a port until it is told to end. Knows uvicorn; prints nothing."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import uvicorn

from context_bus.client.endpoints import Endpoints
from context_bus.errors import EndpointError
from context_bus.view.page.app import make_app
from context_bus.view.page.guard import Guard

#: Seconds that open pages have to go at the end.
GRACE = 2
#: Bytes of what a page may say at once.
MOST_BYTES = 16_384


class PageServer:
    """Serves one page; its port is taken when this is made.

    Args:
        find: Tells where the provider is.
        host: Address to serve at.
        port: Port to serve at; 0 for any that is free.

    Raises:
        EndpointError: The port cannot be had.
    """

    def __init__(self, find: Callable[[], Endpoints], host: str, port: int) -> None:
        self._socket = _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._guard = Guard(host, self.port)
        name = f"[{host}]" if ":" in host else host
        #: Address of the page without the right to act.
        self.address = f"http://{name}:{self.port}/"
        config = uvicorn.Config(
            make_app(find, self._guard),
            log_config=None,
            access_log=False,  # its lines would hold the token
            server_header=False,
            proxy_headers=False,
            ws="websockets-sansio",
            ws_max_size=MOST_BYTES,
            timeout_graceful_shutdown=GRACE,
        )
        self._server = _Server(config)

    @property
    def url(self) -> str:
        """Address of the page with the token that lets one act."""
        return f"{self.address}?token={self._guard.token}"

    def url_for_browser(self) -> str:
        """The same, good for one use: the browser has it on its command line, where others can read it."""
        return f"{self.address}?token={self._guard.make_ticket()}"

    def run(self, ready: Callable[[], object] = lambda: None) -> None:
        """Serve until SIGINT or SIGTERM.

        Args:
            ready: Called once when the page can be opened.
        """
        self._server.ready = ready
        with self._socket:
            self._server.run(sockets=[self._socket])


class _Server(uvicorn.Server):
    """Tells when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready: Callable[[], object] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()


def _bound(host: str, port: int) -> socket.socket:
    """A socket bound to a port, so that a taken one is told before anything else.

    Raises:
        EndpointError: It cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
    except OSError as error:
        made.close()
        remedy = "choose another with --port, or --port 0 for any that is free"
        if error.errno == errno.EADDRINUSE:
            raise EndpointError(f"port {port} of {host} is taken; {remedy}") from None
        raise EndpointError(f"cannot serve at {host}:{port}: {error.strerror or error}; {remedy}") from None
    return made
