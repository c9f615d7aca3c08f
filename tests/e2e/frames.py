"""Frames that nobody should send: random, mutated, cut, nested, huge, of wrong types. Pure.

Knows the shapes of the old wire only. The same seed gives the same frames. No frame is a command that
a provider ought to obey by ending itself, nor one that a bystander ought to obey.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

#: Values of every type that JSON knows, and some that it does not.
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**63, 10**40, 1e308, -0.0, "", " ", "\x00", "@@@", "a @@@ b", "../..",
    "start", "stop", "context", "all", "\ud800", "é", "x" * 300, [], [[]], {}, {"": ""}, {"Task": 1}, [None],
    float("nan"), float("inf"),
)  # fmt: skip
#: Topics that somebody listens to.
TOPICS = ("context", "process", "control", "state", "prices")
#: Bytes of one huge frame.
HUGE = 1_000_000
#: One in so many frames is huge, and as many are nested very deeply.
RARE = 20_000


def seeds() -> list[tuple[str, Any]]:
    """Valid messages of all topics, about services in a directory that no provider allows."""
    message = {
        "header": {"action": "start", "service_id": "ts_f", "service_name": "fuzzed", "transaction": "FUZZ"},
        "content": {"configuration": {"location": "/nowhere", "device_action": "word"}},
    }
    calls = {trigger: {"action": "restart", "call": "ts_f"} for trigger in ("on_start", "on_fail", "on_exit")}
    task = {"description": "text", "message": message, "state": {"type": "on_start"} | calls}
    service = {
        "Task": task,
        "id": "ts_f",
        "instance": "Nowhere",
        "serviceType": "Process",
        "topic": "process",
    }
    made: list[tuple[str, Any]] = []
    for action in ("start", "stop", "restart", "top"):
        header = _header(action, "context", service_id="context001")
        made += [
            ("context", {"content": {"configuration": {"TaskService": [service]}}, "header": header}),
            ("context", {"content": {"configuration": {"TaskService": service}}, "header": header}),
            ("context", {"content": {"configuration": {}}, "header": header | {"service_name": "all"}}),
        ]
        asked = copy.deepcopy(service)
        asked["Task"]["message"]["header"]["action"] = action  # type: ignore[index]
        made.append(("process", asked))
    for action in ("started", "created", "updated", "stopped", "failed", "exited", "update"):
        for word in ("word", "context_info"):
            status: dict[str, Any] = {
                "result": "success",
                "device_action": word,
                "pid": 4711,
                "data": [{"FUZZ": {"tasks": []}}],
            }
            made.append(("control", {"content": {"status": status}, "header": _header(action, "fuzzed")}))
    for action in ("request", "top", "reply_context"):
        made.append(("state", {"content": {"configuration": {}}, "header": _header(action, "state")}))
    made.append(("prices", {"content": {"symbol": "X", "value": 1.5}, "header": _header("tick", "prices")}))
    return made


def _header(action: str, name: str, service_id: str = "ts_f") -> dict[str, Any]:
    return {
        "action": action,
        "service_id": service_id,
        "service_name": name,
        "service_transaction": "FUZZ",
        "sequence": 1,
        "sent_at": 1.0,
        "sender": "fuzz",
        "request_id": "r1",
        "reply_to": "nobody.listens",
        "cause": {"trigger": "on_exit", "service_id": "ts_f", "depth": 1},
    }


class FrameMaker:
    """An endless source of bad frames.

    Args:
        seed: Chooses the frames.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._seeds = seeds()
        self._valid = [self._frame(topic, message) for topic, message in self._seeds]
        self._kinds: dict[str, Callable[[], bytes]] = {
            "random bytes": self._noise,
            "topic and random bytes": self._noise_on_topic,
            "mutated": self._mutated,
            "truncated": self._truncated,
            "wrong types": self._wrong_type,
            "invalid UTF-8": self._invalid_utf8,
            "nested": self._nested,
            "at a service": self._at_service,
        }
        #: How many of each kind were made.
        self.counts = dict.fromkeys([*self._kinds, "huge"], 0)

    def frames(self, count: int) -> Iterator[bytes]:
        """Make so many frames."""
        names = list(self._kinds)
        made = 0
        while made < count:
            kind = "huge" if self._random.randrange(RARE) == 0 else self._random.choice(names)
            frame = self._huge() if kind == "huge" else self._kinds[kind]()
            if self._commands_an_end(frame):
                continue
            self.counts[kind] += 1
            made += 1
            yield frame

    # -- kinds -----------------------------------------------------------------------------------

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.randrange(200))

    def _noise_on_topic(self) -> bytes:
        return self._topic() + b" @@@ " + self._noise()

    def _mutated(self) -> bytes:
        """A valid frame with some bytes changed, inserted, removed or doubled behind its topic."""
        frame = bytearray(self._random.choice(self._valid))
        start = frame.index(b"@@@") + 4
        for _ in range(self._random.randint(1, 6)):
            place = self._random.randrange(start, max(start + 1, len(frame)))
            length = self._random.randint(1, 8)
            match self._random.randrange(4):
                case 0:
                    frame[place : place + 1] = self._random.randbytes(1)
                case 1:
                    frame[place:place] = self._random.choice(_TOKENS)
                case 2:
                    del frame[place : place + length]
                case _:
                    frame[place:place] = frame[place : place + length * 4]
        return bytes(frame)

    def _truncated(self) -> bytes:
        frame = self._random.choice(self._valid)
        return frame[: self._random.randrange(len(frame))]

    def _wrong_type(self) -> bytes:
        """A valid message in which one to three fields hold something else, or are missing."""
        topic, message = self._random.choice(self._seeds)
        message = copy.deepcopy(message)
        for _ in range(self._random.randint(1, 3)):
            message = self._replace(message)
        return self._frame(topic, message)

    def _replace(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self._random.random() < 0.85:
            key = self._random.choice(list(value))
            if self._random.random() < 0.1:
                del value[key]
            else:
                value[key] = self._replace(value[key])
            return value
        if isinstance(value, list) and value and self._random.random() < 0.85:
            value[0] = self._replace(value[0])
            return value
        return copy.deepcopy(self._random.choice(ODD))

    def _invalid_utf8(self) -> bytes:
        frame = self._random.choice(self._valid)
        place = self._random.randrange(len(frame))
        return (
            frame[:place]
            + self._random.choice((b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\x80"))
            + frame[place:]
        )

    def _nested(self) -> bytes:
        """Brackets within brackets: mostly a few hundred, now and then a hundred thousand."""
        depth = 100_000 if self._random.randrange(RARE // 8) == 0 else self._random.randrange(600)
        inside = self._random.choice((b"[", b'{"a":', b'{"header":', b'[{"content":'))
        close = b"]" * depth if self._random.random() < 0.5 else b""
        return self._topic() + b" @@@ " + self._random.choice((b"", b'{"content":')) + inside * depth + close

    def _at_service(self) -> bytes:
        """What arrives at one service: on a topic that it has a handler for, or as another's report."""
        topic = self._random.choice((b"prices", b"prices", b"control"))
        match self._random.randrange(3):
            case 0:
                body = self._noise()
            case 1:
                body = json.dumps(self._random.choice(ODD)).encode()
            case _:
                body = self._random.choice((self._wrong_type, self._mutated))().partition(b" @@@ ")[2]
        return topic + b" @@@ " + body

    def _huge(self) -> bytes:
        topic = self._topic()
        match self._random.randrange(4):
            case 0:
                return topic + b" @@@ " + self._random.randbytes(HUGE)
            case 1:
                return topic + b' @@@ {"header": {"action": "' + b"x" * HUGE + b'"}}'
            case 2:
                return topic + b" @@@ [" + b"0," * (HUGE // 2) + b"0]"
            case _:
                header = json.dumps(_header("start", "context")).encode()
                return topic + b' @@@ {"header": ' + header + b', "content": {"x": "' + b"y" * HUGE + b'"}}'

    # -- parts -----------------------------------------------------------------------------------

    def _topic(self) -> bytes:
        return self._random.choice(TOPICS).encode()

    @staticmethod
    def _frame(topic: str, message: Any) -> bytes:
        return f"{topic} @@@ {json.dumps(message)}".encode()

    @staticmethod
    def _commands_an_end(frame: bytes) -> bool:
        """Whether a provider would be right to end on this frame."""
        topic, _, body = frame.partition(b"@@@")
        return topic.strip() == b"context" and b'"exit"' in body


_TOKENS = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"1e999", b"@@@", b" @@@ ", b"\x00", b"\\u0000",
    b"\\ud800", b"-", b"true", b'""', b'"a":1,', b"\xf0\x9f\x9a\x80",
)  # fmt: skip
