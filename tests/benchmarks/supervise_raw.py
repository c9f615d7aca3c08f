"""A raw client in a process of its own, under the Python of its system, driven line by line.

    python -m tests.benchmarks.supervise_raw MODULE:CLASS ADDRESS [VERB NAME]

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
#: Seconds within which a system must say that everything runs.
SAYING = 45.0
#: Seconds between two looks whether everything runs.
LOOK = 0.01


def connect(kind: str, address: str) -> Any:
    """A client of a class given as ``MODULE:CLASS``."""
    module, _, name = kind.partition(":")
    return getattr(importlib.import_module(module), name)(address)


def await_all(kind: str, address: str, count: int) -> float:
    """When the system itself says that so many run, on the monotonic clock."""
    end, client = time.monotonic() + SAYING, None
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


def become(user: int) -> None:
    """Be somebody else, for good."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


class Answers:
    """What the process at this end answers, with one client for all but what says otherwise.

    Args:
        kind: ``MODULE:CLASS``.
        address: Where its system is.
    """

    def __init__(self, kind: str, address: str) -> None:
        self._kind, self._address = kind, address
        self._client: Any = None

    def answer(self, verb: str, name: str, count: int) -> object:
        """Answer one line."""
        if verb == "hello":
            importlib.import_module(self._kind.partition(":")[0])
            return []
        if verb == "await_all":
            return await_all(self._kind, self._address, count)
        if verb in {"connect", "become"}:
            begun = time.perf_counter()
            client = connect(self._kind, self._address)
            client.status(name)
            spent = time.perf_counter() - begun
            client.close()
            if verb == "become":  # only now: what is imported late has been, by somebody who may read it
                become(count)
            return [spent]
        self._client = self._client or connect(self._kind, self._address)
        if verb == "count":
            return self._client.count(name)
        return measure(self._client, verb, name, count)


def main(kind: str, address: str, verb: str = "", name: str = "") -> None:
    """Answer lines until there are no more; or one command given as arguments."""
    if verb:
        answer = getattr(connect(kind, address), verb)(name)
        print("" if answer is None else answer)
        return
    answers = Answers(kind, address)
    for line in sys.stdin:
        try:
            answer = answers.answer(*json.loads(line))
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
    """

    def __init__(self, python: Path, kind: str, address: str, home: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(home)}
        self._process = subprocess.Popen(
            [python, "-m", "tests.benchmarks.supervise_raw", kind, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=home,
            env=environment,
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
