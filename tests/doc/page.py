"""Run a Markdown page as a reader would: its shell sessions, its files, its Python.

A page is a story told in one empty directory holding the checkout's Conf, Services and tools:

- a ``console`` block: lines that begin with ``$ `` are run, the lines below must be what they print;
- a ``console background`` block: its one command keeps running, its lines must appear in time;
- a block whose first line says ``file: PATH`` in a comment is written to that path;
- any other ``python`` block is run.

In what is expected ``...`` stands for anything within a line, a line of ``...`` for any lines; the
width of columns does not count.
Ports 5556 to 5559 are replaced by free ones, so that pages do not meet each other.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
#: Languages that a block may name; anything else is a spelling mistake nobody would see.
LANGUAGES = {"console", "python", "xml", "yaml", "json", "text", "mermaid", ""}
#: Seconds that one command of a page may take.
COMMAND_TIMEOUT = 60.0
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^\s*(?:#|<!--|//)\s*file:\s*(?P<path>\S+)\s*(?:-->)?\s*$")
_PORTS = ("5556", "5557", "5558", "5559")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its other words, its text, its line in the page."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def target(self) -> str:
        """Path of the file that the block shows, empty if it is none."""
        first, _, _ = self.text.partition("\n")
        match = _FILE.match(first)
        return match["path"] if match else ""


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        found.append(Block(language, tuple(words), match["text"], text.count("\n", 0, match.start()) + 1))
    return found


def free_ports(count: int) -> list[str]:
    """Ports that nobody uses now, all different, and none that the kernel gives to who connects meanwhile."""
    free: list[str] = []
    for port in random.sample(range(10_000, 32_000), 1000):
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            free.append(str(port))
        if len(free) == count:
            break
    return free


def aligned(text: str) -> str:
    """Columns are as wide as what stands in them, such as a pid: their width is not compared."""
    return re.sub(r"(?<=\S) {2,}", "  ", text)


def pattern(expected: str) -> re.Pattern[str]:
    """What an expected text matches: ``...`` within a line, or as a line of its own."""
    parts = []
    for line in aligned(expected).splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            words = (re.escape(word) for word in re.split(r"\.\.\.", line.rstrip()))
            parts.append(".*?".join(words) + r"[ \t]*\n")
    return re.compile("".join(parts))


@dataclass
class Background:
    """A command that keeps running while the page goes on."""

    process: subprocess.Popen[str]
    output: str = ""
    grown: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.grown:
                self.output += line
                self.grown.notify_all()

    def wait_for(self, expected: str) -> None:
        wanted = pattern(expected)
        with self.grown:
            seen = self.grown.wait_for(lambda: wanted.search(aligned(self.output)), COMMAND_TIMEOUT)
        assert seen, f"expected in the background:\n{expected}\nseen:\n{self.output}"


class Story:
    """One page being lived through in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self.running: list[tuple[Background, threading.Thread]] = []
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }
        for name in ("Conf", "Services", "tools"):
            shutil.copytree(
                HOME / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", ".context_bus")
            )
        for path in (directory / "Conf").iterdir():
            path.write_text(self.outward(path.read_text()))

    def outward(self, text: str) -> str:
        """Give the page's ports their free stand-ins."""
        for port, free in self.ports.items():
            text = text.replace(port, free)
        return text

    def inward(self, text: str) -> str:
        """Give the stand-ins the page's ports back, and paths their spoken form."""
        for port, free in self.ports.items():
            text = text.replace(free, port)
        return text.replace(str(self.directory), "/home/you")

    def play(self, block: Block) -> None:
        """Do what one block says."""
        if block.target:
            path = self.directory / block.target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.outward(block.text.partition("\n")[2]))
        elif block.language == "python":
            script = f"{sys.executable} - <<'END_OF_BLOCK'\n{block.text}\nEND_OF_BLOCK"
            self.run(script, "...", must_succeed=True)
        elif block.language == "console" and "background" in block.words:
            ((command, expected),) = commands(block.text)
            self.start(command).wait_for(self.spoken(expected))
        elif block.language == "console":
            for command, expected in commands(block.text):
                self.run(command, expected)

    def spoken(self, expected: str) -> str:
        """What is expected in the background is compared with raw output."""
        return self.outward(expected).replace("/home/you", str(self.directory))

    def start(self, command: str) -> Background:
        process = subprocess.Popen(
            ["bash", "-c", "exec " + self.outward(command)],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        background = Background(process)
        thread = threading.Thread(target=background.read)
        thread.start()
        self.running.append((background, thread))
        return background

    def run(self, command: str, expected: str, *, must_succeed: bool = False) -> None:
        command = self.outward(command).replace("/home/you", str(self.directory))
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
        seen = aligned(self.inward(done.stdout))
        assert pattern(expected).fullmatch(seen if seen.endswith("\n") or not seen else seen + "\n"), (
            f"$ {command}\nexpected:\n{expected}\nseen (exit code {done.returncode}):\n{seen}"
        )
        assert not (done.returncode and must_succeed), f"exit code {done.returncode}:\n{seen}"
        if done.returncode and "..." not in expected.splitlines():
            assert expected, f"$ {command}\nexit code {done.returncode} without a word about it"

    def __enter__(self) -> Story:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        left = self.end(patience=15.0 if kind is None else 0.1)
        assert kind or not left, f"still running at the end of the page: {left}"

    def end(self, patience: float) -> list[str]:
        """End what still runs, and tell what that was: a page cleans up after itself."""
        left = []
        for background, thread in self.running:
            try:
                background.process.wait(patience)
            except subprocess.TimeoutExpired:
                left.append(" ".join(map(str, background.process.args)))  # type: ignore[arg-type]
                os.killpg(background.process.pid, signal.SIGINT)
                background.process.wait(15)
            thread.join()
            assert background.process.stdout is not None
            background.process.stdout.close()
        return left


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what it is expected to print."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found and found[-1][1] == "" and (found[-1][0].endswith("\\") or line.startswith("> ")):
            found[-1] = (found[-1][0] + "\n" + line.removeprefix("> "), "")
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + line + "\n")
    return found
