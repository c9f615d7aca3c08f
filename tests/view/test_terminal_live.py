"""The live view of a real provider: what happens is seen, and keys do what they say."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from context_bus.client.whereabouts import endpoints_of
from context_bus.view.live import Live
from context_bus.view.terminal.app import TopApp
from context_bus.view.terminal.picture import take_picture
from tests.e2e.shells import Supervised
from tests.view.screen import Screen, run


@asynccontextmanager
async def shown(shop: Supervised, every: float = 0.5) -> AsyncIterator[Screen]:
    """The live view of a provider, when it shows what services use."""
    with Live(lambda: endpoints_of(shop.shell.file, None, None), every) as live:
        app = TopApp(live, every=every)
        async with app.run_test(size=(100, 30)) as pilot:
            screen = Screen(app, pilot)
            await screen.until(lambda: app.snapshot.services and app.snapshot.services[0].usage)
            await screen.until(lambda: screen.line("talk"))
            yield screen


def pid_of(screen: Screen, service_id: str) -> str:
    """What stands in the third column."""
    return screen.line(service_id).split()[2]


def test_killed_service_is_seen_before_the_next_look_is_due(shop: Supervised) -> None:
    """A look every minute, but what happens is shown when it happens; `r` restarts, after a yes."""

    async def go() -> None:
        async with shown(shop, every=60.0) as screen:
            pid = pid_of(screen, "talk")
            os.kill(int(pid), signal.SIGKILL)
            await screen.until(
                lambda: screen.line("talk").split()[1] == "started" and pid_of(screen, "talk") != pid
            )
            pid = pid_of(screen, "talk")
            await screen.press("down", "r")
            assert f"Restart talk (pid {pid})?" in screen.lines[-1]
            await screen.press("n")
            assert "Restart talk" not in screen.text
            assert pid_of(screen, "talk") == pid
            await screen.press("r", "y")
            await screen.until(lambda: "restart talk: done" in screen.text)
            await screen.until(lambda: pid_of(screen, "talk") not in {pid, "-"})

    run(go())


def test_stop_and_start_by_keys(shop: Supervised) -> None:
    """A stop is asked about, a start is not; what is stopped says so."""

    async def go() -> None:
        async with shown(shop) as screen:
            await screen.press("x", "y")
            await screen.until(lambda: screen.line("stay").split()[1:3] == ["stopped", "-"])
            await screen.press("s")
            await screen.until(lambda: screen.line("stay").split()[1] == "started")

    run(go())


def test_log_and_events_of_the_chosen_service(shop: Supervised) -> None:
    """The pane follows the choice; Tab goes to it, Esc closes it."""

    async def go() -> None:
        async with shown(shop) as screen:
            await screen.press("down", "l")
            await screen.until(lambda: "log of talk" in screen.text and "a word" in screen.text)
            (log,) = (each.log for each in screen.app.snapshot.services if each.service_id == "talk")
            with open(log, "a") as file:
                file.write("\x1b[31mred\x1b[0m and more\n")
            await screen.until(lambda: "red and more" in screen.text)
            await screen.press("up")
            await screen.until(lambda: "log of stay" in screen.text and "a word" not in screen.text)
            await screen.press("e")
            await screen.until(lambda: "events of stay" in screen.text and "starting" in screen.text)
            await screen.press("E")
            await screen.until(lambda: "events of all" in screen.text and "provider" in screen.text)
            await screen.press("z")
            await screen.until(lambda: not screen.line("SERVICE"))
            await screen.press("escape")
            await screen.until(lambda: screen.line("SERVICE") and "events of all" not in screen.text)

    run(go())


def test_provider_that_is_killed_is_seen_and_its_successor_found(shop: Supervised) -> None:
    """A banner within two looks; it goes away by itself."""

    async def go() -> None:
        async with shown(shop) as screen:
            shop.kill()
            await screen.until(lambda: "PROVIDER GONE" in screen.lines[0])
            shop.start()
            await screen.until(lambda: "PROVIDER GONE" not in screen.lines[0])
            await screen.until(lambda: screen.line("talk").split()[1] == "started")
            await screen.press("q")
        assert screen.app.return_code == 0

    run(go())


def test_pictures_are_taken_without_a_terminal(ticking: Supervised) -> None:
    """As text for a page, and with colours; the message rate of a service is in them."""

    async def go() -> None:
        with Live(lambda: endpoints_of(ticking.shell.file, None, None)) as live:
            picture = await take_picture(live, 80, 24, samples=3)
            assert len(picture.text.splitlines()) == 24
            assert "Supervised" in picture.text
            assert picture.svg.startswith("<svg")
            assert "ticks" in (await take_picture(live, 120, 30, ("b",), samples=3)).text

    run(go())
