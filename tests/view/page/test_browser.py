"""The page in a real browser: what an operator sees and does, and what a page of strangers cannot."""

from __future__ import annotations

import functools
import http.server
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from context_bus.bus.publisher import Publisher
from context_bus.config.load import read_context
from tests.view.page.browser import chromium
from tests.view.page.serving import Dashboard, Provider

#: Milliseconds within which a change of state has to be on the page.
SOON = 2_000
#: Milliseconds for what takes a process to start; the machine may be busy.
LATER = 15_000


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """One for all; it starts slowly."""
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def provider(browser: BrowserContext, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """One for all."""
    running = Provider(tmp_path_factory.mktemp("provider"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def dashboard(provider: Provider) -> Iterator[Dashboard]:
    """One for all."""
    with Dashboard(provider.file) as running:
        yield running


@pytest.fixture
def page(browser: BrowserContext, dashboard: Dashboard) -> Iterator[Page]:
    """The page as one opens it with the URL that was printed; it has no error of its own."""
    errors: list[str] = []
    opened = browser.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    opened.goto(dashboard.url)
    expect(row(opened, "stay")).to_have_attribute("data-state", "started", timeout=LATER)
    yield opened
    opened.close()
    assert errors == []


def row(page: Page, service: str) -> Locator:
    """A service in the table."""
    return page.locator(f'#services tr[data-service="{service}"]')


def node(page: Page, service: str) -> Locator:
    """A service in the graph."""
    return page.locator(f'#graph .node[data-service="{service}"]')


def button(page: Page, action: str, service: str) -> Locator:
    """A button of a service."""
    return row(page, service).get_by_role("button", name=f"{action} {service}", exact=True)


def test_page_shows_what_runs(page: Page, provider: Provider, dashboard: Dashboard) -> None:
    """Table, graph and curves; the token has left the address."""
    assert page.url == dashboard.address
    assert page.title() == "Supervised"
    expect(row(page, "stay")).to_contain_text(str(provider.pid_of("stay")))
    for service in ("stay", "talk", "frail"):
        expect(node(page, service)).to_be_visible()
    expect(page.locator("#graph")).to_contain_text("requires ready")
    expect(page.locator("#cpu .curve")).to_have_count(3)
    expect(page.locator("#readonly")).to_be_hidden()
    expect(page.locator("#banner")).to_be_hidden()


def test_a_kill_shows_within_two_seconds_and_a_button_starts_it_again(page: Page, provider: Provider) -> None:
    """In the table and in the graph; the reason stands beside."""
    os.kill(provider.pid_of("frail"), signal.SIGKILL)
    expect(row(page, "frail")).to_have_attribute("data-state", "failed", timeout=SOON)
    expect(page.locator("#graph")).to_contain_text("failed", timeout=SOON)
    expect(row(page, "frail")).to_contain_text("SIGKILL")
    button(page, "start", "frail").click()
    expect(row(page, "frail")).to_have_attribute("data-state", "started", timeout=LATER)


def test_a_restart_is_asked_for_twice_and_done(page: Page, provider: Provider) -> None:
    """The first press asks, the second does it; the outcome is told."""
    before = provider.pid_of("stay")
    restart = button(page, "restart", "stay")
    restart.click()
    expect(restart).to_have_text("sure?")
    assert provider.pid_of("stay") == before
    restart.click()
    expect(page.locator("#notices")).to_contain_text("restart stay: done", timeout=LATER)
    after = provider.pid_of("stay")
    assert after != before
    expect(row(page, "stay")).to_contain_text(str(after), timeout=SOON)


def test_messages_of_a_topic_are_shown(page: Page, provider: Provider) -> None:
    """What is published on it, and not what is published on others; markup in it is text."""
    with Publisher(read_context(provider.file).backend_endpoint) as publisher:
        page.locator("#topic").fill("some.topic")
        page.locator("#topic").press("Enter")
        publisher.wait_for_subscriber("some.topic", 10)
        publisher.publish("other.topic", "not this one")
        publisher.publish("some.topic", "<b id=evil>this one</b>")
        expect(page.locator("#messages")).to_contain_text("<b id=evil>this one</b>", timeout=LATER)
    expect(page.locator("#evil")).to_have_count(0)
    expect(page.locator("#messages")).not_to_contain_text("not this one")


def test_the_log_of_a_service_is_followed(page: Page) -> None:
    """A click on its row, or on its node, shows what it writes; events are told, too."""
    node(page, "talk").click()
    expect(page.locator("#log")).to_contain_text("a line of talk", timeout=LATER)
    lines = page.locator("#log div").count()
    page.wait_for_function(
        "count => document.querySelectorAll('#log div').length > count", arg=lines, timeout=LATER
    )
    page.get_by_role("tab", name="events").click()
    expect(page.locator("#events")).to_contain_text("started")


def test_without_the_token_no_button_works(browser: BrowserContext, dashboard: Dashboard) -> None:
    """The page says so; everything else is there."""
    browser.clear_cookies()
    page = browser.new_page()
    try:
        page.goto(dashboard.address)
        expect(row(page, "stay")).to_have_attribute("data-state", "started", timeout=LATER)
        expect(page.locator("#readonly")).to_be_visible()
        assert page.locator("#services .acts button:not(:disabled)").count() == 0
    finally:
        page.close()


@contextmanager
def stranger(directory: Path) -> Iterator[str]:
    """Another page of this machine, at another port."""
    (directory / "index.html").write_text("<title>another</title>")
    handler = functools.partial(_Quiet, directory=directory)
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that its end waits for them


class _Quiet(http.server.SimpleHTTPRequestHandler):
    #: A browser opens connections ahead, over which it may never say a word.
    timeout = 0.5

    def log_message(self, *_: object) -> None:
        """Say nothing."""


#: Tries a socket and a frame, as a page that means harm would.
ATTACK = """async (address) => {
  const tried = await new Promise((done) => {
    const socket = new WebSocket(address.replace("http", "ws") + "socket");
    socket.onopen = () => done("opened");
    socket.onerror = () => done("refused");
  });
  const fetched = await fetch(address, {credentials: "include"}).then(() => "read", () => "refused");
  return [tried, fetched];
}"""


#: Tries to show our page inside its own, where a click could be led astray.
FRAME = """(address) => {
  const frame = document.createElement("iframe");
  frame.src = address;
  document.body.append(frame);
}"""


def test_a_page_of_strangers_gets_nothing(page: Page, dashboard: Dashboard, tmp_path: Path) -> None:
    """In the same browser, with the cookie in it: no socket, nothing read, and it cannot frame us."""
    with stranger(tmp_path) as elsewhere:
        other = page.context.new_page()
        try:
            other.goto(elsewhere)
            assert other.evaluate(ATTACK, dashboard.address) == ["refused", "refused"]
            other.evaluate(FRAME, dashboard.address)
            other.wait_for_function(
                "() => document.querySelector('iframe').contentDocument === null", timeout=LATER
            )
            assert "Supervised" not in [frame.title() for frame in other.frames]
        finally:
            other.close()


def test_page_fits_a_phone(page: Page) -> None:
    """Nothing sticks out at the side."""
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_provider_that_is_killed_comes_back_by_itself(page: Page, provider: Provider) -> None:
    """A banner while it is gone; the next one is found without a word. The last test: it ends all."""
    provider.process.kill()
    provider.process.wait(20)
    expect(page.locator("#banner")).to_contain_text("does not answer", timeout=LATER)
    try:
        provider.start()
        expect(page.locator("#banner")).to_be_hidden(timeout=LATER)
        expect(row(page, "stay")).to_contain_text(str(provider.pid_of("stay")), timeout=LATER)
    finally:
        provider.close()
