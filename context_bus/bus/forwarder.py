"""The forwarder: everything published comes out at everybody who asked for it. Knows sockets only.

It is a process of its own, so that neither a busy nor a dead provider stops messages, and it stays in C
(a loop in Python costs five sixths of the speed). Its owner holds one end of a pipe: over it come the
addresses or the reason why not, statistics, and the order to end; when it breaks, the owner is gone
and so is the forwarder.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import struct
import threading
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Literal, NamedTuple

import zmq

from context_bus.bus import sockets
from context_bus.bus.endpoint import check_bind
from context_bus.errors import BusError, EndpointError, NotConnected

#: What happens when a listener is slower than what is published to it. ``drop``: it alone loses messages,
#: beyond the high-water mark, and counts them. ``block``: nobody loses any, the slowest sets the pace of all.
Policy = Literal["drop", "block"]

#: Seconds a new forwarder has to say that it is ready.
READY_TIMEOUT = 20.0
#: Seconds a forwarder has to end when told to, before it is killed.
STOP_TIMEOUT = 5.0
#: Seconds between serving listeners and serving publishers when a forwarder replaces a dead one: what
#: publishers queued meanwhile has to find the listeners back. They try every 1 to 16 ms.
SETTLE = 0.05


class Statistics(NamedTuple):
    """What passed the forwarder, each message once: how many listeners it reached is not counted."""

    received: int
    received_bytes: int
    sent: int
    sent_bytes: int


class _Proxy:
    """The sockets and the steerable proxy over them; the one place that knows its control protocol.

    proxy_steerable was once taken out of libzmq (pyzmq #1894): the contract test says if it goes again.
    """

    def __init__(self, policy: Policy, hwm: int | None) -> None:
        blocking = policy == "block"
        self._context = sockets.new_context()
        default = sockets.BLOCKING_HWM if blocking else sockets.FORWARDER_HWM
        self._front, self._back = sockets.forwarder_sockets(
            self._context, blocking=blocking, hwm=default if hwm is None else hwm
        )
        self._control = self._context.socket(zmq.REP)
        self._control.linger = 0
        self._control.bind("inproc://control")

    def bind_back(self, endpoint: str) -> str:
        return sockets.bind(self._back, endpoint)

    def bind_front(self, endpoint: str) -> str:
        return sockets.bind(self._front, endpoint)

    def run(self) -> None:
        """Forward until terminated; then close everything."""
        try:
            zmq.proxy_steerable(self._front, self._back, None, self._control)
        finally:
            self.close()

    def close(self) -> None:
        for sock in (self._front, self._back, self._control):
            sock.close(0)

    def new_remote(self) -> zmq.Socket[bytes]:
        """A socket that asks the running proxy; for the one thread that makes it."""
        remote = self._context.socket(zmq.REQ)
        remote.linger = 0
        remote.connect("inproc://control")
        return remote

    def finish(self) -> None:
        """Release the context, after every socket of it is closed."""
        self._context.term()


def _ask_statistics(remote: zmq.Socket[bytes]) -> Statistics:
    """Ask a running proxy: eight counters, of which the proxy's view of each side is turned into ours."""
    remote.send(b"STATISTICS")
    numbers = [struct.unpack("=Q", part)[0] for part in remote.recv_multipart()]
    return Statistics(received=numbers[0], received_bytes=numbers[1], sent=numbers[6], sent_bytes=numbers[7])


def _serve_owner(proxy: _Proxy, owner: Connection) -> None:
    """Answer the owner's questions until it says stop or is gone; then end the proxy."""
    remote = proxy.new_remote()
    try:
        with contextlib.suppress(EOFError, OSError):
            while owner.recv() == "statistics":
                owner.send(_ask_statistics(remote))
        remote.send(b"TERMINATE")
        remote.recv()
    except zmq.ContextTerminated:
        pass
    finally:
        remote.close(0)


def run_forwarder(
    front_bind: str,
    back_bind: str,
    owner: Connection,
    *,
    policy: Policy = "drop",
    hwm: int | None = None,
    insecure: bool = False,
    settle: float = 0.0,
) -> None:
    """Be a forwarder, until the owner says stop or is gone. The body of a process, or of a thread in tests.

    Args:
        front_bind: Where publishers connect; port 0 or ``*`` takes a free one.
        back_bind: Where listeners connect.
        owner: Pipe to the owner; gets ``("ready", front, back)`` or ``("failed", text)``, then answers.
        policy: What happens to a slow listener.
        hwm: Messages to queue for one listener; the policy's default if None, unbounded if 0.
        insecure: Bind addresses that others than this machine reach.
        settle: Seconds to serve listeners before publishers.
    """
    proxy = _Proxy(policy, hwm)
    try:
        check_bind(front_bind, insecure=insecure)
        check_bind(back_bind, insecure=insecure)
        back = proxy.bind_back(back_bind)
        if settle:
            owner.poll(settle)  # an owner that ends meanwhile need not wait for it
        front = proxy.bind_front(front_bind)
    except EndpointError as error:
        proxy.close()
        proxy.finish()
        owner.send(("failed", str(error)))
        return
    watch = threading.Thread(target=_serve_owner, args=(proxy, owner), name="forwarder-owner", daemon=True)
    watch.start()
    owner.send(("ready", front, back))
    proxy.run()
    watch.join()
    proxy.finish()


def _process_body(front_bind: str, back_bind: str, owner: Connection, options: dict[str, object]) -> None:
    # Ctrl-C reaches the whole terminal group; the owner decides when messages stop, or is gone and so are we.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    run_forwarder(front_bind, back_bind, owner, **options)  # type: ignore[arg-type]


class Forwarder:
    """Owner of a forwarder process.

    Args:
        front_bind: Where publishers connect; with a free port, ``publish_to`` has the number after ``start``.
        back_bind: Where listeners connect.
        policy: What happens to a slow listener.
        hwm: Messages to queue for one listener; the policy's default if None.
        insecure: Bind addresses that others than this machine reach.
        context: How to start the process; ``spawn`` if None.
    """

    def __init__(
        self,
        front_bind: str = "tcp://127.0.0.1:0",
        back_bind: str = "tcp://127.0.0.1:0",
        *,
        policy: Policy = "drop",
        hwm: int | None = None,
        insecure: bool = False,
        context: BaseContext | None = None,
    ) -> None:
        self.publish_to = front_bind
        self.listen_on = back_bind
        self._options: dict[str, object] = {"policy": policy, "hwm": hwm, "insecure": insecure}
        self._multiprocessing = context or multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._lock = threading.Lock()

    def start(self, *, settle: float = 0.0, timeout: float = READY_TIMEOUT) -> None:
        """Start the process; returns when it forwards.

        Args:
            settle: Seconds to serve listeners before publishers; ``SETTLE`` when it replaces a dead one.
            timeout: Seconds it may take.

        Raises:
            EndpointError: An address is taken, foreign or not safe.
            NotConnected: It did not come up in time.
        """
        self.begin(settle=settle)
        self.finish_start(timeout)

    def begin(self, *, settle: float = 0.0) -> None:
        """Start the process and return at once; ``finish_start`` waits for it."""
        if self._process is not None and self._process.is_alive():
            raise BusError(f"the forwarder at {self.publish_to} runs already as process {self.pid}")
        self._release()
        ours, theirs = self._multiprocessing.Pipe()
        process = self._multiprocessing.Process(  # type: ignore[attr-defined]
            target=_process_body,
            args=(self.publish_to, self.listen_on, theirs, self._options | {"settle": settle}),
            name="forwarder",
            daemon=True,
        )
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours

    def finish_start(self, timeout: float = READY_TIMEOUT) -> None:
        """Wait until the process of ``begin`` forwards; raises as ``start``."""
        assert self._pipe is not None
        try:
            answer: tuple[str, ...] = self._pipe.recv() if self._pipe.poll(timeout) else ("late", "")
        except (EOFError, ConnectionError):
            answer = ("gone", "")
        if answer[0] == "ready":
            self.publish_to, self.listen_on = answer[1:]
            return
        self.kill()
        if answer[0] == "failed":
            raise EndpointError(answer[1])
        raise NotConnected(f"the forwarder at {self.publish_to} did not come up in {timeout} s")

    def statistics(self) -> Statistics:
        """What has passed so far.

        Raises:
            NotConnected: The process is gone or does not answer.
        """
        with self._lock:
            try:
                if self._pipe is not None:
                    self._pipe.send("statistics")
                    if self._pipe.poll(STOP_TIMEOUT):
                        return Statistics(*self._pipe.recv())
            except (EOFError, OSError):
                pass
        raise NotConnected(f"the forwarder at {self.publish_to} does not answer")

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """End it in order; kill it if it does not end in time. Safe to repeat."""
        if self._process is None:
            return
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.send("stop")
        self._process.join(timeout)
        self.kill()

    def kill(self) -> None:
        """End it now. Safe to repeat."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._release()

    def _release(self) -> None:
        if self._process is not None:
            self._process.close()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    @property
    def pid(self) -> int:
        """Process id, 0 when there is none."""
        return (self._process.pid or 0) if self._process is not None else 0

    @property
    def sentinel(self) -> int:
        """A descriptor that turns readable when the process ends."""
        assert self._process is not None
        return self._process.sentinel

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_alive()

    def __enter__(self) -> Forwarder:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
