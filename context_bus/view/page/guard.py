"""Who may read the page and who may act on it: hosts, origins, token and session.

Pure but for the secrets it makes. Knows headers as text; must not know any web library.

A browser of the operator also shows pages of strangers. Those may send it anywhere, here too: so a request
must name a host that is ours (else a stranger's name could be turned to this address), a socket must come
from our own page, and the cookie goes with nothing that another site begins.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

#: Bytes of randomness in a token.
STRENGTH = 24
#: What every answer carries: nothing from elsewhere is loaded, nobody frames us, nothing is told to others.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
        "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Decides for one server.

    Args:
        host: Address or name it is bound to.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        #: Lets a browser act; stands in the URL that is printed at the start.
        self.token = secrets.token_urlsafe(STRENGTH)
        self._tickets: set[str] = set()
        self._session = secrets.token_urlsafe(STRENGTH)
        self._port = port
        self._names = {"localhost", "127.0.0.1", "::1", host}
        self._is_open = not is_loopback(host)
        if self._is_open:
            self._names |= {socket.gethostname(), socket.getfqdn()}
        #: Cookies know no ports, so another page of this machine needs another name.
        self.cookie = f"context_bus_{port}"

    def is_host(self, header: str | None) -> bool:
        """Whether a ``Host`` header means us."""
        name, port = _split(f"//{header}") if header else ("", None)
        if port != self._port and not (port is None and self._port == 80):
            return False
        # Nobody can turn a bare address into another one, as can be done with a name.
        return name in self._names or (self._is_open and _is_address(name))

    def is_own_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a request comes from our own page; a browser names the origin of every socket and order."""
        return origin is not None and self.is_host(host) and origin.casefold() == f"http://{host}".casefold()

    def is_token(self, token: str) -> bool:
        """Whether a token is ours, or a ticket that nobody has used yet."""
        if token in self._tickets:
            self._tickets.discard(token)
            return True
        return hmac.compare_digest(token.encode(), self.token.encode())

    def make_ticket(self) -> str:
        """A token for one use: for a command line, which every user of the machine can read."""
        ticket = secrets.token_urlsafe(STRENGTH)
        self._tickets.add(ticket)
        return ticket

    def set_cookie(self) -> str:
        """The header that lets a browser act from now on; it is not the token, and scripts cannot read it."""
        return f"{self.cookie}={self._session}; HttpOnly; SameSite=Strict; Path=/"

    def may_act(self, cookies: str | None) -> bool:
        """Whether a ``Cookie`` header holds the session of this server."""
        jar: Mapping[str, object] = {}
        try:
            jar = {name: morsel.value for name, morsel in SimpleCookie(cookies or "").items()}
        except CookieError:
            return False
        return hmac.compare_digest(str(jar.get(self.cookie, "")).encode(), self._session.encode())


def _split(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "", parts.port)
    except ValueError:
        return "", None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
