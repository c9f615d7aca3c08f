"""The page as a web application: its files, its socket, and the guard before both. Knows starlette.

Reading needs no token; an order does, and comes by the socket of our own page only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute

from context_bus.client.endpoints import Endpoints
from context_bus.view.page.desk import Desk
from context_bus.view.page.guard import HEADERS, Guard
from context_bus.view.page.visitor import TRY_AGAIN, Visitor
from context_bus.view.svg import colours

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from starlette.websockets import WebSocket

#: Files of the page, and what they are.
FILES = {
    "index.html": "text/html",
    "style.css": "text/css",
    "page.js": "text/javascript",
    "dom.js": "text/javascript",
    "services.js": "text/javascript",
    "chart.js": "text/javascript",
    "lists.js": "text/javascript",
}
#: Pages that may be open at once.
MOST_PAGES = 50
#: Grounds, text and lesser text of both themes.
LIGHT, DARK = ("#FFFFFF", "#1F2328", "#59636E"), ("#161B22", "#E6EDF3", "#8B949E")
#: Close code of WebSocket: not allowed.
FORBIDDEN = 1008


def make_app(find: Callable[[], Endpoints], guard: Guard) -> Starlette:
    """Make the application for one provider.

    Args:
        find: Tells where the provider is.
        guard: Who may what.
    """
    site = _Site(find, guard)
    return Starlette(
        routes=[
            Route("/", site.index),
            Route("/theme.css", site.theme),
            WebSocketRoute("/socket", site.socket),
            Route("/{name}", site.asset),
        ],
        middleware=[Middleware(HostCheck, guard=guard)],
        lifespan=site.lifespan,
    )


class _Site:
    """What is found at which path."""

    def __init__(self, find: Callable[[], Endpoints], guard: Guard) -> None:
        self._find, self._guard = find, guard
        self._desk: Desk | None = None
        self._pages = 0

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Look at the provider while the application lives."""
        desk = self._desk = Desk(self._find)
        try:
            yield
        finally:
            # Its threads may be waiting for a provider that does not answer.
            await asyncio.to_thread(desk.close)

    async def index(self, request: Request) -> Response:
        """The page; with the token, a cookie for it."""
        token = request.query_params.get("token")
        if token is None:
            return _file("index.html")
        if not self._guard.is_token(token):
            return PlainTextResponse("this token is of another start of the dashboard\n", status_code=403)
        # The token leaves the address bar, the history and every bookmark at once.
        return RedirectResponse("/", status_code=303, headers={"set-cookie": self._guard.set_cookie()})

    async def asset(self, request: Request) -> Response:
        """A file of the page."""
        return _file(str(request.path_params["name"]))

    async def theme(self, request: Request) -> Response:
        """The colours of states and lines."""
        return Response(_theme(), media_type="text/css")

    async def socket(self, websocket: WebSocket) -> None:
        """The socket of a page."""
        headers = websocket.headers
        if self._desk is None or not self._guard.is_own_origin(headers.get("origin"), headers.get("host")):
            await websocket.close(FORBIDDEN)
            return
        if self._pages >= MOST_PAGES:
            await websocket.close(TRY_AGAIN)
            return
        await websocket.accept()
        self._pages += 1
        try:
            may_act = self._guard.may_act(headers.get("cookie"))
            await Visitor(websocket, self._desk, may_act=may_act).serve()
        finally:
            self._pages -= 1


class HostCheck:
    """Answers nobody who calls us by a foreign name, and adds to each answer what it must carry."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def carrying(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if self._guard.is_host(Headers(scope=scope).get("host")):
            await self._app(scope, receive, carrying)
        elif scope["type"] == "http":
            await PlainTextResponse("not a name of this page\n", status_code=421)(scope, receive, carrying)
        else:
            await send({"type": "websocket.close", "code": FORBIDDEN})


def _file(name: str) -> Response:
    if name not in FILES:
        return PlainTextResponse("no such page\n", status_code=404)
    return Response((files(__package__) / "static" / name).read_bytes(), media_type=FILES[name])


def _theme() -> str:
    """The colours of both themes as variables of style sheets."""
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in colours(*each).items()) for each in (LIGHT, DARK)
    )
    return f':root{{{light}}}\n:root[data-theme="dark"]{{{dark}}}\n'
