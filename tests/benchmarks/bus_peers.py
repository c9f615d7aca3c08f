"""The peers beside us: FastStream on NATS and nats-py, in an environment of the benchmark's own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from context_bus.testing.wait import wait_until
from tests.benchmarks.bus_runs import PATIENCE, Rate

#: What the environment holds.
PACKAGES = ("nats-py", "faststream[nats]", "pydantic", "orjson")
SCRIPT = Path(__file__).with_name("peer_nats.py")


def environment() -> Path:
    """The python of the peers' environment, which is made the first time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "context-bus" / "benchmark-peers"
    python = cache / "bin" / "python"
    if not (cache / "complete").exists():
        print(f"making an environment for the peers in {cache} ...", file=sys.stderr)
        venv.create(cache, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (cache / "complete").touch()
    return python


def why_not() -> str:
    """Why the peers cannot run here, and what to do about it; empty if they can."""
    if shutil.which("nats-server") is None:
        return "nats-server is missing: `apt-get install nats-server` (or put its binary into PATH)"
    return ""


@contextlib.contextmanager
def nats_server() -> Iterator[str]:
    """A server on a free port; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        conf = Path(directory, "nats.conf")
        conf.write_text(f'host: 127.0.0.1\nport: {port}\nmax_pending: 1GB\nwrite_deadline: "60s"\n')
        server = subprocess.Popen(["nats-server", "-c", str(conf)], stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: _answers(port), PATIENCE, "nats-server answers")
            yield f"nats://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


class Peer:
    """One process of a peer."""

    def __init__(self, python: Path, kind: str, role: str, url: str, count: int = 0) -> None:
        self.process = subprocess.Popen(
            [python, SCRIPT, kind, role, url, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a peer ended with code {self.process.wait(5)}")
        return json.loads(line)

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.say("end")
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def throughput(python: Path, kind: str, count: int) -> Rate:
    """Messages of 400 B delivered a second."""
    with nats_server() as url, Peer(python, kind, "subscriber", url) as listener:
        listener.hear()
        with Peer(python, kind, "publisher", url, count) as publisher:
            publisher.hear()
            publisher.say("go")
            begin = publisher.hear()
            end, got = listener.hear()
            return Rate(got / (end - begin), count + 1 - got, 0.0, 0.0)


def requests(python: Path, kind: str, count: int) -> Any:
    """Latencies of paced requests, and requests a second with 64 in flight."""
    with nats_server() as url, Peer(python, kind, "responder", url) as responder:
        responder.hear()
        with Peer(python, kind, "requester", url, count) as requester:
            requester.hear()
            requester.say("go")
            return requester.hear()
