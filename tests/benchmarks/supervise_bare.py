"""The raw limit: processes kept alive by nothing but ``posix_spawn``, pidfds and epoll.

    python supervise_bare.py CONF

No product: no logs, no backoff, no readiness, no order. It shows what the machine and Python allow in the
same run. Commands come as JSON on a SEQPACKET socket: ``{"verb": "status", "name": "w0"}``.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import socket
import sys
import time
from typing import Any


class Bare:
    """Keeps programs alive: by name, argv and seconds to SIGKILL.

    With ``python``, a file, its ``main(*argv)`` is forked from here instead of executing argv.
    """

    def __init__(self, conf: dict[str, Any]) -> None:
        self.programs: dict[str, tuple[list[str], float]] = conf["programs"]
        self.main = runpy.run_path(conf["python"])["main"] if conf.get("python") else None
        self.wanted = set(self.programs)
        self.pids: dict[str, int] = {}
        self.names: dict[int, str] = {}
        self.waiters: dict[str, list[tuple[socket.socket, bool]]] = {}
        self.deadlines: dict[str, float] = {}
        self.clients: dict[int, socket.socket] = {}
        self.is_ending = False
        if os.path.exists(conf["socket"]):  # of one that was killed
            os.unlink(conf["socket"])
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.door.bind(conf["socket"])
        self.door.listen(64)
        self.woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGTERM, lambda *_: None)
        self.events = select.epoll()
        for descriptor in (self.door.fileno(), self.woken):
            self.events.register(descriptor, select.EPOLLIN)

    def spawn(self, argv: list[str]) -> int:
        if self.main is None:
            null = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
            return os.posix_spawnp(argv[0], argv, os.environ, file_actions=null, setsid=True)
        if pid := os.fork():
            return pid
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        self.main(*argv)
        os._exit(0)

    def start(self, name: str) -> None:
        self.wanted.add(name)
        if name not in self.pids:
            self.pids[name] = self.spawn(self.programs[name][0])
            descriptor = os.pidfd_open(self.pids[name])
            self.names[descriptor] = name
            self.events.register(descriptor, select.EPOLLIN)

    def stop(self, name: str) -> None:
        self.wanted.discard(name)
        os.kill(self.pids[name], signal.SIGTERM)
        self.deadlines.setdefault(name, time.monotonic() + self.programs[name][1])

    def ended(self, descriptor: int) -> None:
        name = self.names.pop(descriptor)
        self.events.unregister(descriptor)  # see `obey`
        os.close(descriptor)
        os.waitpid(self.pids.pop(name), 0)
        self.deadlines.pop(name, None)
        waiters = self.waiters.pop(name, [])
        if (name in self.wanted or any(again for _, again in waiters)) and not self.is_ending:
            self.start(name)
        for client, _ in waiters:
            client.send(b"{}")

    def obey(self, client: socket.socket) -> None:
        text = client.recv(65536)
        if not text:
            # Closing alone is not enough: a child that is just being executed still holds a copy.
            self.events.unregister(client)
            self.clients.pop(client.fileno()).close()
            return
        asked = json.loads(text)
        verb, name = asked["verb"], asked["name"]
        if verb in {"stop", "restart"} and name in self.pids:
            self.waiters.setdefault(name, []).append((client, verb == "restart"))
            self.stop(name)
            return
        if verb in {"start", "restart"}:
            self.start(name)
        shown = [name] if name else self.programs
        client.send(json.dumps({each: self.pids.get(each) for each in shown}).encode())

    def heard(self, descriptor: int) -> None:
        if descriptor in self.names:
            self.ended(descriptor)
        elif descriptor in self.clients:
            self.obey(self.clients[descriptor])
        elif descriptor == self.woken:
            self.is_ending = bool(os.read(self.woken, 64))
            for name in self.pids:
                self.stop(name)
        elif descriptor == self.door.fileno():
            client = self.door.accept()[0]
            self.clients[client.fileno()] = client
            self.events.register(client, select.EPOLLIN)

    def serve(self) -> None:
        for name in self.programs:
            self.start(name)
        while self.pids or not self.is_ending:
            now = time.monotonic()
            for name in [name for name, at in self.deadlines.items() if at <= now]:
                os.kill(self.pids[name], signal.SIGKILL)
                del self.deadlines[name]
            pause = min(self.deadlines.values()) - now if self.deadlines else None
            for descriptor, _ in self.events.poll(pause):
                self.heard(descriptor)


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        Bare(json.load(file)).serve()
