"""What a tool that listens makes of kept values. Knows frames and news; must not know zmq."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from context_bus.bus.counters import Counters, read_envelope
from context_bus.bus.counters import Sequence as Numbers
from context_bus.bus.novelty import Novelty
from context_bus.errors import FrameError
from context_bus.kernel.kept import PREFIX, is_answer, marked, new_question
from context_bus.kernel.message import SEPARATOR, UNREADABLE, join_frame, split_frame


class Latecomer:
    """Asks for the kept values of topics, and takes those that are news for messages of these topics.

    Args:
        topics: The topics; none asks for nothing.
    """

    def __init__(self, topics: Sequence[str] = ()) -> None:
        self._counters = {topic: Counters(topic, silent=True) for topic in topics}
        self._news = {
            new_question(topic): Novelty(topic, functools.partial(self._counters.__getitem__, topic))
            for topic in topics
        }

    @property
    def questions(self) -> list[bytes]:
        """The filters to set, after those of the topics."""
        return list(self._news)

    def sift(self, frames: Iterable[bytes]) -> list[bytes]:
        """The frames for the user, those that were kept marked; what others asked for is left out."""
        if not self._news:  # at the speed of a flood, for whoever measures one
            return [frame for frame in frames if not frame.startswith(PREFIX)]
        return [told for frame in frames if (told := self._told(frame)) is not None]

    def _told(self, frame: bytes) -> bytes | None:
        if is_answer(frame):
            word, mark, body = frame.partition(SEPARATOR)
            news = self._news.get(word + mark)
            return join_frame(news.topic, marked(body)) if news is not None and news.is_news(body) else None
        self._note(frame)
        return frame

    def _note(self, frame: bytes) -> None:
        try:
            topic, body = split_frame(frame)
            header = read_envelope(body).header
        except FrameError:
            return
        except UNREADABLE:
            header = Numbers()
        counters = self._counters.get(topic)
        if counters is None:
            return
        if header.sequence > 0:
            counters.note(header.sender, header.sequence, max(1, header.batch))
        else:
            counters.unnumbered += 1
