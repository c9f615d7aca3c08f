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
    """What a subscriber of circus hears; who was away hears nothing of it later."""

    def __init__(self, address: str) -> None:
        import zmq

        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.subscribe(b"watcher.")
        self._socket.connect(f"tcp://127.0.0.1:{int(address) + 1}")

    def heard(self, name: str, patience: float) -> int:
        """Restarts of a program that are told within some seconds."""
        count = 0
        while self._socket.poll(patience * 1000):
            topic = self._socket.recv_multipart()[0].decode()
            count += topic == f"watcher.{name}.spawn"
        return count

    def close(self) -> None:
        self._context.destroy(0)


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
