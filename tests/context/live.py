"""A provider in this process, a commander beside it, and services written for the test."""

from __future__ import annotations

import asyncio
import contextlib
import textwrap
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from context_bus.bus.aio import AsyncBus
from context_bus.bus.endpoint import free_endpoint
from context_bus.config.image import context_to_image
from context_bus.config.model import Action, ContextConf, TaskServiceConf, Transition, Trigger
from context_bus.context.commands import Answer, AnswerKind
from context_bus.context.member import Limits
from context_bus.context.provider import Provider
from context_bus.context.states import State
from context_bus.context.trace import ProviderEvent, ProviderReady, ServiceChanged, TransitionFired
from context_bus.kernel.message import Frame, Header, Message

TX = "TX1"
#: Seconds that anything may take here before it is a failure; generous, since the machine is shared.
PATIENCE = 20.0
E = TypeVar("E", bound=ProviderEvent)

#: Bodies of tasks, by the name of their service's directory.
TASKS: dict[str, str] = {
    "Loop": """
        def run(self):
            self.wait(1000)
    """,
    "Once": """
        def run(self):
            self.notify("updated", result="success", items={"work": "done"})
    """,
    "Quick": """
        def run(self):
            pass
    """,
    "Busy": """
        def run(self):
            while not self.wait(0.001):
                self.notify("updated", result="success", items={})
    """,
    "Crash": """
        def run(self):
            raise RuntimeError("the work cannot be done")
    """,
    "Unbuilt": """
        def __init__(self, **configuration):
            raise ValueError("no such city")
    """,
    "Deaf": """
        def run(self):
            import threading
            threading.Event().wait()
    """,
    "Parent": """
        def run(self):
            import subprocess
            child = subprocess.Popen(["sleep", "1000"])
            self.notify("updated", result="success", items={"child": child.pid})
            self.wait(1000)
    """,
}


def write_service(directory: Path, instance: str, body: str | None = None) -> None:
    """Write a service as a user would."""
    home = directory / instance
    home.mkdir(parents=True, exist_ok=True)
    (home / "__init__.py").touch()
    task = textwrap.indent(textwrap.dedent(TASKS[instance] if body is None else body), "    ")
    (home / f"Service{instance}.py").write_text(
        f"from context_bus import Task, TaskService\n\nclass {instance}Task(Task):\n{task}\n\n"
        f"class Service{instance}(TaskService):\n    task_class = {instance}Task\n"
    )


def service(
    directory: Path,
    service_id: str,
    instance: str,
    state_type: str = "on_start",
    **transitions: tuple[str, str],
) -> TaskServiceConf:
    """Write a service and define it; transitions as ``on_exit=("start", "b")``."""
    if not (directory / instance).exists():
        write_service(directory, instance)
    return TaskServiceConf(
        id=service_id,
        instance=instance,
        service_name=f"name_{service_id}",
        state_type=state_type,
        transitions=tuple(
            Transition(Trigger(trigger), Action(action), tuple(call.split(",")))
            for trigger, (action, call) in transitions.items()
        ),
        configuration={"device_action": f"does_{service_id}", "location": str(directory)},
    )


def context(home: Path, *services: TaskServiceConf) -> ContextConf:
    """A context on free ports, as if read from a file in ``home/Conf``."""
    (home / "Conf").mkdir(exist_ok=True)
    publish_to, listen_on = free_endpoint(), free_endpoint()
    return ContextConf(
        front_end_endpoint=listen_on,
        backend_endpoint=publish_to,
        front_bind=publish_to,
        backend_bind=listen_on,
        task_log_name="Live",
        services=services,
        file=str(home / "Conf" / "Context-Live.xml"),
    )


