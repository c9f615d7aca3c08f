"""Every socket of the bus and every option it is given, in one place. Knows zmq only.

libzmq's own defaults lose messages without a word: 1000 queued messages, 1000 subscriptions, endless
linger. No other file of the package sets an option.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import struct
from collections.abc import Callable, Iterator
from typing import cast

import zmq

from context_bus.errors import EndpointError
from context_bus.kernel.ids import new_token

#: Messages a publisher queues for its forwarder; beyond it a send waits. It has to hold what is published
#: while a dead forwarder is replaced: ten seconds at 1000 messages a second. Ten times as many cost a
#: publisher that runs ahead some of its speed: each message then lies in memory that no cache knows.
PUBLISHER_HWM = 10_000
#: Messages a subscriber queues before the forwarder has to; small, so that memory stands in one place.
SUBSCRIBER_HWM = 1_000
#: Messages a dropping forwarder queues for one slow subscriber; beyond it that subscriber alone loses some.
FORWARDER_HWM = 100_000
#: Messages a blocking forwarder queues for the slowest subscriber before it reads no more from publishers.
BLOCKING_HWM = 1_000
#: Messages a forwarder queues from one publisher before the publisher has to.
FORWARDER_INTAKE_HWM = 1_000
#: Messages an outlet queues for one slow listener: figures that are older than that interest nobody.
OUTLET_HWM = 100
#: No bound; for subscriptions, which pass the same queues as messages: with 1000, the 1001st of a burst is
#: lost without a word (libzmq #2258).
UNBOUNDED = 0
#: Milliseconds between attempts of a subscriber to reach its forwarder: it has to be back before publishers.
SUBSCRIBER_RECONNECT_MS = 1
#: Upper bound of the same, doubled at each attempt: many services must not starve a forwarder that starts.
SUBSCRIBER_RECONNECT_MAX_MS = 16
#: Milliseconds between attempts of a publisher: what it queued in an outage must not run ahead of listeners.
PUBLISHER_RECONNECT_MS = 100
#: Milliseconds after which a peer that accepted the connection but says nothing is given up.
HANDSHAKE_MS = 2_000
#: Sockets one process may have; each of libzmq's own 1023 would be one node in a thousand too few.
MAX_SOCKETS = 65_000
#: Seconds a closing socket may go on sending what it queued.
LINGER = 1.0
#: An event of a monitor: number and value.
_EVENT = struct.Struct("=HI")


def new_context(max_sockets: int = MAX_SOCKETS) -> zmq.Context[zmq.Socket[bytes]]:
    """A zmq context; one per node, so that closing the node can wait for the last message to leave.

    Args:
        max_sockets: Sockets it may have; libzmq sets memory aside for all of them, 12 bytes each.
    """
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, max_sockets)
    return context


def own_or_shared(
    shared: zmq.Context[zmq.Socket[bytes]] | None,
) -> tuple[zmq.Context[zmq.Socket[bytes]], zmq.Context[zmq.Socket[bytes]] | None]:
    """The context to use, and the same again if it is one's own to close."""
    if shared is not None:
        return shared, None
    own = new_context()
    return own, own


@contextlib.contextmanager
def released_on_failure(context: zmq.Context[zmq.Socket[bytes]] | None) -> Iterator[None]:
    """Close a context and its sockets if making one of them fails."""
    try:
        yield
    except BaseException:
        if context is not None:
            context.destroy(0)
        raise


def publisher_socket(
    context: zmq.Context[zmq.Socket[bytes]], endpoint: str, *, send_timeout: float, hwm: int
) -> zmq.Socket[bytes]:
    """A connected XPUB: it sends, and it is told of every subscription in the network."""
    return connect(_publisher(context, send_timeout, hwm), endpoint)


def watched_publisher(
    context: zmq.Context[zmq.Socket[bytes]], endpoint: str, *, hwm: int
) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
    """The same, of which a send never waits, and a socket that tells of its link: see `read_link`."""
    sock = _publisher(context, 0.0, hwm)
    link = sock.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
    return connect(sock, endpoint), link


def read_link(link: zmq.Socket[bytes]) -> list[bool]:
    """What has become of a link since the last call: True for each time it came up, False when it broke."""
    news = []
    with contextlib.suppress(zmq.Again):
        while True:  # not with zmq.utils.monitor, which imports asyncio: 51 modules more in every forwarder
            event, _address = link.recv_multipart(zmq.DONTWAIT)
            news.append(tells_of_link(event))
    return news


def _publisher(context: zmq.Context[zmq.Socket[bytes]], send_timeout: float, hwm: int) -> zmq.Socket[bytes]:
    sock = context.socket(zmq.XPUB)
    sock.linger = 0
    sock.sndhwm = hwm
    sock.rcvhwm = UNBOUNDED
    sock.sndtimeo = round(send_timeout * 1000)
    sock.set(zmq.XPUB_NODROP, 1)
    sock.reconnect_ivl = PUBLISHER_RECONNECT_MS
    return sock


