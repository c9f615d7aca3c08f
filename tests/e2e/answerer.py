"""A service that answers until it is told not to: ``python answerer.py PORT FILE``.

What stands in FILE, looked at for each question, says how: nothing (or no file): well; ``bad``: with status
500; ``mute``: not at all; ``deaf``: nobody listens any more. As long as FILE says ``deaf`` at the start, it
does not listen yet.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from pathlib import Path

#: Seconds between two looks at the file where nobody asks.
PAUSE = 0.02
ANSWERS = {
    "": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "bad": b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
}


def main(port: int, file: Path) -> None:
    """Answer for ever."""
    held: list[socket.socket] = []
    while True:
        while mode(file) == "deaf":
            time.sleep(PAUSE)
        with socket.create_server(("127.0.0.1", port), backlog=100) as server:
            server.settimeout(PAUSE)
            while (how := mode(file)) != "deaf":
                with contextlib.suppress(TimeoutError):
                    asked, _ = server.accept()
                    answer(asked, how, held)


def mode(file: Path) -> str:
    """What the file says."""
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return ""


def answer(asked: socket.socket, how: str, held: list[socket.socket]) -> None:
    """Answer one question, or keep who asks waiting."""
    if how == "mute":
        held.append(asked)
        return
    with asked, contextlib.suppress(OSError):
        asked.settimeout(1.0)
        if asked.recv(4096):
            asked.sendall(ANSWERS[how])


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
