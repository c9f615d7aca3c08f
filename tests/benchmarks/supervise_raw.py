"""A raw client in a process of its own, under the Python of its system, driven line by line.

    python -m tests.benchmarks.supervise_raw MODULE:CLASS ADDRESS

Each line on stdin is a JSON list: verb, name of a program, count. Each answer is a JSON line: a list of
seconds, a number, or ``{"error": ...}``. ``Raw`` is the other end.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

#: Seconds between two queries of the same client, so that none waits for the daemon's last breath.
PAUSE = 0.002
#: Seconds between two looks whether everything runs.
LOOK = 0.01


def connect(kind: str, address: str) -> Any:
    """A client of a class given as ``MODULE:CLASS``."""
    module, _, name = kind.partition(":")
    return getattr(importlib.import_module(module), name)(address)


def await_all(kind: str, address: str, count: int) -> float:
    """When the system itself says that so many run, on the monotonic clock."""
    end, client = time.monotonic() + 120, None
    while time.monotonic() < end:
        try:
            client = client or connect(kind, address)
            if client.status_all() >= count:
                client.close()
                return time.monotonic()
        except Exception:  # it is not there yet, in whatever way it says so
            client = None
        time.sleep(LOOK)
    raise TimeoutError(f"never said that {count} run")


def measure(client: Any, verb: str, name: str, count: int) -> list[float]:
    """Seconds that each of some calls took."""
    call = getattr(client, verb)
    arguments = () if verb == "status_all" else (name,)
    spent = []
    for _ in range(count):
        begun = time.perf_counter()
        call(*arguments)
        spent.append(time.perf_counter() - begun)
        if verb.startswith("status"):
            time.sleep(PAUSE)
    return spent


def main(kind: str, address: str) -> None:
    """Answer lines until there are no more."""
    client = None
    for line in sys.stdin:
        verb, name, count = json.loads(line)
        answer: object
        try:
            if verb == "hello":
                importlib.import_module(kind.partition(":")[0])
                answer = []
            elif verb == "await_all":
                answer = await_all(kind, address, count)
            elif verb == "connect":
                begun = time.perf_counter()
                client = connect(kind, address)
                client.status(name)
                answer = [time.perf_counter() - begun]
            else:
                client = client or connect(kind, address)
                answer = measure(client, verb, name, count)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


class RawError(Exception):
    """What a raw client was answered instead of what it asked for."""


class Raw:
    """A raw client as a process.

    Args:
        python: Who runs it.
        kind: ``MODULE:CLASS``.
        address: Where its system is.
        home: Directory to import from.
        user: Numeric id of the user to run as, if it must be another.
    """

    def __init__(self, python: Path, kind: str, address: str, home: Path, user: int | None = None) -> None:
        environment = {**os.environ, "PYTHONPATH": str(home)}
        self._process = subprocess.Popen(
            [python, "-m", "tests.benchmarks.supervise_raw", kind, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=home,
            env=environment,
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
        )

    def say(self, verb: str, name: str = "w0", count: int = 1) -> None:
        """Ask without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([verb, name, count]) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """The next answer.

        Raises:
            RawError: It was refused, or the client ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the client ended with {self._process.wait()}"}
        if isinstance(answer, dict):
            raise RawError(answer["error"])
        return answer

    def ask(self, verb: str, name: str = "w0", count: int = 1) -> Any:
        """Ask and wait."""
        self.say(verb, name, count)
        return self.hear()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
