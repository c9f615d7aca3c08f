"""The live view as an application: what keys do, what is shown where. Knows Textual and the pieces beside it.

One thread of its own asks (`poller`), each order has one besides; what they find comes in as messages, so
that everything here happens on one thread.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType

from context_bus.view.live import EVERY, Live
from context_bus.view.snapshot import KEPT, ServiceView, Snapshot, totals
from context_bus.view.terminal.bars import Bars
from context_bus.view.terminal.filterbox import FilterBox
from context_bus.view.terminal.foot import Foot
from context_bus.view.terminal.keybar import KeyBar
from context_bus.view.terminal.keys import BINDINGS, BUS_HINTS, HINTS
from context_bus.view.terminal.orders import give_order
from context_bus.view.terminal.pane import Pane
from context_bus.view.terminal.poller import Poller
from context_bus.view.terminal.screens import Ask, Help
from context_bus.view.terminal.services import Choice
from context_bus.view.terminal.summary import first_line, second_line
from context_bus.view.terminal.table import Table
from context_bus.view.terminal.tables import ChosenTable, ServiceTable, TopicTable
from context_bus.view.terminal.told import Refreshed, Settled
from context_bus.view.terminal.traffic import forwarder_words

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

    def __init__(self, live: Live, choice: Choice = Choice(), every: float = EVERY) -> None:  # noqa: B008
        super().__init__(ansi_color=True)
        self.live, self._first_choice = live, choice
        self.snapshot = live.latest
        self.is_paused = self._is_bus = False
        self._cpu: deque[float] = deque(maxlen=KEPT)
        self._poller = Poller(live, every, lambda found: self.post_message(Refreshed(found)))

    # -- life ------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """What there is, from top to bottom."""
        yield Bars(id="summary")
        yield ServiceTable(self._first_choice, id="services")
        yield TopicTable(Choice(), id="traffic")
        yield Pane(self.live, id="pane")
        yield Foot(id="foot")
        yield FilterBox(id="filter")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Begin."""
        self.table.focus()
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
    def table(self) -> ChosenTable[Any]:
        """What is shown: services, or topics."""
        return self.query_one(TopicTable if self._is_bus else ServiceTable)

    @property
    def chosen(self) -> ServiceView | None:
        """The chosen service, if services are shown."""
        return self.table.chosen if isinstance(self.table, ServiceTable) else None

    def on_refreshed(self, message: Refreshed) -> None:
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
        table, width = self.table, self.size.width
        table.tell(self.snapshot)
        remarks = ("PAUSED" if self.is_paused else "", *self.snapshot.notes)
        self.query_one("#summary", Bars).show(
            first_line(self.snapshot, width, remarks), second_line(self.snapshot, width, tuple(self._cpu))
        )
        hints = HINTS if isinstance(table, ServiceTable) else BUS_HINTS
        self.query_one(KeyBar).remind(hints)
        self._show_chosen()

    def _show_chosen(self) -> None:
        text = self.table.choice.text
        remark = f"shown: what has '{text}' in it; Esc shows all" if text else ""
        if isinstance(self.table, TopicTable):
            remark = "  ".join(part for part in (remark, forwarder_words(self.snapshot)) if part)
        self.query_one(Foot).update(self.chosen, remark)
        self.query_one(Pane).update(self.chosen, self.snapshot.at)

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
        if service is None:
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
            lambda words, is_bad: self.post_message(Settled(words, is_bad=is_bad)),
        )

    def on_settled(self, message: Settled) -> None:
        """Tell what became of an order."""
        self.query_one(Foot).say(message.words, is_bad=message.is_bad)
        self._poller.hurry()

    def action_pane(self, kind: str) -> None:
        """Show something of the chosen service below; again closes it."""
        if not isinstance(self.table, ServiceTable):
            return
        pane = self.query_one(Pane)
        pane.open("" if pane.kind == kind else kind)
        if not pane.kind:
            self._whole_pane(False)
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
        (pane.content if is_whole else self.table).focus()

    def action_bus(self) -> None:
        """Show topics, or services again."""
        self.query_one(Pane).open("")
        self._whole_pane(False)
        self._is_bus = not self._is_bus
        self.query_one(ServiceTable).display = not self._is_bus
        self.query_one(TopicTable).display = self._is_bus
        self.table.focus()
        self.call_after_refresh(self.show)

    def action_retreat(self) -> None:
        """Close what was opened last: the pane, the filter, the topics."""
        pane = self.query_one(Pane)
        if pane.kind:
            self.action_pane(pane.kind)
        elif self.table.choice.text:
            self._choose(text="")
        elif isinstance(self.table, TopicTable):
            self.action_bus()

    # -- order and choice ------------------------------------------------------------------------

    def _choose(self, **changes: object) -> None:
        self.table.choose_by(**changes)
        self._show_chosen()

    def action_sort(self, name: str) -> None:
        """Sort by a column; again turns it round."""
        self.table.sort(name)

    def action_sort_by(self, step: int) -> None:
        """Sort by the next column, or the one before."""
        self.table.sort_by(step)

    def action_invert(self) -> None:
        """Turn the order round."""
        self.table.invert()

    def action_group(self) -> None:
        """Show transactions apart, or all services in one."""
        if isinstance(self.table, ServiceTable):
            self._choose(grouped=not self.table.choice.grouped)

    def on_table_title_clicked(self, message: Table.TitleClicked) -> None:
        """Sort by what was clicked."""
        self.action_sort(message.name)

    def action_filter(self) -> None:
        """Let somebody type what is to be shown."""
        self.query_one(FilterBox).open(self.table.choice.text)

    def on_filter_box_typed(self, message: FilterBox.Typed) -> None:
        """Show what fits while it is typed."""
        self._choose(text=message.text)

    def on_filter_box_left(self) -> None:
        """Go on with the keys of the table."""
        self.table.focus()
