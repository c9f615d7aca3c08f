"""What the provider hears on the bus. Knows the bus and the reader; must not know what it means.

Commands and reports come over separate sockets, so that a flood of reports does not delay a command.
Whatever arrives, nothing is raised: what cannot be used is counted and shown.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from context_bus.bus.aio import AsyncBus
from context_bus.config.model import PROCESS_TOPIC
from context_bus.context.commands import CONTEXT_TOPIC, STATE_TOPIC
from context_bus.context.doorway import Doorway
from context_bus.context.events import Event
from context_bus.context.reading import Reader
from context_bus.context.roots import Roots
from context_bus.context.trace import FrameIgnored, MessagesLost, ProviderEvent
from context_bus.errors import FrameError
from context_bus.kernel.message import Frame
from context_bus.service.reports import CONTROL_TOPIC

_log = logging.getLogger(__name__)

#: Seconds from a frame to a look at what was lost before it, or ignored without a word.
LOOK_EVERY = 1.0
#: Ignored frames that are shown between two looks; of more only the last is, with the count of all.
SHOWN_AT_ONCE = 5


class Ears:
    """Hears for one provider.

    Args:
        commands: Node for commands; the one the provider speaks with.
        reports: Node for reports.
        roots: Where services may come from.
        post: Takes the events.
        show: Told of frames that could not be used, and of messages that were lost.
        doorway: Where clients come in that do not use the bus.
    """

    def __init__(
        self,
        commands: AsyncBus,
        reports: AsyncBus,
        roots: Roots,
        post: Callable[[Event], None],
        show: Callable[[ProviderEvent], None],
        doorway: Doorway,
    ) -> None:
        self._commands, self._reports, self._post, self._show = commands, reports, post, show
        self._doorway = doorway
        reader = Reader(frozenset({commands.publisher.sender}), roots)
        #: How what a client says is read, by topic; of reports only services make any.
        self._readers: dict[str, Callable[[bytes], Iterable[Event]]] = {
            STATE_TOPIC: lambda body: _one(reader.query(body)),
            PROCESS_TOPIC: lambda body: _one(reader.process(body)),
            CONTEXT_TOPIC: lambda body: _one(reader.command(body)),
        }
        self._read_reports = reader.reports
        #: Frames that could not be used.
        self.ignored = 0
        self._lost = 0
        self._shown = 0
        self._unshown: FrameIgnored | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._look: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Listen; returns when nothing can be missed any more."""
        # Commands last: who sees that they are heard may command, and ask, at once.
        self._listen(self._reports, CONTROL_TOPIC, self._read_reports)
        await self._serve(self._reports)
        for topic, read in self._readers.items():
            self._listen(self._commands, topic, read)
        await self._serve(self._commands)
        await self._doorway.open(self._take_in)

    async def close(self) -> None:
        """Listen no longer."""
        await self._doorway.close()
        if self._look is not None:
            self._look.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._show_rest()

    def _listen(self, bus: AsyncBus, topic: str, read: Callable[[bytes], Iterable[Event]]) -> None:
        def hear(frame: Frame) -> None:
            if self._look is None:  # what is missing shows when another arrives
                self._look = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look_for_losses)
            self._hear(topic, read, frame.body)

        bus.subscribe(topic, hear)

    def _take_in(self, topic: str, body: bytes) -> None:
        """Hear a client that came by the doorway."""
        read = self._readers.get(topic)
        if read is None:
            self._ignore(
                topic, f"nothing is taken in on topic '{topic}'; expected {', '.join(self._readers)}"
            )
        else:
            self._hear(topic, read, body)

    def _hear(self, topic: str, read: Callable[[bytes], Iterable[Event]], body: bytes) -> None:
        try:
            for event in read(body):
                self._post(event)
        except FrameError as error:
            self._ignore(topic, str(error))
        except Exception:  # noqa: BLE001
            # The border to whatever anybody may send: a fault of ours must not end the provider.
            _log.exception("could not handle a frame: topic=%s bytes=%d", topic, len(body))

    def _ignore(self, topic: str, reason: str) -> None:
        """Count a frame that cannot be used, and show it unless many come: a flood must not flood the log."""
        self.ignored += 1
        ignored = FrameIgnored(topic, reason, self.ignored)
        if self._shown < SHOWN_AT_ONCE:
            self._shown += 1
            self._show(ignored)
        else:
            self._unshown = ignored

    def _show_rest(self) -> None:
        """Show the last of those that were not, with the count of all."""
        ignored, self._unshown, self._shown = self._unshown, None, 0
        if ignored is not None:
            self._show(ignored)

    async def _serve(self, bus: AsyncBus) -> None:
        """Take what arrives; returns when nothing can be missed any more."""
        self._tasks.append(asyncio.create_task(self._take(bus), name="hear"))
        await bus.barrier()

    @staticmethod
    async def _take(bus: AsyncBus) -> None:
        while True:
            try:
                await bus.serve()
            except Exception:  # noqa: BLE001  # the border to whatever anybody may send
                _log.exception("could not deliver a frame")

    def _look_for_losses(self) -> None:
        """Show what is known to be missing, for all the frames of a while at once."""
        self._look = None
        self._show_rest()
        lost = self._commands.stats().lost + self._reports.stats().lost
        if lost > self._lost:
            self._lost = lost
            self._show(MessagesLost(lost))


def _one(event: Event | None) -> Iterable[Event]:
    return () if event is None else (event,)