def subscriber_socket(
    context: zmq.Context[zmq.Socket[bytes]],
    endpoint: str,
    *,
    hwm: int = SUBSCRIBER_HWM,
    conflate: bool = False,
    connected: bool = True,
) -> zmq.Socket[bytes]:
    """A connected SUB without subscriptions.

    Args:
        context: The node's zmq context.
        endpoint: Where the forwarder serves listeners.
        hwm: Messages to queue here before the forwarder has to.
        conflate: Keep the newest message only; one topic per socket then, since it is one for all topics,
            and of several filters set at once, too, the last alone would leave.
        connected: Connect it now; else ``connect`` does.
    """
    sock = context.socket(zmq.SUB)
    sock.linger = 0
    sock.rcvhwm = hwm
    sock.sndhwm = UNBOUNDED
    sock.reconnect_ivl = SUBSCRIBER_RECONNECT_MS
    sock.reconnect_ivl_max = SUBSCRIBER_RECONNECT_MAX_MS
    sock.handshake_ivl = HANDSHAKE_MS
    if conflate:
        sock.set(zmq.CONFLATE, 1)
    return connect(sock, endpoint) if connected else sock


def forwarder_sockets(
    context: zmq.Context[zmq.Socket[bytes]], *, blocking: bool, hwm: int
) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
    """The two sides of a forwarder, not bound yet: XSUB for the publishers, XPUB for the listeners."""
    front, back = context.socket(zmq.XSUB), context.socket(zmq.XPUB)
    for sock in (front, back):
        sock.linger = 0
    front.rcvhwm = FORWARDER_INTAKE_HWM
    front.sndhwm = UNBOUNDED  # subscriptions on their way to the publishers
    back.sndhwm = hwm
    back.rcvhwm = UNBOUNDED  # subscriptions on their way from the listeners
    if blocking:
        back.set(zmq.XPUB_NODROP, 1)
    return front, back


def outlet_socket(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """A PUB of one's own, not bound yet: each listener that is too slow loses messages, nobody waits."""
    sock = context.socket(zmq.PUB)
    sock.linger = 0
    sock.sndhwm = OUTLET_HWM
    sock.rcvhwm = UNBOUNDED  # subscriptions
    return sock


def bind(sock: zmq.Socket[bytes], endpoint: str) -> str:
    """Bind, and say where: a free port becomes a number.

    Raises:
        EndpointError: The address is taken, foreign or malformed.
    """
    try:
        sock.bind(endpoint)
    except zmq.ZMQError as error:
        raise EndpointError(f"cannot bind {endpoint}: {_reason(error)}; {_remedy(error.errno)}") from None
    return cast(bytes, sock.get(zmq.LAST_ENDPOINT)).decode().rstrip("\0")


def descriptor(sock: zmq.Socket[bytes]) -> int:
    """A descriptor that turns readable when the socket should be looked at; then take all there is."""
    return cast(int, sock.get(zmq.FD))


def is_readable(sock: zmq.Socket[bytes]) -> bool:
    """Whether a message is there; asking makes libzmq look, which sending does but once in a millisecond."""
    return bool(cast(int, sock.get(zmq.EVENTS)) & zmq.POLLIN)


def filter_setter(sock: zmq.Socket[bytes]) -> Callable[[bytes], object]:
    """Sets a filter in half the time of ``subscribe``: some set fifty thousand at once."""
    return functools.partial(super(zmq.Socket, sock).set, int(zmq.SUBSCRIBE))


def link_monitor(sock: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    """A socket that tells when this one, not connected yet, is; ``tells_of_link`` reads it."""
    name = f"inproc://links.{new_token(8)}"
    sock.monitor(name, zmq.EVENT_HANDSHAKE_SUCCEEDED)
    monitor = cast("zmq.Context[zmq.Socket[bytes]]", sock.context).socket(zmq.PAIR)
    monitor.linger = 0
    monitor.connect(name)
    return monitor


def tells_of_link(part: bytes) -> bool:
    """Whether a part of what a monitor tells is that a connection is made."""
    return len(part) == _EVENT.size and _EVENT.unpack(part)[0] == zmq.EVENT_HANDSHAKE_SUCCEEDED


def connect(sock: zmq.Socket[bytes], endpoint: str) -> zmq.Socket[bytes]:
    """Connect a socket, or close it and raise EndpointError."""
    try:
        sock.connect(endpoint)
    except zmq.ZMQError as error:
        sock.close(0)
        raise EndpointError(
            f"cannot connect to {endpoint}: {_reason(error)}; expected tcp://<host>:<port> or ipc://<path>"
        ) from None
    return sock


def _reason(error: zmq.ZMQError) -> str:
    return zmq.strerror(error.errno or 0)  # its own text names the address a second time


def _remedy(number: int | None) -> str:
    if number == zmq.EADDRINUSE:
        return "another process listens there: end it (`ss -ltnp` names it) or choose another port"
    if number == errno.ENODEV:
        return "this machine has no such address; bind 127.0.0.1 or an address that `ip addr` lists"
    return "expected tcp://<address>:<port> or ipc://<path>"
