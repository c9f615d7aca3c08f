"""What commands write into their feedback files becomes events; what they do not write, too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from context_bus.config.supervision import Feedback, Supervision
from context_bus.context.events import Event, FeedbackRead, Key, LifeLost, ProbeAnswered
from context_bus.context.feedback import FeedbackFiles, Feedbacks
from context_bus.context.roots import Roots
from context_bus.errors import ServiceError

from .sim import context, program

KEY = Key("TX1", "a")


class World:
    """Follows one command that is written by the test itself."""

    def __init__(self, directory: Path, **conf: object) -> None:
        feedback = replace(Feedback(every=0.05), **conf)  # type: ignore[arg-type]
        self.conf = replace(program("a"), supervision=Supervision(feedback=feedback))
        self.files = FeedbackFiles(str(directory / "state"))
        self.path = directory / feedback.file if feedback.file else self.files.of(KEY)
        self.events: list[Event] = []
        self.came = asyncio.Event()
        self.feedbacks = Feedbacks(self.post, lambda key, conf: self.path, self.files)

    def post(self, event: Event) -> None:
        self.events.append(event)
        self.came.set()

    def told(self) -> list[dict[str, str]]:
        """What it has said."""
        return [dict(event.values) for event in self.events if isinstance(event, FeedbackRead)]

    def begin(self, number: int = 1) -> None:
        """A process of it runs and is ready."""
        self.feedbacks.prepare(KEY, number, self.conf)
        self.feedbacks.watch(KEY, number)

    def append(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self.came.clear()
                await self.came.wait()


def play(world: Callable[[], World], story: Callable[[World], Awaitable[None]]) -> World:
    """Live through a story in a loop."""

    async def work() -> World:
        here, failed = world(), []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failed.append(context))
        try:
            await story(here)
        finally:
            here.feedbacks.close()
        assert not failed
        return here

    return asyncio.run(work())


def test_each_change_is_told_with_all_that_holds(tmp_path: Path) -> None:
    """Also a value that is cleared; a sign of life without news is not told."""

    async def story(here: World) -> None:
        here.begin()
        here.append("[progress]12\n")
        await here.until(lambda: len(here.told()) == 1)
        here.append("[heartbeat]\n[info]half\n")
        await here.until(lambda: len(here.told()) == 2)
        here.append("[heartbeat]\n")
        here.append("[info]\n[progress]15\n")
        await here.until(lambda: len(here.told()) == 3)

    here = play(lambda: World(tmp_path), story)
    assert here.told() == [{"progress": "12"}, {"progress": "12", "info": "half"}, {"progress": "15"}]


def test_file_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    """As a script does with ``>``, be it of the same length; the empty moment between is not told."""

    async def story(here: World) -> None:
        here.begin()
        for number in range(10, 15):
            here.path.write_text(f"[progress]{number}\n")
            await here.until(lambda wanted=str(number): {"progress": wanted} in here.told())  # type: ignore[misc]

        here.path.write_text("[info]another word\n")
        await here.until(lambda: len(here.told()) == 6)

    here = play(lambda: World(tmp_path), story)
    assert here.told() == [*({"progress": str(number)} for number in range(10, 15)), {"info": "another word"}]


def test_flood_is_told_a_few_times_a_second(tmp_path: Path) -> None:
    """However much is written, and the newest in the end."""
    took = 0.0

    async def story(here: World) -> None:
        nonlocal took
        loop = asyncio.get_running_loop()
        here.begin()
        began = loop.time()
        for number in range(300):
            here.append("".join(f"[progress]{number}.{part}\n" for part in range(100)))
            await asyncio.sleep(0)
        await here.until(lambda: {"progress": "299.99"} in here.told())
        took = loop.time() - began

    here = play(lambda: World(tmp_path, every=0.2), story)
    assert len(here.told()) <= took / 0.2 + 2


def test_backlog_that_takes_many_looks_is_told_no_faster(tmp_path: Path) -> None:
    """What was read so far is told now and then, while the loop has time for others in between."""
    took = 0.0

    async def story(here: World) -> None:
        nonlocal took
        loop = asyncio.get_running_loop()
        here.feedbacks.prepare(KEY, 1, here.conf)
        here.append("".join(f"[number]{number}\n" for number in range(200_000)))
        began = loop.time()
        here.feedbacks.watch(KEY, 1)
        assert here.told()[0] != {"number": "199999"}
        await here.until(lambda: {"number": "199999"} in here.told())
        took = loop.time() - began

    here = play(lambda: World(tmp_path, every=0.2), story)
    assert len(here.told()) <= took / 0.2 + 2


def test_last_word_is_told_before_the_end(tmp_path: Path) -> None:
    """Also of a process that was never watched, and of a line without an end; then the file is gone."""

    async def story(here: World) -> None:
        here.feedbacks.prepare(KEY, 1, here.conf)
        here.append("[progress]100")
        here.feedbacks.end(KEY, 1)
        assert here.told() == [{"progress": "100"}]
        assert not here.path.exists()
        here.feedbacks.watch(KEY, 1)  # it comes too late and has no effect
        here.append("[progress]101\n")

    here = play(lambda: World(tmp_path), story)
    assert here.told() == [{"progress": "100"}]
    assert not (tmp_path / "state" / "feedback").exists()


def test_what_an_earlier_process_left_is_not_read(tmp_path: Path) -> None:
    """Its provider was killed before it could remove the file."""

    async def story(here: World) -> None:
        here.path.parent.mkdir(parents=True)
        here.append("[progress]99\n")
        here.begin()
        here.append("[progress]1\n")
        await here.until(here.told)

    here = play(lambda: World(tmp_path), story)
    assert here.told() == [{"progress": "1"}]


def test_file_of_somebody_else_is_neither_read_from_before_nor_removed(tmp_path: Path) -> None:
    """It may be anything that was named by mistake."""

    async def story(here: World) -> None:
        here.append("[progress]99\n")
        here.begin()
        here.append("[info]goes on\n")
        await here.until(here.told)
        here.feedbacks.end(KEY, 1)

    here = play(lambda: World(tmp_path, file="f.log"), story)
    assert here.told() == [{"info": "goes on"}]
    assert here.path.read_text() == "[progress]99\n[info]goes on\n"


def test_adopted_process_is_read_from_its_beginning(tmp_path: Path) -> None:
    """What it has said so far holds."""

    async def story(here: World) -> None:
        here.path.parent.mkdir(parents=True)
        here.append("[progress]7\n")
        here.feedbacks.adopt(KEY, 1, here.conf)
        here.feedbacks.watch(KEY, 1)
        await here.until(here.told)

    assert play(lambda: World(tmp_path), story).told() == [{"progress": "7"}]


def test_silence_is_told_by_degrees_and_ends_with_a_sign(tmp_path: Path) -> None:
    """Silent, stalled, lively again by a mere touch, and lost in the end, once."""

    async def story(here: World) -> None:
        here.begin()
        await here.until(lambda: len(here.events) == 2)
        here.path.touch()
        await here.until(lambda: len(here.events) == 3)
        await here.until(lambda: any(isinstance(event, LifeLost) for event in here.events))

    here = play(lambda: World(tmp_path, timeout=0.8), story)
    silent, stalled = (f"{word}: no feedback for {span} of 0.8 s" for word, span in SPANS)
    assert here.events == [
        ProbeAnswered(KEY, 1, silent),
        ProbeAnswered(KEY, 1, stalled),
        ProbeAnswered(KEY, 1, ""),
        ProbeAnswered(KEY, 1, silent),
        ProbeAnswered(KEY, 1, stalled),
        LifeLost(KEY, 1, "no feedback for 0.8 s"),
    ]


SPANS = (("silent", "0.2"), ("stalled", "0.4"))


def test_every_sign_of_life_counts(tmp_path: Path) -> None:
    """One that says nothing new does, for longer than the timeout."""

    async def story(here: World) -> None:
        here.begin()
        end = asyncio.get_running_loop().time() + 1.5
        while asyncio.get_running_loop().time() < end:
            here.append("[heartbeat]\n")
            await asyncio.sleep(0.02)

    here = play(lambda: World(tmp_path, timeout=0.7), story)
    assert not [event for event in here.events if isinstance(event, LifeLost)]


def test_without_a_place_there_is_no_process(tmp_path: Path) -> None:
    """And the reason is told."""

    async def story(here: World) -> None:
        (tmp_path / "state").write_text("a file")
        with pytest.raises(ServiceError, match=r"there is no place for its feedback: .*state"):
            here.feedbacks.prepare(KEY, 1, here.conf)

    play(lambda: World(tmp_path), story)


def test_without_a_state_the_files_are_temporary() -> None:
    """For nobody else, each service has its own, and nothing is left of them."""
    files = FeedbackFiles()
    first, second = files.of(KEY), files.of(Key("TX1", "../b"))
    home = first.parents[1]
    assert first != second
    assert second.parents[1] == home
    assert os.stat(home).st_mode & 0o777 == 0o700
    files.remove()
    assert not home.exists()


def test_message_cannot_name_a_file_to_be_read_and_told(tmp_path: Path) -> None:
    """Only the provider's own file may; that feedback is followed at all gives nobody more than he has."""
    files = (Feedback(file=file) for file in ("x.log", "y.log"))
    told, other = (replace(program("a"), supervision=Supervision(feedback=each)) for each in files)
    roots = Roots(context(program("b"), told))
    assert not roots.refuse(told)
    assert not roots.refuse(replace(program("b"), supervision=Supervision(feedback=Feedback())))
    assert "paths that the provider's own file does not" in roots.refuse(other)