@dataclass
class Live:
    """A provider that runs, what it showed, and a way to command it."""

    provider: Provider
    bus: AsyncBus
    running: asyncio.Task[str]
    events: list[ProviderEvent] = field(default_factory=list)
    frames: list[tuple[str, Any]] = field(default_factory=list)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _answers: dict[str, list[tuple[AnswerKind, Answer]]] = field(default_factory=dict)
    _number: int = 0

    # -- commanding ----------------------------------------------------------------------------

    async def command(
        self,
        action: str,
        services: Sequence[TaskServiceConf | str] | None = None,
        *,
        tx: str = TX,
        name: str = "context",
        context_id: str = "context001",
    ) -> Answer:
        """Send a command and wait for its final answer; the kind is ``answer.kind``."""
        kind, answer = await self.outcome(action, services, tx=tx, name=name, context_id=context_id)
        assert kind is AnswerKind.DONE, answer
        return answer

    async def outcome(
        self,
        action: str,
        services: Sequence[TaskServiceConf | str] | None = None,
        *,
        tx: str = TX,
        name: str = "context",
        context_id: str = "context001",
    ) -> tuple[AnswerKind, Answer]:
        """As ``command``, whatever the outcome."""
        number = self.send(action, services, tx=tx, name=name, context_id=context_id)
        await self.until(
            lambda: any(kind.is_final for kind, _ in self._answers.get(number, ())), f"{action} answered"
        )
        return self._answers[number][-1]

    def send(
        self,
        action: str,
        services: Sequence[TaskServiceConf | str] | None = None,
        *,
        tx: str = TX,
        name: str = "context",
        context_id: str = "context001",
    ) -> str:
        """Send a command; its answers are collected."""
        self._number += 1
        number = f"r{self._number}"
        header = Header(action, context_id, name, tx)
        header.request_id, header.reply_to = number, "reply.live"
        configuration: dict[str, Any] = {}
        if services is not None:
            known = {conf.id: image_of(conf) for conf in self.provider.conf.services}
            configuration["TaskService"] = [
                known.get(each, {"id": each}) if isinstance(each, str) else image_of(each)
                for each in services
            ]
        self.bus.publisher.send_message("context", Message(header, {"configuration": configuration}))
        return number

    # -- waiting -------------------------------------------------------------------------------

    async def until(self, holds: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Wait until something holds; looked at whenever something moved."""
        try:
            async with asyncio.timeout(patience):
                while not holds():
                    self._moved.clear()
                    moved = asyncio.ensure_future(self._moved.wait())
                    await asyncio.wait([moved, self.running], return_when=asyncio.FIRST_COMPLETED)
                    if self.running.done():
                        # What it said last may still be on its way to us.
                        await asyncio.wait([moved], timeout=1)
                        assert holds(), f"the provider ended before: {what}: {self.running}"
                    moved.cancel()
        except TimeoutError:
            shown = "\n".join(map(str, self.events[-30:]))
            raise AssertionError(f"not within {patience} s: {what}\n{shown}") from None

    async def state(self, service_id: str, state: State, *, tx: str = TX, count: int = 1) -> ServiceChanged:
        """Wait until a service has come to a state for the ``count``-th time."""

        def found() -> list[ServiceChanged]:
            return [
                each
                for each in self.of(ServiceChanged)
                if (each.transaction, each.service_id, each.new) == (tx, service_id, state)
            ]

        await self.until(lambda: len(found()) >= count, f"{service_id} {state} {count} times")
        return found()[count - 1]

    def of(self, kind: type[E]) -> list[E]:
        """What the provider showed of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def fired(self) -> list[tuple[str, str, str, str]]:
        """Transitions that had an effect."""
        return [
            (each.source, str(each.trigger), str(each.action), each.target)
            for each in self.of(TransitionFired)
            if not each.note
        ]

    def word(self, topic: str, service_id: str) -> list[str]:
        """Verbs on a topic about one service, in the order of the bus."""
        found = []
        for where, body in self.frames:
            if where == topic:
                header = body["Task"]["message"]["header"] if where == "process" else body["header"]
                if header["service_id"] == service_id:
                    found.append(header["action"])
        return found

    # -- hearing -------------------------------------------------------------------------------

    def saw(self, event: ProviderEvent) -> None:
        self.events.append(event)
        self._moved.set()

    def heard(self, frame: Frame) -> None:
        with contextlib.suppress(msgspec.DecodeError):
            self.frames.append((frame.topic, msgspec.json.decode(frame.body)))
            self._moved.set()

    def answered(self, message: Message[Answer]) -> None:
        kind = AnswerKind(message.header.action)
        assert isinstance(message.header.request_id, str)
        self._answers.setdefault(message.header.request_id, []).append((kind, message.content))
        self._moved.set()


def image_of(conf: TaskServiceConf) -> dict[str, Any]:
    """The wire image of a service."""
    image: Any = context_to_image(ContextConf("", "", "", "", "", services=(conf,)))
    found: dict[str, Any] = image["TaskService"][0]
    return found


@contextlib.asynccontextmanager
async def live(conf: ContextConf, **options: Any) -> AsyncIterator[Live]:
    """Run a provider until the block ends."""
    options = {"signals": False, "limits": Limits(), **options}
    bus = AsyncBus(conf.front_end_endpoint, conf.backend_endpoint)
    seen: list[Live] = []
    early: list[ProviderEvent] = []
    provider = Provider(
        conf, on_event=lambda event: (seen[0].saw if seen else early.append)(event), **options
    )
    running = asyncio.create_task(provider.run())
    here = Live(provider, bus, running, early)
    seen.append(here)
    serving: asyncio.Task[None] | None = None
    try:
        await here.until(lambda: here.of(ProviderReady), "ready")
        bus.subscribe("reply.live", here.answered)
        for topic in ("process", "control", "state"):
            bus.subscribe(topic, here.heard)
        await bus.connect(PATIENCE)
        serving = asyncio.create_task(bus.serve())
        yield here
    finally:
        if not running.done():
            provider.leave("the test is over")
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([running])
        bus.stop()
        if serving is not None:
            await asyncio.wait([serving])
        await bus.close(0)
    assert not running.exception()
