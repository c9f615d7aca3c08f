"""The live view as an application: what keys do, what is shown where. Knows Textual and the pieces beside it.

One thread of its own asks (`poller`), each order has one besides; what they find comes in as messages, so
that everything here happens on one thread.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

from context_bus.bus.insight import TopicRow
from context_bus.view.live import EVERY, Live
from context_bus.view.snapshot import KEPT, NOT_ASKED, ServiceView, Snapshot, totals
from context_bus.view.terminal import services, traffic
from context_bus.view.terminal.bars import Bars
from context_bus.view.terminal.columns import Cell, place
from context_bus.view.terminal.foot import Foot
from context_bus.view.terminal.keys import BINDINGS, BUS_HINTS, HINTS, hint_bar
from context_bus.view.terminal.orders import give_order
from context_bus.view.terminal.pane import Pane
from context_bus.view.terminal.poller import Poller
from context_bus.view.terminal.screens import Ask, Help
from context_bus.view.terminal.services import Choice
from context_bus.view.terminal.summary import first_line, second_line
from context_bus.view.terminal.table import Line, Sorting, Table

#: Seconds that a question which is under way may hold up the end.
PARTING = 0.5
#: What a shell reports for a command that Ctrl-C ended.
INTERRUPTED = 130


class TopApp(App[int]):
    """Services of one provider, live.

    Args:
        live: What is known of it.
        choice: What of it is shown at first.
        every: Seconds between two looks.
    """

    TITLE = "context-bus top"
    CSS_PATH = "top.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [*BINDINGS]

    class Refreshed(Message):
        """A snapshot has come."""

        def __init__(self, snapshot: Snapshot) -> None:
            super().__init__()
            self.snapshot = snapshot

    class Settled(Message):
        """What became of an order."""

        def __init__(self, words: str, *, is_bad: bool) -> None:
            super().__init__()
            self.words, self.is_bad = words, is_bad

    def __init__(self, live: Live, choice: Choice = Choice(), every: float = EVERY) -> None:  # noqa: B008
        super().__init__(ansi_color=True)
        self.live, self.choice = live, choice
        self.snapshot = live.latest
        self.is_paused = False
        self._bus_choice = Choice()
        self._cpu: deque[float] = deque(maxlen=KEPT)
        self._poller = Poller(live, every, lambda found: self.post_message(self.Refreshed(found)))
        self._hint_ends: list[tuple[int, str]] = []

    # -- life ------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """What there is, from top to bottom."""
        yield Bars(id="summary")
        yield Table[services.Shown](id="services")
        yield Table[TopicRow]("nobody has told of messages yet", id="traffic")
        yield Pane(self.live, id="pane")
        yield Foot(id="foot")
        yield Input(placeholder="part of an id, name, state or transaction", id="filter")
        yield Bars(id="keys")

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#services").focus()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            try:
                loop.add_signal_handler(number, self.exit, 128 + number)
            except (ValueError, RuntimeError):  # not the main thread: whoever runs us there sees to it
                break
        self._poller.start()

    def on_unmount(self) -> None:
        """End."""
        self._poller.close(PARTING)

    # -- showing ---------------------------------------------------------------------------------

    @property
    def is_bus(self) -> bool:
        """Whether topics are shown, not services."""
        return bool(self.query_one("#traffic").display)

    @property
    def chosen(self) -> ServiceView | None:
        """The chosen service."""
        key = self.query_one("#services", Table).cursor
        return next((each for each in self.snapshot.services if each.key == key), None)

    def on_top_app_refreshed(self, message: Refreshed) -> None:
        """Show what has come."""
        before, self.snapshot = self.snapshot, message.snapshot
        try:
            self._note(before)
            self.show()
        finally:
            self._poller.taken()

    def _note(self, before: Snapshot) -> None:
        found = self.snapshot
        if found.trouble:
            return
        self._cpu.append(totals(found.services).cpu_percent)
        if before.answered_at and before.pid != found.pid:
            self.query_one(Foot).say(f"another provider is there: pid {found.pid}")

    def show(self) -> None:
        """Show everything; what is as it was costs nothing."""
        if self.is_bus:
            self._show_traffic()
        else:
            self._show_services()
        width = self.size.width
        remarks = ("PAUSED" if self.is_paused else "", *self.snapshot.notes)
        bar = self.query_one("#summary", Bars)
        bar.show(
            first_line(self.snapshot, width, remarks), second_line(self.snapshot, width, tuple(self._cpu))
        )
        self._show_chosen()
        segments, self._hint_ends = hint_bar(BUS_HINTS if self.is_bus else HINTS, width)
        self.query_one("#keys", Bars).show(segments)

    def _show_services(self) -> None:
        table = self.query_one("#services", Table)
        found = services.groups(self.snapshot, self.choice)
        columns = services.columns_of(found, self.choice)
        placed = place(columns, table.size.width, services.longest_of(found))
        lines: list[Line] = []
        for group in found:
            if len(found) > 1:
                heading = Cell(group.heading)
                lines.append(Line((group.transaction,), (heading,), is_heading=True))
            lines += [Line(services.key_of(row), services.cells_of(row, placed)) for row in group.rows]
        table.empty = self._why_empty()
        table.show(placed, lines, Sorting(self.choice.sort, self.choice.inverted))

    def _why_empty(self) -> str:
        if self.snapshot.trouble == NOT_ASKED:
            return ""
        if not self.snapshot.answered_at:
            return "start one with 'context-bus service-context FILE', or name its file by -c FILE"
        if self.snapshot.services:
            return "no service is meant by that; Esc shows all" if self.choice.text else "no service is meant"
        return "no services yet; start them with 'context-bus start'"

    def _show_traffic(self) -> None:
        table, choice = self.query_one("#traffic", Table), self._bus_choice
        rows = traffic.chosen(self.snapshot, choice.text, choice.sort, inverted=choice.inverted)
        placed = place(traffic.COLUMNS, table.size.width, traffic.longest_of(rows))
        lines = [traffic.line_of(row, placed) for row in rows]
        table.show(placed, lines, Sorting(choice.sort, choice.inverted))

    def _show_chosen(self) -> None:
        chosen = None if self.is_bus else self.chosen
        text = (self._bus_choice if self.is_bus else self.choice).text
        remark = f"shown: what has '{text}' in it; Esc shows all" if text else ""
        if self.is_bus:
            remark = "  ".join(part for part in (remark, traffic.forwarder_words(self.snapshot)) if part)
        self.query_one(Foot).update(chosen, remark)
        self.query_one(Pane).update(chosen, self.snapshot.at)

    def on_table_chosen(self) -> None:
        """Tell of the one that is chosen now."""
        self._show_chosen()

    def on_table_resized(self) -> None:
        """Choose the columns that fit now."""
        self.call_later(self.show)

    # -- keys ------------------------------------------------------------------------------------

    def action_interrupt(self) -> None:
        """End as Ctrl-C ends a command."""
        self.exit(INTERRUPTED)

    def action_help(self) -> None:
        """Show all keys."""
        self.push_screen(Help())

    def action_pause(self) -> None:
        """Ask no more, or go on."""
        self.is_paused = not self.is_paused
        self._poller.pause(is_paused=self.is_paused)
        self.show()

    def action_repaint(self) -> None:
        """Paint everything again, after something else has written on the terminal."""
        self.refresh(repaint=True, layout=True)

    def action_order(self, action: str) -> None:
        """Start, stop or restart the chosen service; ask first where something ends by it."""
        service = self.chosen
        if self.is_bus or service is None:
            return
        if self.snapshot.trouble:
            self.query_one(Foot).say(f"nobody is there to {action} it", is_bad=True)
            return
        if action == "start" or service.pid is None:
            self._order(action, service)
            return
        question = f"{action.capitalize()} {service.service_id} (pid {service.pid})?"

        def decide(is_meant: bool | None) -> None:
            if is_meant:
                self._order(action, service)

        self.push_screen(Ask(question), decide)

    def _order(self, action: str, service: ServiceView) -> None:
        self.query_one(Foot).say(f"{action} {service.service_id} ...")
        give_order(
            self.live,
            action,
            service,
            lambda words, is_bad: self.post_message(self.Settled(words, is_bad=is_bad)),
        )

    def on_top_app_settled(self, message: Settled) -> None:
        """Tell what became of an order."""
        self.query_one(Foot).say(message.words, is_bad=message.is_bad)
        self._poller.hurry()

    def action_pane(self, kind: str) -> None:
        """Show something of the chosen service below; again closes it."""
        if self.is_bus:
            return
        pane = self.query_one(Pane)
        pane.open("" if pane.kind == kind else kind)
        if not pane.kind:
            self._whole_pane(False)
            self.query_one("#services").focus()
        self._show_chosen()

    def action_zoom(self) -> None:
        """Give the pane the place of the table, or give it back."""
        pane = self.query_one(Pane)
        if pane.kind:
            self._whole_pane(not pane.has_class("-whole"))

    def _whole_pane(self, is_whole: bool) -> None:
        pane = self.query_one(Pane)
        pane.set_class(is_whole, "-whole")
        self.screen.set_class(is_whole, "-whole-pane")
        (pane.content if is_whole else self.query_one("#services")).focus()

    def action_bus(self) -> None:
        """Show topics, or services again."""
        self.query_one(Pane).open("")
        self._whole_pane(False)
        table, bus = self.query_one("#services"), self.query_one("#traffic")
        table.display, bus.display = self.is_bus, not self.is_bus
        (bus if self.is_bus else table).focus()
        self.call_after_refresh(self.show)

    def action_retreat(self) -> None:
        """Close what was opened last: the pane, the filter, the topics."""
        pane = self.query_one(Pane)
        if pane.kind:
            self.action_pane(pane.kind)
        elif (self._bus_choice if self.is_bus else self.choice).text:
            self._filter("")
        elif self.is_bus:
            self.action_bus()

    # -- order and choice ------------------------------------------------------------------------

    def _choose(self, **changes: object) -> None:
        if self.is_bus:
            self._bus_choice = replace(self._bus_choice, **changes)  # type: ignore[arg-type]
        else:
            self.choice = replace(self.choice, **changes)  # type: ignore[arg-type]
        self.show()

    def action_sort(self, name: str) -> None:
        """Sort by a column; again turns it round."""
        choice = self._bus_choice if self.is_bus else self.choice
        columns = traffic.BY_NAME if self.is_bus else services.BY_NAME
        if name and (name not in columns or columns[name].key is None):
            return
        self._sort(name, inverted=name == choice.sort and bool(name) and not choice.inverted)

    def _sort(self, name: str, *, inverted: bool) -> None:
        """Sort, and go to the top: that is what one sorts for."""
        self._choose(sort=name, inverted=inverted)
        self.query_one("#traffic" if self.is_bus else "#services", Table).action_end(-1)

    def action_sort_by(self, step: int) -> None:
        """Sort by the next column, or the one before."""
        table = self.query_one("#traffic" if self.is_bus else "#services", Table)
        names = ["", *table.sortable]
        choice = self._bus_choice if self.is_bus else self.choice
        at = names.index(choice.sort) if choice.sort in names else 0
        self._sort(names[(at + step) % len(names)], inverted=False)

    def action_invert(self) -> None:
        """Turn the order round."""
        choice = self._bus_choice if self.is_bus else self.choice
        self._sort(choice.sort, inverted=not choice.inverted)

    def action_group(self) -> None:
        """Show transactions apart, or all services in one."""
        if not self.is_bus:
            self._choose(grouped=not self.choice.grouped)

    def on_table_title_clicked(self, message: Table.TitleClicked) -> None:
        """Sort by what was clicked."""
        self.action_sort(message.name)

    def on_click(self, event: events.Click) -> None:
        """Do what the hint that was clicked says."""
        if event.widget is not self.query_one("#keys"):
            return
        for end, action in self._hint_ends:
            if event.x < end:
                self.call_later(self.run_action, action)
                return

    # -- filter ----------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Let somebody type what is to be shown."""
        box = self.query_one("#filter", Input)
        box.value = (self._bus_choice if self.is_bus else self.choice).text
        box.set_class(True, "-open")
        box.focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Show what fits while it is typed."""
        if self.query_one("#filter").has_class("-open"):
            self._choose(text=message.value)

    def on_input_submitted(self) -> None:
        """Keep it."""
        self._close_filter()

    def _filter(self, text: str) -> None:
        self._choose(text=text)

    def _close_filter(self) -> None:
        self.query_one("#filter").set_class(False, "-open")
        self.query_one("#traffic" if self.is_bus else "#services").focus()

    def on_key(self, event: events.Key) -> None:
        """Esc in the filter takes it back."""
        if event.key == "escape" and self.query_one("#filter").has_class("-open"):
            event.stop()
            self._close_filter()
            self._filter("")
