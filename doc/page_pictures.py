"""Pictures of the graph and of the dashboard, taken from an example context that runs.

Called by whoever makes the pictures of the documentation; needs Chromium, and the extras test, web and plot.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
#: The example whose provider runs while pictures are taken, and the one that shows transitions.
RUNNING, CHAIN = "Context-AccessLog.xml", "Context-StateMachine.xml"
#: Names of pictures of the page, and the sizes of their windows.
WINDOWS = {"dashboard.png": (1280, 900), "dashboard-phone.png": (400, 800)}
#: Seconds of curves that are to be seen.
CURVES = 25
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def make_page_pictures(directory: Path) -> list[Path]:
    """Write ``graph*.svg``, ``graph*.png`` and ``dashboard*.png`` into a directory; returns the files."""
    made = [directory / name for name in ("graph.svg", "graph.png", "graph-chain.svg")]
    with tempfile.TemporaryDirectory() as place, _provider(Path(place)) as file:
        pages = _shoot(file, directory)  # first: by then all services have spoken, which the graph shows
        for picture in made[:2]:
            _run("graph", str(file), "-o", str(picture))
        _run("graph", str(HOME / "Conf" / CHAIN), "--no-live", "-o", str(made[2]))
    return made + pages


def _shoot(file: Path, directory: Path) -> list[Path]:
    """Take pictures of the page as an operator has it before him."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise SystemExit("no chromium here; apt-get install chromium")
    with _dashboard(file) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        for name, (width, height) in WINDOWS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
            page.goto(url)
            page.locator('#services tr[data-service="ts_202"]').click()
            page.locator("#topic").fill("access.rates")
            page.locator("#topic").press("Enter")
            page.wait_for_timeout(CURVES * 1000 if width > height else 3000)
            page.locator("#topic").blur()
            page.screenshot(path=directory / name, full_page=width < height)
            page.close()
        browser.close()
    return [directory / name for name in WINDOWS]


@contextmanager
def _provider(place: Path) -> Iterator[Path]:
    """A provider of the example, on ports of its own."""
    for name in ("Conf", "Services"):
        shutil.copytree(HOME / name, place / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    file = place / "Conf" / RUNNING
    text = file.read_text().replace("/tmp/access.log", str(place / "access.log"))
    for port, free in zip(("5558", "5559"), _free_ports(2), strict=True):
        text = text.replace(f":{port}<", f":{free}<")
    file.write_text(text)
    call = [sys.executable, "-m", "context_bus", "service-context", str(file), "--start=morning", "--quiet"]
    with _running(call, cwd=place):
        _run("wait", "-c", str(file), "--timeout=30", tries=20)
        yield file


@contextmanager
def _dashboard(file: Path) -> Iterator[str]:
    """The page of a context file; gives its URL."""
    call = [sys.executable, "-m", "context_bus", "dashboard", "-c", str(file), "--port=0", "--json"]
    with _running(call, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]


@contextmanager
def _running(call: list[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(call, **options)  # type: ignore[call-overload]  # passed on as they came
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def _run(*args: str, tries: int = 1) -> None:
    for left in reversed(range(tries)):
        done = subprocess.run([sys.executable, "-m", "context_bus", *args], capture_output=True, check=False)
        if not done.returncode:
            return
        if not left:
            raise SystemExit(done.stderr.decode())


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


if __name__ == "__main__":
    for written in make_page_pictures(Path(sys.argv[1])):
        print(written)
