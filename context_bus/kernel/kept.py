"""How kept values are asked for and given: by a filter of one's own. Knows the frame; must not know zmq.

Who joins late sets, besides the filter of its topic, one that nobody else has: ``~last.<topic>.<token>``. As
every filter it travels to all publishers. Who keeps a value of the topic answers with it under exactly that
word, so the forwarder gives it to the one that asked and to nobody else.

The word begins with ``~`` since libzmq sends filters in the order of their bytes when it connects anew: the
filter of the topic has to arrive first, or a value in between would reach nobody. (So it is for topics that
begin with an ASCII letter, digit or sign; for others it only nearly always is.)
"""

from __future__ import annotations

from context_bus.kernel.ids import new_token
from context_bus.kernel.message import SEPARATOR

#: How the word of every question and answer begins; no topic of a user's should.
PREFIX = b"~last."
#: The same as an XPUB socket tells of it.
ASKED = b"\x01" + PREFIX
_HEADER = b'{"header":{'
_KEPT = b'{"header":{"kept":true,'


def new_question(topic: str) -> bytes:
    """A filter that asks for the kept values of a topic; new at each call."""
    return b"%b%b.%b%b" % (PREFIX, topic.encode(), new_token(6).encode(), SEPARATOR)


def topic_of(question: bytes) -> str:
    """The topic that is asked for, empty if the filter is no question."""
    word, _, rest = question.removeprefix(PREFIX).rpartition(SEPARATOR)
    if rest or not question.startswith(PREFIX):
        return ""
    return word.rpartition(b".")[0].decode(errors="replace")


def answer(question: bytes, topic: str, frame: bytes) -> bytes:
    """A frame of the topic as an answer to the question."""
    return question + frame[len(topic.encode()) + len(SEPARATOR) :]


def is_answer(frame: bytes) -> bool:
    """Whether a frame answers a question, anybody's."""
    return frame.startswith(PREFIX)


def marked(body: bytes) -> bytes:
    """The JSON text of a kept value with ``kept`` in its header, for tools that show the text."""
    return _KEPT + body[len(_HEADER) :] if body.startswith(_HEADER) else body
