"""Raw clients of the peers and of the bare floor: one open connection, no command line between.

Each is imported by the Python of its own system, so that everything else is imported late.
"""

from __future__ import annotations

import json
import socket
from typing import Any


class BareClient:
    """JSON on a SEQPACKET socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(address)

    def _ask(self, verb: str, name: str | None = None) -> Any:
        self._socket.send(json.dumps({"verb": verb, "name": name}).encode())
        return json.loads(self._socket.recv(1 << 20))

    def status(self, name: str) -> bool:
        return bool(self._ask("status", name)[name])

    def status_all(self) -> int:
        return sum(1 for pid in self._ask("status").values() if pid)

    def stop(self, name: str) -> None:
        self._ask("stop", name)

    def start(self, name: str) -> None:
        self._ask("start", name)

    def restart(self, name: str) -> None:
        self._ask("restart", name)

    def close(self) -> None:
        self._socket.close()


class CircusClient:
    """The client that circus ships; waits for what it commands."""

    def __init__(self, address: str) -> None:
        from circus.client import CircusClient as Client  # type: ignore[import-not-found]

        self._client = Client(endpoint=f"tcp://127.0.0.1:{address}", timeout=60)

    def _ask(self, verb: str, **properties: object) -> Any:
        answer = self._client.send_message(verb, **properties)
        if answer["status"] == "error":
            raise RuntimeError(answer["reason"])
        return answer

    def status(self, name: str) -> bool:
        return bool(self._ask("status", name=name)["status"] == "active")

    def status_all(self) -> int:
        return sum(1 for state in self._ask("status")["statuses"].values() if state == "active")

    def stop(self, name: str) -> None:
        self._ask("stop", name=name, waiting=True)

    def start(self, name: str) -> None:
        self._ask("start", name=name, waiting=True)

    def restart(self, name: str) -> None:
        self._ask("restart", name=name, waiting=True)

    def close(self) -> None:
        self._client.stop()


class CircusListener:
    """A subscriber of circus that is away for a while."""

    def __init__(self, address: str) -> None:
        import zmq

        self._context = zmq.Context()
        self._endpoint = f"tcp://127.0.0.1:{int(address) + 1}"
        self._socket: Any = None

    def listen(self, name: str) -> None:
        """Be there."""
        import zmq

        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.subscribe(f"watcher.{name}.".encode())
        self._socket.connect(self._endpoint)

    def leave(self, name: str) -> None:
        """Go away."""
        self._socket.close()

    def count(self, name: str) -> int:
        """Come back; how many starts of a program are told within a second."""
        self.listen(name)
        count = 0
        while self._socket.poll(1000):
            count += self._socket.recv_multipart()[0].endswith(b".spawn")
        return count


class SupervisordClient:
    """XML-RPC over the unix socket, as supervisorctl speaks it."""

    def __init__(self, address: str) -> None:
        from xmlrpc.client import ServerProxy

        from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-not-found]

        transport = SupervisorTransport(None, None, f"unix://{address}")
        self._proxy: Any = ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def status(self, name: str) -> bool:
        return bool(self._proxy.getProcessInfo(name)["statename"] == "RUNNING")

    def status_all(self) -> int:
        return sum(1 for each in self._proxy.getAllProcessInfo() if each["statename"] == "RUNNING")

    def stop(self, name: str) -> None:
        self._proxy.stopProcess(name, True)

    def start(self, name: str) -> None:
        self._proxy.startProcess(name, True)

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    def close(self) -> None:
        """Nothing is kept open."""
