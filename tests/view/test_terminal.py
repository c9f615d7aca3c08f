"""The live view with snapshots made by hand: sizes, orders, filters, keys; nobody answers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace as changed

import msgspec
import pytest

from context_bus.client.endpoints import Endpoints
from context_bus.view.live import Live
from context_bus.view.snapshot import Snapshot
from context_bus.view.terminal.app import TopApp
from context_bus.view.terminal.screens import HELP
from context_bus.view.terminal.services import Choice
from context_bus.view.terminal.table import Table
from context_bus.view.terminal.tables import ServiceTable
from tests.e2e.project import free_ports
from tests.view.made import NOW, failed, service, snapshot, topic
from tests.view.screen import Screen, run

BUSY = service("busy", cpu_percent=90.0, rss=50.0, starts=3, cpu_history=(10.0, 90.0))
SHOP = snapshot(BUSY, service("idle", pid=101), failed("bad"), service("far", "T2", pid=102))
#: More than a terminal has lines.
MANY = snapshot(*(service(f"svc_{n:02}", pid=100 + n, cpu_percent=float(n)) for n in range(40)))


@pytest.fixture
def nobody() -> Iterator[Live]:
    """Eyes on a port where there is nobody."""
    listen, publish = (f"tcp://127.0.0.1:{port}" for port in free_ports())
    with Live(Endpoints(listen, publish)) as live:
        yield live


@asynccontextmanager
async def shown(
    live: Live,
    found: Snapshot,
    width: int = 80,
    height: int = 24,
    choice: Choice = Choice(),  # noqa: B008
) -> AsyncIterator[Screen]:
    """The live view of a snapshot; nothing else comes in while the block runs."""
    app = TopApp(live, choice)
    async with app.run_test(size=(width, height)) as pilot:
        screen = Screen(app, pilot)
        await screen.until(lambda: app.snapshot.trouble and "not asked" not in app.snapshot.trouble)
        await screen.press("p")
        app.is_paused = False
        await screen.show(found)
        yield screen


def test_eighty_by_twenty_four_has_what_an_operator_asks_first(nobody: Live) -> None:
    """State, process, age, restarts, CPU and memory; nothing is wider than the terminal."""

    async def go() -> None:
        async with shown(nobody, SHOP) as screen:
            assert all(len(line) <= 80 for line in screen.lines)
            assert screen.lines[0].startswith(" Shop  context001  provider 4242  up 1h00m")
            assert screen.lines[1].startswith(" 3 up  1 failed  CPU 90.0%")
            assert screen.lines[2].split()[:6] == ["SERVICE", "STATE", "PID", "UP", "RST", "CPU%"]
            assert screen.lines[3].strip().startswith("T1: 2 up, 1 failed")
            assert screen.line("busy").split()[:6] == ["busy", "started", "100", "1m30s", "2", "90.0"]
            assert screen.line("bad").split(maxsplit=2)[2] == "ended with exit code 3"
            assert screen.lines[-1].split()[:2] == ["s", "start"]
            assert "q quit" in screen.lines[-1]

    run(go())


@pytest.mark.parametrize(("width", "height"), [(30, 8), (50, 18), (120, 40), (250, 60)])
def test_any_size_has_whole_columns(nobody: Live, width: int, height: int) -> None:
    """A column is there or not; a title is never cut in the middle."""

    async def go() -> None:
        async with shown(nobody, SHOP, width, height) as screen:
            titles = screen.lines[2].split("LAST")[0].split()
            known = ["SERVICE", "STATE", "PID", "UP", "RST", "CPU%", "RSS", "THR", "FDS", "MSG/S"]
            assert titles == [each for each in known if each in titles]
            assert ("LAST ERROR" in screen.lines[2]) == (width >= 120)
            await screen.pilot.resize_terminal(80, 24)
            await screen.until(lambda: len(screen.lines) == 24 and "RST" in screen.lines[2])

    run(go())


def test_choice_stays_on_its_service_when_the_order_changes(nobody: Live) -> None:
    """Sorted by CPU, a service moves; whoever has chosen it still has it, and sees it."""

    async def go() -> None:
        async with shown(nobody, MANY, choice=Choice(sort="cpu")) as screen:
            table = screen.app.query_one("#services", Table)
            await screen.press("down", "down")
            assert table.cursor == ("T1", "svc_37")
            services = tuple(
                msgspec.structs.replace(each, cpu_percent=0.0) if each.service_id == "svc_37" else each
                for each in MANY.services
            )
            await screen.show(msgspec.structs.replace(MANY, services=services))
            assert table.cursor == ("T1", "svc_37")
            assert screen.line("svc_37"), screen.text
            assert not screen.line("svc_39")
            without = tuple(each for each in services if each.service_id != "svc_37")
            await screen.show(msgspec.structs.replace(MANY, services=without))
            assert table.cursor not in {("T1", "svc_37"), None}

    run(go())


def test_forty_services_scroll_on_twenty_four_lines(nobody: Live) -> None:
    """To the end, a page back, to the beginning; titles and sums stay."""

    async def go() -> None:
        async with shown(nobody, MANY) as screen:
            for key, seen in (("end", "svc_39"), ("pageup", "svc_21"), ("home", "svc_00"), ("G", "svc_39")):
                await screen.press(key)
                assert screen.line(seen), (key, screen.text)
                assert screen.lines[2].split()[0] == "SERVICE"
            assert not screen.line("svc_00")

    run(go())


def test_orders_by_keys_and_by_titles(nobody: Live) -> None:
    """A key sorts and goes to the top; the same again turns it round; a click on a title is the same."""

    async def go() -> None:
        async with shown(nobody, MANY) as screen:
            first = lambda: screen.lines[3].split()[0]  # noqa: E731
            await screen.press("end", "P")
            assert (first(), screen.app.table.choice.sort) == ("svc_39", "cpu")
            assert "▾CPU%" in screen.lines[2]
            await screen.press("P")
            assert (first(), screen.app.table.choice.inverted) == ("svc_00", True)
            at = screen.lines[2].index("PID") + 1
            await screen.pilot.click("#services", offset=(at, 0))
            await screen.pilot.pause()
            assert screen.app.table.choice.sort == "pid"
            await screen.press("0", "less_than_sign")
            assert screen.app.table.choice.sort == "messages"

    run(go())


def test_filter_shows_what_fits_while_it_is_typed(nobody: Live) -> None:
    """Enter keeps it, Esc takes it back."""

    async def go() -> None:
        async with shown(nobody, SHOP) as screen:
            await screen.press("slash", "f", "a", "t")
            assert screen.line("bad")
            assert not screen.line("busy")
            await screen.press("enter")
            assert "shown: what has 'fat' in it" in screen.text
            await screen.press("escape")
            assert screen.line("busy")
            await screen.press("slash", "z", "z")
            assert "no service is meant by that" in screen.text
            await screen.press("escape")
            assert screen.line("busy")

    run(go())


def test_transactions_can_be_mixed(nobody: Live) -> None:
    """Then the busiest of all is first, and each says whose it is."""

    async def go() -> None:
        async with shown(nobody, SHOP, 100) as screen:
            assert screen.line("T2:")
            await screen.press("t")
            assert not screen.line("T2:")
            assert "TRANSACTION" in screen.lines[2]
            assert screen.line("far").split()[1] == "T2"

    run(go())


def test_provider_that_is_gone_is_a_banner_and_nothing_can_be_ordered(nobody: Live) -> None:
    """What was known stays, and says since when; a key says that nobody is there."""

    async def go() -> None:
        async with shown(nobody, SHOP) as screen:
            gone = msgspec.structs.replace(SHOP, trouble="it is dead", at=NOW + 5)
            await screen.show(gone)
            assert screen.lines[0].startswith(" PROVIDER GONE for 5s: it is dead; looking for it")
            assert screen.line("busy")
            await screen.press("r")
            assert "nobody is there to restart it" in screen.text
            other = msgspec.structs.replace(SHOP, provider={**SHOP.provider, "pid": 5000})
            await screen.show(other)
            assert "another provider is there: pid 5000" in screen.text

    run(go())


def test_topics_with_rates_losses_and_delays(nobody: Live) -> None:
    """Sorted and filtered like services; the way back is the same key."""
    bus = (
        topic("hits", "web.1.1.abcdef", "busy", "T1", messages=900, rate=12.0, lost=3, p99=0.004),
        topic("logs", "log.2.1.abcdef", messages=5),
    )

    async def go() -> None:
        async with shown(nobody, msgspec.structs.replace(SHOP, bus=bus)) as screen:
            assert "12 msg/s" in screen.lines[1]
            await screen.press("b")
            assert screen.line("hits").split() == [
                "hits", "busy", "12", "0B", "900", "3", "-", "4.00ms", "?",
            ]  # fmt: skip
            await screen.press("slash", "l", "o", "g", "s", "enter")
            assert not screen.line("hits")
            assert screen.app.query_one(ServiceTable).choice == Choice()
            await screen.press("b")
            assert screen.line("busy")

    run(go())


def test_details_show_curves_and_reason(nobody: Live) -> None:
    """Of the chosen service, and of the next one when that is chosen."""

    async def go() -> None:
        async with shown(nobody, SHOP) as screen:
            await screen.press("d")
            assert "90.0%, mean 50.0, max 90.0" in screen.text
            await screen.press("down", "down")
            assert screen.line("why").strip() == "why ended with exit code 3"
            assert "no process" in screen.text
            await screen.press("escape")
            assert "mean" not in screen.text

    run(go())


def test_help_names_every_key(nobody: Live) -> None:
    """Also at 80 columns; any key ends it."""

    async def go() -> None:
        async with shown(nobody, SHOP) as screen:
            await screen.press("question_mark")
            for words in ("s start", "x stop", "r restart", "/ filter", "q Ctrl-C quit"):
                assert words in screen.text
            assert max(map(len, HELP.splitlines())) <= 76
            await screen.press("x")
            assert "q Ctrl-C quit" not in screen.text
            assert screen.app.return_code is None

    run(go())


def test_only_lines_that_changed_are_painted(nobody: Live) -> None:
    """A service whose figures changed costs one line; nothing that changed costs nothing."""

    async def go() -> None:
        async with shown(nobody, MANY) as screen:
            table, painted = screen.app.query_one("#services", Table), list[int]()
            render = table.render_line
            table.render_line = lambda y: painted.append(y) or render(y)  # type: ignore[method-assign, func-returns-value]
            await screen.show(MANY)
            assert painted == []
            services = (
                MANY.services[0],
                msgspec.structs.replace(MANY.services[1], rss=77.0),
                *MANY.services[2:],
            )
            await screen.show(msgspec.structs.replace(MANY, services=services))
            assert set(painted) == {2}

    run(go())


def test_no_color_is_obeyed(nobody: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """States are words, and what is chosen is reversed: nothing is told by colours alone."""
    monkeypatch.setenv("NO_COLOR", "1")

    async def go() -> None:
        async with shown(nobody, SHOP) as screen:
            assert screen.app.no_color
            assert screen.line("busy").split()[1] == "started"

    run(go())


def test_choice_of_the_command_line_is_kept(nobody: Live) -> None:
    """Names, transaction and order as they were given."""

    async def go() -> None:
        choice = changed(Choice(), names=("b*",), sort="name")
        async with shown(nobody, SHOP, choice=choice) as screen:
            assert [line.split()[0] for line in screen.lines[3:5]] == ["bad", "busy"]
            assert not screen.line("idle")

    run(go())
