"""Looks at the provider for all pages together, and not at all while there is no page.

Its thread asks; pages are told on the event loop. Between two looks it waits a second, or less if something
happens at the provider.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from context_bus.client.endpoints import Endpoints
from context_bus.config.load import read_context
from context_bus.context.commands import LoggedEvent
from context_bus.errors import ContextBusError
from context_bus.view.graph import Being, Graph, graph_of, trimmed, with_beings, with_messages
from context_bus.view.live import Live
from context_bus.view.page import words
from context_bus.view.page.hearing import Hearing
from context_bus.view.scene import scene_of
from context_bus.view.snapshot import Snapshot
from context_bus.view.svg import svg

_log = logging.getLogger(__name__)

#: Seconds between two looks, and the least while much happens.
EVERY, LEAST = 1.0, 0.2
#: Seconds for which what was measured is kept after the last page has gone: one that is loaded anew has it.
LINGER = 30.0
#: Most events that a page is told at once, also when it comes, and seconds over which they are gathered.
EVENTS, GATHER = 200, 0.1
#: Transactions that are drawn, and seconds between two drawings at least: a large graph takes 30 ms.
MOST_GRAPHS, DRAW_LEAST = 8, 0.5


class Page(Protocol):
    """Whoever is told."""

    def tell(self, text: str) -> None:
        """Take what the server says; on the event loop, must not wait."""

    def hear(self, topic: str, text: str) -> None:
        """Take messages of a topic."""


class Desk:
    """What all pages share.

    Args:
        find: Tells where the provider is.
        linger: Seconds for which what was measured is kept after the last page has gone.
    """

    def __init__(self, find: Callable[[], Endpoints], linger: float = LINGER) -> None:
        self._find, self._linger = find, linger
        self._loop = asyncio.get_running_loop()
        self._pages: set[Page] = set()
        self._live: Live | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._is_stirred = False
        self._events: deque[LoggedEvent] = deque(maxlen=EVENTS)
        self._drawing = _Drawing()
        #: What a page is told when it comes.
        self._latest: Snapshot | None = None
        self._graph = ""
        self.hearing = Hearing(find, self._heard)
        self._thread = threading.Thread(target=self._run, name="page-desk", daemon=True)
        self._thread.start()

    @property
    def live(self) -> Live | None:
        """The provider as it is asked; None while no page is open."""
        return self._live

    def enter(self, page: Page) -> None:
        """Tell a page of everything from now on."""
        with self._changed:
            self._pages.add(page)
            self._is_stirred = True
            self._changed.notify_all()
        if self._live is not None and self._latest is not None:
            page.tell(words.histories(self._latest))
            page.tell(words.told(self._latest))
            page.tell(words.say("graph", svg=self._graph))
            events = [words.event(each) for each in self._live.events(limit=EVENTS)]
            page.tell(words.say("events", events=events))

    def leave(self, page: Page) -> None:
        """Tell it nothing any more."""
        with self._changed:
            self._pages.discard(page)
            self._changed.notify_all()

    def close(self) -> None:
        """End it; returns when all sockets are closed."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self.hearing.close()
        self._thread.join()

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pages or self._closing)
                if self._closing:
                    return
            with Live(self._find) as live:
                forget = live.observe(self._happened)
                self._live = live
                try:
                    self._look(live)
                finally:
                    forget()
                    self._live = self._latest = None

    def _look(self, live: Live) -> None:
        """Look again and again, until all pages have been gone for a while."""
        left_at = time.monotonic()
        while not self._closing:
            if self._pages:
                left_at = time.monotonic()
                self._is_stirred = False
                self._tick(live)
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, LEAST)
            elif time.monotonic() - left_at > self._linger:
                return
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closing or (self._is_stirred and self._pages), EVERY - LEAST
                )

    def _tick(self, live: Live) -> None:
        try:
            self._took(live.refresh())
        except Exception:  # noqa: BLE001 - one tick: the next look may succeed, and pages say they have no news
            _log.exception("the provider could not be shown")

    def _took(self, snapshot: Snapshot) -> None:
        is_first = self._latest is None
        graph = self._drawing.draw(snapshot)
        self._latest = snapshot
        if is_first:
            self._post(words.histories(snapshot))
        self._post(words.told(snapshot))
        if graph != self._graph or is_first:
            self._graph = graph
            self._post(words.say("graph", svg=graph))

    # -- on threads that hear --------------------------------------------------------------------

    def _happened(self, event: LoggedEvent) -> None:
        with self._changed:
            is_first = not self._events
            self._events.append(event)
            self._is_stirred = True
            self._changed.notify_all()
        if is_first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.call_later, GATHER, self._tell_events)

    def _tell_events(self) -> None:
        """On the loop: tell what has happened meanwhile, for much may happen at once."""
        with self._changed:
            events = [words.event(each) for each in self._events]
            self._events.clear()
        text = words.say("events", events=events)
        for page in tuple(self._pages):
            page.tell(text)

    def _heard(self, topic: str, messages: list[words.Bytes], left_out: int) -> None:
        text = words.say("messages", messages=messages, left_out=left_out)
        self._on_loop(lambda page: page.hear(topic, text))

    def _post(self, text: str) -> None:
        self._on_loop(lambda page: page.tell(text))

    def _on_loop(self, call: Callable[[Page], None]) -> None:
        """Do something to every page, where pages belong."""

        def each() -> None:
            for page in tuple(self._pages):
                call(page)

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(each)


class _Drawing:
    """The graph of the file that the provider runs; drawn anew when a state or the file changes."""

    def __init__(self) -> None:
        self._seen: object = None
        self._text = ""
        self._drawn_at = float("-inf")

    def draw(self, snapshot: Snapshot) -> str:
        file = Path(str(snapshot.provider.get("file") or ""))
        try:
            changed = file.stat().st_mtime_ns
        except OSError:
            changed = 0
        states = tuple(
            (each.transaction, each.service_id, each.phase, each.pid) for each in snapshot.services
        )
        seen = (file, changed, states, snapshot.deliveries)
        now = time.monotonic()
        # What is left out here is drawn at the next look, a second later.
        if seen != self._seen and now - self._drawn_at >= DRAW_LEAST:
            self._drawn_at = now
            self._seen, self._text = seen, self._drawn(snapshot, file if changed else None)
        return self._text

    def _drawn(self, snapshot: Snapshot, file: Path | None) -> str:
        plain = Graph(str(snapshot.provider.get("name", "")), (), ())
        if file is not None and file.is_file():
            # One that is being edited may have faults; its services are drawn without edges then.
            with contextlib.suppress(ContextBusError):
                plain = graph_of(read_context(file))
        transactions = list(dict.fromkeys(each.transaction for each in snapshot.services))[:MOST_GRAPHS]
        graphs = [
            with_beings(
                plain,
                name,
                [
                    Being(each.service_id, each.phase, each.pid, each.last_error)
                    for each in snapshot.services
                    if each.transaction == name
                ],
            )
            for name in transactions
        ]
        if len(graphs) > 1:
            graphs = [trimmed(each) for each in graphs]
        graphs = [with_messages(each, snapshot.deliveries) for each in graphs]
        return svg(scene_of(graphs or [plain], heading=len(graphs) > 1), themed=True)
