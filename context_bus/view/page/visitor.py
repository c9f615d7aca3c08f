"""One page that is open in a browser: what it wants to see, and what it orders. Knows starlette's socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import assert_never

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from context_bus.errors import ContextBusError
from context_bus.process.tail import follow
from context_bus.view.page import words
from context_bus.view.page.desk import Desk

#: What may wait for a browser that is slow; beyond it the page is closed, comes again and gets all anew.
WAITING = 400
#: Lines of a log that are shown at first, and most that are told at once.
LINES, MOST_LINES = 200, 500
#: Seconds over which lines are gathered, and that are left to others after each look at a file.
GATHER, BREATH = 0.1, 0.005
#: Orders of one page that may be under way.
ORDERS = 8
#: Close codes of WebSocket: try again later.
TRY_AGAIN = 1013


class Visitor:
    """Serves one page.

    Args:
        socket: Its socket, accepted.
        desk: What all pages share.
        may_act: Whether it may start, stop and restart.
    """

    def __init__(self, socket: WebSocket, desk: Desk, *, may_act: bool) -> None:
        self._socket, self._desk, self._may_act = socket, desk, may_act
        self._waiting: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self._is_slow = asyncio.Event()
        self._topic = ""
        self._following: asyncio.Task[None] | None = None
        self._orders: set[asyncio.Task[None]] = set()

    def tell(self, text: str) -> None:
        """Say something to the page, in its turn."""
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            self._is_slow.set()

    def hear(self, topic: str, text: str) -> None:
        """Hand on messages, if they are wanted."""
        if topic == self._topic:
            self.tell(text)

    async def serve(self) -> None:
        """Serve it until it goes."""
        self.tell(words.say("hello", may_act=self._may_act))
        self._desk.enter(self)
        tasks = [asyncio.ensure_future(each) for each in (self._talk(), self._listen(), self._is_slow.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._is_slow.is_set():
                await self._socket.close(TRY_AGAIN)
        finally:
            self._desk.leave(self)
            self._want("")
            left = [*tasks, *self._orders, *([self._following] if self._following else [])]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _talk(self) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await self._socket.send_text(await self._waiting.get())

    async def _listen(self) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                text = await self._socket.receive_text()
                try:
                    said = words.read(text)
                except msgspec.DecodeError:
                    self._refuse("not understood")
                    continue
                await self._obey(said)

    async def _obey(self, said: words.Said) -> None:
        match said:
            case words.Hear(topic):
                self._want(topic)
            case words.Follow():
                await self._follow(said)
            case words.Order():
                self._order(said)
            case _ as never:
                assert_never(never)

    # -- messages --------------------------------------------------------------------------------

    def _want(self, topic: str) -> None:
        if topic == self._topic:
            return
        before, self._topic = self._topic, topic
        if topic:
            self._desk.hearing.want(topic)
        if before:
            self._desk.hearing.leave(before)

    # -- logs ------------------------------------------------------------------------------------

    async def _follow(self, said: words.Follow) -> None:
        before, self._following = self._following, None
        if before is not None:
            before.cancel()
            await asyncio.gather(before, return_exceptions=True)
        if said.service:
            self._following = asyncio.ensure_future(self._tail(said))

    async def _tail(self, said: words.Follow) -> None:
        """Tell what a service writes, and why if that cannot be told."""
        name = {"transaction": said.transaction, "service": said.service}
        live = self._desk.live
        if live is None:
            return
        loop, kept = asyncio.get_running_loop(), _Kept()

        def flush() -> None:
            lines, left_out = kept.take()
            self.tell(words.say("log", lines=lines, is_new=False, left_out=left_out, **name))

        try:
            file = live.log_file(said.transaction, said.service)
            self.tell(words.say("log", lines=[], is_new=True, left_out=0, **name))
            async with contextlib.aclosing(follow({said.service: file}, LINES)) as written:
                async for _, text in written:
                    if kept.add(text):
                        loop.call_later(GATHER, flush)
                    await asyncio.sleep(BREATH)
        except (ContextBusError, OSError) as error:
            self.tell(words.say("log", lines=[str(error)], is_new=True, left_out=0, **name))

    # -- orders ----------------------------------------------------------------------------------

    def _order(self, said: words.Order) -> None:
        if not self._may_act:
            self._refuse("this page is read-only: open it with the URL that was printed at the start")
        elif len(self._orders) >= ORDERS:
            self._refuse("too many orders at once")
        else:
            task = asyncio.ensure_future(self._carry_out(said))
            self._orders.add(task)
            task.add_done_callback(self._orders.discard)

    async def _carry_out(self, said: words.Order) -> None:
        what = f"{said.action} {said.service}"
        live = self._desk.live
        try:
            if live is None:
                return
            outcome = await asyncio.to_thread(live.order, said.action, said.transaction, said.service)
        except (ContextBusError, OSError) as error:
            self._refuse(f"{what}: {error}")
            return
        is_done = outcome.kind.value == "done"
        reasons = [outcome.reason, *(row.reason for row in outcome.services)]
        why = "; ".join(dict.fromkeys(reason for reason in reasons if reason))
        text = f"{what}: {outcome.kind.value}" + (f": {why}" if why and not is_done else "")
        self.tell(words.say("outcome", ok=is_done, text=text))

    def _refuse(self, text: str) -> None:
        self.tell(words.say("outcome", ok=False, text=text))


class _Kept:
    """The last lines that were written since they were told last; a flood is counted."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=MOST_LINES)
        self._count = 0

    def add(self, text: bytes) -> bool:
        """Take in whole lines; returns whether they are the first."""
        is_first = not self._count
        lines = text.splitlines()
        self._count += len(lines)
        self._lines.extend(lines)
        return is_first and bool(lines)

    def take(self) -> tuple[list[str], int]:
        """The lines, and how many there were besides."""
        shown = [line[: words.MOST_SIGNS].decode(errors="replace") for line in self._lines]
        left_out = self._count - len(shown)
        self._lines.clear()
        self._count = 0
        return shown, left_out
