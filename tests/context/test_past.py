"""What is told of the past: from memory, from the store, and from both without a gap or a double."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from context_bus.context.commands import EventReply, EventTexts, LoggedEvent
from context_bus.context.eventlog import KEPT, EventLog
from context_bus.context.events import ReplyTo
from context_bus.context.instructions import SendEvents
from context_bus.context.past import Past
from context_bus.context.trace import CodeChanged
from context_bus.store.address import Address, address_of
from context_bus.store.archive import Archive
from context_bus.store.changes import EventHappened
from context_bus.store.place import place_of, prepare
from context_bus.store.recorder import Recorder
from context_bus.store.remembered import EVENTS_OF_RUN
from context_bus.store.scribe import Limits
from tests.store.recording import recording, run

#: The second run of a provider; the first one had three events.
SECOND = 2 * EVENTS_OF_RUN
FIRST = tuple(EVENTS_OF_RUN + number for number in (1, 2, 3))
NEVER = 2**53 - 1


@pytest.fixture
def address(tmp_path: Path) -> Address:
    """A store in which one run of a provider has left its events."""
    place = place_of(tmp_path / "main.xml")
    prepare(place)
    address = address_of(place)

    async def first() -> None:
        async with recording(address) as (recorder, _):
            for number in FIRST:
                recorder.record(EventHappened(number, 1.0, "code_changed", "T", "s1", '{"files":["x"]}'))

    run(first())
    return address


def log_of(count: int, begin: int = SECOND + 1, recorder: Recorder | None = None) -> EventLog:
    """A log with so many events, each of which is recorded."""

    def told(event: LoggedEvent) -> None:
        if recorder is not None:
            data = msgspec.json.encode(event.data).decode()
            recorder.record(
                EventHappened(event.sequence, event.at, event.kind, event.transaction, event.service_id, data)
            )

    log = EventLog(lambda: 5.0, told)
    log.begin(begin)
    for _ in range(count):
        log.add(CodeChanged(("a",), ()))
    return log


async def ask(log: EventLog, archive: Archive | None, after: int, limit: int = 0) -> EventReply:
    """The answer to one question."""
    said: list[EventTexts] = []
    past = Past(log, archive, lambda to, told: said.append(told))
    past.answer(SendEvents(ReplyTo("inbox", "r1"), after, limit))
    await past.finish()
    (told,) = said
    return msgspec.json.decode(msgspec.json.encode(told), type=EventReply)


def numbers(reply: EventReply) -> list[int]:
    """The numbers of the events in an answer."""
    return [event.sequence for event in reply.events]


@pytest.mark.parametrize(
    ("after", "limit", "expected", "first"),
    [
        (0, 0, [*FIRST, SECOND + 1, SECOND + 2], FIRST[0]),
        (0, 3, [FIRST[2], SECOND + 1, SECOND + 2], FIRST[0]),
        (0, 1, [SECOND + 2], FIRST[0]),
        (1, 0, [*FIRST, SECOND + 1, SECOND + 2], FIRST[0]),
        (1, 2, [*FIRST[:2]], FIRST[0]),
        (FIRST[0], 0, [*FIRST[1:], SECOND + 1, SECOND + 2], FIRST[1]),
        (FIRST[2], 1, [SECOND + 1], SECOND + 1),
        (SECOND, 0, [SECOND + 1, SECOND + 2], SECOND + 1),
        (SECOND + 2, 0, [], SECOND + 3),
        (NEVER, 0, [], SECOND + 3),
    ],
)
def test_next_provider_tells_what_the_one_before_did(
    address: Address, after: int, limit: int, expected: list[int], first: int
) -> None:
    """Every event once and in order, the first ones after a number or the last ones of all."""

    async def look() -> None:
        async with recording(address) as (recorder, _):
            log = log_of(2, recorder=recorder)
            reply = await ask(log, Archive(address, recorder.flushed), after, limit)
            assert numbers(reply) == expected
            assert (reply.first, reply.last, reply.trouble) == (first, SECOND + 2, "")

    run(look())


def test_event_from_the_store_is_what_it_was(address: Address) -> None:
    """All of its fields, its data as an object."""

    async def look() -> None:
        async with recording(address) as (recorder, _):
            reply = await ask(log_of(1), Archive(address, recorder.flushed), 0, 2)
            data = {"files": ["x"]}
            assert reply.events[0] == LoggedEvent(FIRST[2], 1.0, "code_changed", "T", "s1", data)
            assert reply.events[1].data["instances"] == ["a"]

    run(look())


def test_what_memory_forgot_is_in_the_store(address: Address) -> None:
    """Although it was recorded this very moment: no gap between the two, and the oldest one is known."""
    count = KEPT + 500

    async def look() -> None:
        async with recording(address, limits=Limits(leisure=0.0, linger=60.0)) as (recorder, _):
            log = log_of(count, recorder=recorder)
            assert not log.is_whole
            archive = Archive(address, recorder.flushed, patience=30)
            assert numbers(await ask(log, archive, FIRST[1])) == [
                FIRST[2],
                *range(SECOND + 1, SECOND + count + 1),
            ]
            assert numbers(await ask(log, archive, SECOND + 100, 2)) == [SECOND + 101, SECOND + 102]

    run(look())


def test_store_is_not_asked_for_what_memory_has(address: Address) -> None:
    """Not for what is new, and for nothing at all in the first run of all: nothing can be older."""

    async def never() -> None:
        raise AssertionError("the store was asked")

    async def look() -> None:
        asked = Archive(address, never)
        asked._read = lambda read: pytest.fail("the store was asked")  # type: ignore[method-assign]
        assert numbers(await ask(log_of(3), asked, SECOND, 2)) == [SECOND + 1, SECOND + 2]
        first = log_of(3, EVENTS_OF_RUN + 1)
        assert numbers(await ask(first, asked, 0)) == [EVENTS_OF_RUN + number for number in (1, 2, 3)]
        assert numbers(await ask(first, asked, 1)) == [EVENTS_OF_RUN + number for number in (1, 2, 3)]

    run(look())


def test_store_that_cannot_be_read_is_told(address: Address) -> None:
    """With what memory has, and with the first number that can be had now."""

    async def look() -> None:
        assert address.path is not None
        address.path.write_bytes(b"no database at all" * 100)
        reply = await ask(log_of(2), Archive(address, asyncio.Event().wait), FIRST[0])
        assert numbers(reply) == [SECOND + 1, SECOND + 2]
        assert reply.first == SECOND + 1
        assert "cannot be read: file is not a database" in reply.trouble

    run(look())


def test_question_that_is_asked_again_is_answered_once(address: Address) -> None:
    """Who waits for long repeats it; the store need not be read for each time."""

    async def look() -> None:
        said: list[ReplyTo] = []
        async with recording(address) as (recorder, _):
            archive = Archive(address, recorder.flushed)
            past = Past(log_of(1), archive, lambda to, told: said.append(to))
            for request in ("r1", "r1", "r2", "r1"):
                past.answer(SendEvents(ReplyTo("inbox", request), FIRST[0], 0))
            await past.finish()
        assert sorted(each.request_id for each in said) == ["r1", "r2"]

    run(look())


def test_without_a_store_memory_is_all_there_is() -> None:
    """The first number says so."""

    async def look() -> None:
        reply = await ask(log_of(KEPT + 10), None, SECOND)
        assert (reply.first, len(reply.events)) == (SECOND + 11, KEPT)
        assert numbers(await ask(log_of(KEPT + 10), None, 0, 2)) == [SECOND + KEPT + 9, SECOND + KEPT + 10]

    run(look())
