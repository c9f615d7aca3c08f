"""The peers beside us, with their defaults: circus, supervisord and pm2, in an environment of their own."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import venv
from pathlib import Path

from tests.benchmarks.supervise_systems import Load, System, as_programs, name_of

#: What the Python environment holds; circus needs setuptools at run time.
PACKAGES = ("circus", "supervisor", "setuptools<80")
#: Size at which a log is rotated where a peer does not do so by itself, bytes.
LOG_SIZE = 50 * 1024 * 1024


def install(directory: Path) -> list[type[System]]:
    """Make the environment the first time; those peers that could be had.

    Args:
        directory: Where it is kept, outside of the repository.
    """
    python = directory / "python"
    if not (python / "complete").exists():
        print(f"making an environment for the peers in {directory} ...", file=sys.stderr)
        venv.create(python, with_pip=True, clear=True)
        subprocess.run([python / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (python / "complete").touch()
    for kind in (Circus, Supervisord):
        kind.home, kind.python = python / "bin", python / "bin" / "python"
    return [Circus, Supervisord, *_install_pm2(directory / "pm2")]


def _install_pm2(directory: Path) -> list[type[System]]:
    npm = shutil.which("npm")
    Pm2.home = directory / "node_modules" / ".bin"
    if npm is not None and not (Pm2.home / "pm2").exists():
        directory.mkdir(parents=True, exist_ok=True)
        words = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(directory), "pm2"]
        subprocess.run(words, check=False)
    if (Pm2.home / "pm2").exists():
        return [Pm2]
    print("pm2 is left out: it needs npm and node in PATH", file=sys.stderr)
    return []


def free_ports(count: int) -> int:
    """The first of some ports in a row that are free."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
            try:
                for next_port in range(port + 1, port + count):
                    socket.create_server(("127.0.0.1", next_port)).close()
            except OSError:
                continue
        return port


class Circus(System):
    """circusd; notices a death at its next check, every 5 s."""

    name = "circus"
    tick = 5.0
    client = "tests.benchmarks.supervise_clients:CircusClient"
    listener = "tests.benchmarks.supervise_clients:CircusListener"
    statistics = "configured"
    home = Path()

    def __init__(self, work: Path) -> None:
        super().__init__(work)
        self._port = free_ports(3)
        self._conf = work / "circus.ini"

    def configure(self, load: Load, *, statistics: bool = False) -> None:
        at = "tcp://127.0.0.1:"
        lines = ["[circus]", f"endpoint = {at}{self._port}", f"pubsub_endpoint = {at}{self._port + 1}"]
        lines += ["multicast_endpoint ="]  # by default it listens to a multicast group
        if statistics:
            lines += ["statsd = True", f"stats_endpoint = {at}{self._port + 2}"]
        for index, program in enumerate(as_programs(load)):
            lines += [f"[watcher:{name_of(index)}]", f"cmd = {shlex.join(program.argv)}"]
            if program.stop_timeout is not None:
                lines.append(f"graceful_timeout = {program.stop_timeout:g}")
            for stream in ("stdout", "stderr") if program.logged else ():
                lines += [
                    f"{stream}_stream.class = FileStream",
                    f"{stream}_stream.filename = {self.work}/{name_of(index)}.{stream}",
                    f"{stream}_stream.max_bytes = {LOG_SIZE}",
                    f"{stream}_stream.backup_count = 1",
                ]
        self._conf.write_text("\n".join(lines) + "\n")

    def launch(self) -> list[str]:
        return [str(self.home / "circusd"), "--log-level", "warning", str(self._conf)]

    def address(self) -> str:
        return str(self._port)

    def command(self, verb: str, name: str) -> list[str]:
        return [str(self.home / "circusctl"), "--endpoint", f"tcp://127.0.0.1:{self._port}", verb, name]


class Supervisord(System):
    """supervisord; looks at its processes every second."""

    name = "supervisord"
    tick = 1.0
    client = "tests.benchmarks.supervise_clients:SupervisordClient"
    home = Path()

    def configure(self, load: Load, *, statistics: bool = False) -> None:
        lines = [
            "[unix_http_server]",
            f"file={self.address()}",
            "[supervisord]",
            "nodaemon=true",
            "silent=true",
        ]
        lines += [f"logfile={self.work}/log", f"pidfile={self.work}/pid", f"childlogdir={self.work}"]
        lines += ["[rpcinterface:supervisor]"]
        lines += ["supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface"]
        lines += ["[supervisorctl]", f"serverurl=unix://{self.address()}"]
        for index, program in enumerate(as_programs(load)):
            lines += [f"[program:{name_of(index)}]", "command=" + shlex.join(program.argv).replace("%", "%%")]
            if program.stop_timeout is not None:
                lines.append(f"stopwaitsecs={program.stop_timeout:g}")
        (self.work / "supervisord.conf").write_text("\n".join(lines) + "\n")

    def launch(self) -> list[str]:
        return [str(self.home / "supervisord"), "-c", str(self.work / "supervisord.conf")]

    def address(self) -> str:
        return str(self.work / "s.sock")

    def command(self, verb: str, name: str) -> list[str]:
        return [str(self.home / "supervisorctl"), "-c", str(self.work / "supervisord.conf"), verb, name]

    def state(self, output: str) -> str:
        return [*output.split(), "", "?"][1]


class Pm2(System):
    """pm2 in the foreground, known by its command line only; it watches memory and CPU at all times."""

    name = "pm2"
    statistics = "configured"
    home = Path()

    def __init__(self, work: Path) -> None:
        super().__init__(work)
        home = work / "pm2"
        self.environment = {
            "PM2_HOME": str(home),
            "PM2_DISABLE_VERSION_CHECK": "true",
            "PM2_DISCRETE_MODE": "true",
        }

    def configure(self, load: Load, *, statistics: bool = False) -> None:
        apps = []
        for index, program in enumerate(as_programs(load)):
            path, *rest = program.argv
            app: dict[str, object] = {
                "name": name_of(index),
                "script": shutil.which(path),
                "args": rest,
                "interpreter": "none",
            }
            if program.stop_timeout is not None:
                app["kill_timeout"] = int(program.stop_timeout * 1000)
            apps.append(app)
        (self.work / "pm2.config.json").write_text(json.dumps({"apps": apps}))

    def launch(self) -> list[str]:
        return [str(self.home / "pm2-runtime"), "start", str(self.work / "pm2.config.json")]

    def command(self, verb: str, name: str) -> list[str]:
        return [str(self.home / "pm2"), {"status": "describe"}.get(verb, verb), name]

    def state(self, output: str) -> str:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
        rows = [line.split("│") for line in plain.splitlines() if line.count("│") == 3]
        return next((row[2].strip() for row in rows if row[1].strip() == "status"), "?")
