"""Services of type Thread: many in one process, each in threads of its own. Knows host and process.

User code never runs in the provider, so its thread services share one process beside it. There a service
that fails harms only itself, but one that takes the process down takes all of them, and a thread that does
not heed a stop cannot be killed: it is left behind, cut off from the bus, until the process ends.
"""

from __future__ import annotations

import contextlib
import logging
import select
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from context_bus.errors import BusError, ServiceError
from context_bus.process.child import Child
from context_bus.process.spawn import spawn
from context_bus.service.boot import Boot, Command, Outcome
from context_bus.service.host import Host
from context_bus.service.wakeup import WakeUp
from context_bus.service.work import SharedLoad

_log = logging.getLogger(__name__)


class Carrier:
    """The provider's side of a process that carries thread services.

    Args:
        name: Of the process, for messages and logs.
        prepare: Called first of all in the process; must pickle.

    Raises:
        ProcessError: No process can be made.
    """

    def __init__(self, name: str, prepare: Callable[[], None] | None = None) -> None:
        self.child: Child = spawn(name, carry, prepare)

    def host(self, boot: Boot) -> None:
        """Start a service in a thread.

        Raises:
            ServiceError: The process is gone.
        """
        self._send(boot)

    def tell(self, command: Command) -> None:
        """Tell the service that the command names to start or stop; without a name, all to stop.

        Raises:
            ServiceError: The process is gone.
        """
        self._send(command)

    def outcomes(self) -> list[Outcome]:
        """Take what services have told of their end, without waiting.

        A loop calls it when ``child.channel`` is readable, and once more when the process has ended:
        services that have told nothing by then are gone with it.
        """
        return [Outcome.decode(message) for message in self.child.messages()]

    def _send(self, message: Boot | Command) -> None:
        try:
            self.child.channel.send(message)
        except OSError as error:
            raise ServiceError(f"process {self.child.pid} of {self.child.name} is gone: {error}") from error


def carry(channel: Connection, prepare: Callable[[], None] | None = None) -> int:
    """Host services in threads until told to stop; the target to spawn."""
    if prepare is not None:
        prepare()
    return _Carrying(channel).run()


class _Carrying:
    """The inside of the process."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._hosts: dict[str, Host] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._sending = threading.Lock()
        self._wake = WakeUp()
        self._is_over = False

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._end)
        signal.set_wakeup_fd(self._wake.write_end, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._wake.read_end, select.POLLIN)
        poll.register(self._channel.fileno(), select.POLLIN)
        while not self._is_over:
            for fd, _ in poll.poll():
                if fd == self._wake.read_end:
                    self._wake.clear()
                else:
                    self._hear()
        for host in list(self._hosts.values()):
            host.stop()
        for thread in list(self._threads.values()):
            thread.join()  # a host ends within the grace of its service
        return 0

    def _end(self, *_: object) -> None:
        self._is_over = True

    def _hear(self) -> None:
        try:
            message = self._channel.recv()
        except (EOFError, OSError):
            self._is_over = True
            return
        if isinstance(message, Boot):
            self._host(message)
        elif isinstance(message, Command) and message.service_id:
            self._tell(message)
        else:
            self._is_over = True

    def _tell(self, command: Command) -> None:
        host = self._hosts.get(command.service_id)
        if host is None:
            _log.info("no such service: service_id=%s action=%s", command.service_id, command.action)
        elif command.action == "start":
            host.start()
        else:
            host.stop()

    def _host(self, boot: Boot) -> None:
        service_id = boot.conf.id
        if service_id in self._hosts:
            _log.warning("runs already: service_id=%s", service_id)
            return
        load = SharedLoad(boot)
        try:
            host = Host(boot, load)
        except BusError as error:
            self._report(Outcome("failed", reason=str(error), reported=False, service_id=service_id))
            return
        thread = threading.Thread(
            target=self._run, args=(service_id, host, load), name=service_id, daemon=True
        )
        self._hosts[service_id], self._threads[service_id] = host, thread
        thread.start()

    def _run(self, service_id: str, host: Host, load: SharedLoad) -> None:
        outcome = host.run()
        host.close()
        load.unload()
        del self._hosts[service_id], self._threads[service_id]
        self._report(outcome)

    def _report(self, outcome: Outcome) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._channel.send_bytes(outcome.encode())
