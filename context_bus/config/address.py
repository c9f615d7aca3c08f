"""Endpoints as text: what can be said about one without touching a socket. Knows nothing else."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_TCP = re.compile(r"tcp://(?P<host>\[[^\]\s]*\]|[^:\s/\[\]@;]+):(?P<port>[^:\s/]+)")
_IPC = re.compile(r"ipc://(?P<path>\S+)")
#: Hosts that mean every interface of the machine.
WILDCARDS = frozenset({"*", "0.0.0.0", "[::]"})


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint taken apart; for ``ipc`` the host is the path and the port is 0."""

    transport: str
    host: str
    port: int

    @property
    def is_wildcard(self) -> bool:
        """Whether it means every interface of the machine."""
        return self.host in WILDCARDS

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.transport == "ipc" or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def parse_port(text: str) -> int:
    """Read a port number.

    Raises:
        ValueError: It is not a whole number from 1 to 65535.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ValueError(f'"{text}" is not a port: expected a number from 1 to 65535')
    return int(text)


def parse_address(endpoint: str) -> Address:
    """Take an endpoint apart.

    Raises:
        ValueError: It is none, with the reason.
    """
    if found := _TCP.fullmatch(endpoint):
        return Address("tcp", found["host"], parse_port(found["port"]))
    if found := _IPC.fullmatch(endpoint):
        return Address("ipc", found["path"], 0)
    raise ValueError(f'"{endpoint}" is not an endpoint: expected tcp://<host>:<port>')
