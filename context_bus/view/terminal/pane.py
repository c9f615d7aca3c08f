"""The lower part of the live view: one of log, events and details of the chosen service. Knows Textual."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from context_bus.errors import ContextBusError
from context_bus.view.live import Live
from context_bus.view.snapshot import ServiceKey, ServiceView
from context_bus.view.terminal.bars import Bars
from context_bus.view.terminal.columns import fitted
from context_bus.view.terminal.foot import short_path
from context_bus.view.terminal.panes import DetailPane, EventPane, LogPane

TITLE = Style(bold=True, reverse=True)
#: Events that are shown.
EVENTS = 200
#: What can be shown.
LOG, EVENTS_OF_ONE, EVENTS_OF_ALL, DETAILS = "log", "events", "all", "details"


class Pane(Vertical):
    """Shows one thing, of the service that is chosen."""

    def __init__(self, live: Live, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._live = live
        #: What is shown; empty if it is closed.
        self.kind = ""
        self._shown: tuple[str, ServiceKey | None, str] = ("", None, "")

    def compose(self) -> ComposeResult:
        """All of it; one is seen at a time."""
        yield Bars(id="title")
        yield LogPane(id="log")
        yield EventPane(id="events")
        yield DetailPane(id="details")

    @property
    def content(self) -> Widget:
        """What is seen."""
        name = {EVENTS_OF_ALL: "events"}.get(self.kind, self.kind or "log")
        return self.query_one(f"#{name}")

    def open(self, kind: str) -> None:
        """Show something, or nothing if the kind is empty."""
        self.kind = kind
        self.set_class(bool(kind), "-open")
        self.set_class(kind == DETAILS, "-details")
        for name, each in (("log", LogPane), ("events", EventPane), ("details", DetailPane)):
            is_shown = bool(kind) and self.content is self.query_one(f"#{name}", each)
            self.query_one(f"#{name}").set_class(is_shown, "-shown")
        if kind != LOG:
            self.query_one(LogPane).leave()
        self._shown = ("", None, "")

    def update(self, service: ServiceView | None, now: float) -> None:
        """Go on with a service, which may be another one than before."""
        if not self.kind:
            return
        key = None if service is None or self.kind == EVENTS_OF_ALL else service.key
        log = service.log if service is not None else ""
        is_new = self._shown != (self.kind, key, log)
        self._shown = (self.kind, key, log)
        if self.kind == LOG and is_new:
            self._follow(service)
        elif self.kind in {EVENTS_OF_ONE, EVENTS_OF_ALL}:
            self._tell_events(service, is_new=is_new)
        elif self.kind == DETAILS and service is not None:
            self.query_one(DetailPane).tell(service, now)
        self._entitle(service)

    def _follow(self, service: ServiceView | None) -> None:
        pane = self.query_one(LogPane)
        if service is None:
            pane.leave()
            return
        try:
            pane.follow(self._live.log_file(*service.key))
        except ContextBusError as error:
            pane.say(str(error))

    def _tell_events(self, service: ServiceView | None, *, is_new: bool) -> None:
        pane = self.query_one(EventPane)
        if is_new:
            pane.begin()
        if self.kind == EVENTS_OF_ALL:
            pane.add(self._live.events(limit=EVENTS))
        elif service is not None:
            pane.add(self._live.events(*service.key, limit=EVENTS))

    def _entitle(self, service: ServiceView | None) -> None:
        name = service.service_id if service is not None else "no service"
        words = {
            LOG: f"log of {name}  {short_path(service.log) if service is not None else ''}",
            EVENTS_OF_ONE: f"events of {name}",
            EVENTS_OF_ALL: "events of all",
            DETAILS: name,
        }[self.kind]
        self.query_one("#title", Bars).show([Segment(fitted(f" {words}", self.size.width), TITLE)])
