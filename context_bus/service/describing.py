"""What a service speaks, read from its classes. Knows tasks, types and sources; runs none of their code.

Only for the process that imports the code (`inspecting`): a class that is described has been imported.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping
from typing import Any

from context_bus.bus.dispatch import inspect_handler
from context_bus.errors import ServiceError
from context_bus.service.configuration import parameters_of
from context_bus.service.description import Description, Heard, Parameter, Reported, Said
from context_bus.service.inference import UNKNOWN, Shape, Unknown, returned
from context_bus.service.reports import CONTROL_TOPIC
from context_bus.service.sayings import Saying, comments_of, sayings_of, source_of
from context_bus.service.schemas import Schemas, type_text
from context_bus.service.subscription import subscriptions_of
from context_bus.service.task import Task
from context_bus.service.taskservice import TaskService

#: Class attribute by which a task says what it publishes: the type of each topic.
DECLARATION = "publishes"


def describe(service_class: type[object]) -> Description:
    """Describe the service of a class.

    Args:
        service_class: A subclass of `TaskService`; of any other only its name and its words are told.
    """
    task_class = (
        getattr(service_class, "task_class", None) if issubclass(service_class, TaskService) else None
    )
    if not (isinstance(task_class, type) and issubclass(task_class, Task)):
        doubt = f"{service_class.__name__} is a service in the old shape; what it speaks cannot be told"
        return Description(
            service=service_class.__name__,
            description=_words(service_class),
            place=_place(service_class),
            doubts=(doubt,),
        )
    return _Look(service_class, task_class).description()


class _Look:
    """One look at a task: first everything that has a type is gathered, then schemas are made at once."""

    def __init__(self, service_class: type[object], task_class: type[Task]) -> None:
        self.service, self.task = service_class, task_class
        self.doubts: list[str] = []
        self.handlers = list(self._handlers())
        self.sayings = list(sayings_of(task_class))
        self.declared = self._declared()
        self.parameters, self.takes_any = self._parameters()
        self.schemas = Schemas(self._kinds())
        for kind in self.schemas.refused:
            self.doubts.append(f"{_place(task_class)}: JSON cannot carry {kind}")

    def description(self) -> Description:
        says = tuple(self._says())
        return Description(
            service=self.service.__name__,
            task=self.task.__name__,
            description=_words(self.task) or _words(self.service),
            place=_place(self.task),
            parameters=tuple(self._described_parameters()),
            takes_any=self.takes_any,
            hears=tuple(
                Heard(
                    topic=topic,
                    method=name,
                    description=_words(function),
                    type=type_text(kind),
                    schema=self.schemas.of(kind),
                    reply=_reply_text(reply),
                    reply_schema=self.schemas.of(reply),
                    policy=policy,
                    place=_place(function),
                )
                for topic, policy, name, function, kind, reply in self.handlers
            ),
            says=says,
            reports=tuple(self._reports()),
            schemas=self.schemas.components,
            doubts=tuple(dict.fromkeys(self.doubts)),
        )

    def _kinds(self) -> Iterator[object]:
        for *_, kind, reply in self.handlers:
            yield from (kind, reply)
        for saying in self.sayings:
            yield from (saying.content, saying.reply)
        yield from self.declared.values()
        yield from (kind for _, kind, *_ in self.parameters)

    # -- configuration -----------------------------------------------------------------------------

    def _parameters(self) -> tuple[list[tuple[str, Any, bool]], bool]:
        try:
            found = parameters_of(self.task)
        except ServiceError as error:
            self.doubts.append(str(error))
            return [], True
        return [(each.name, each.type, each.is_required) for each in found.named.values()], found.takes_any

    def _described_parameters(self) -> Iterator[Parameter]:
        comments = comments_of(self.task)
        for name, kind, is_required in self.parameters:
            default = "" if is_required else _text(inspect.getattr_static(self.task, name, None))
            yield Parameter(
                name=name,
                type=type_text(kind),
                schema=self.schemas.of(kind),
                is_required=is_required,
                default=default,
                description=comments.get(name, ""),
            )

    # -- hearing -----------------------------------------------------------------------------------

    def _handlers(self) -> Iterator[tuple[str, str, str, Any, object, object]]:
        """Topic, policy, name, function, type of the content and of the reply of each handler."""
        marked = [(each.topic, each.policy, each.method) for each in subscriptions_of(self.task)]
        if getattr(self.task, "on_control", None) is not None:
            marked.append((CONTROL_TOPIC, "queue", "on_control"))
        bare = self.task.__new__(self.task)
        for topic, policy, name in marked:
            function = inspect.getattr_static(self.task, name)
            try:
                spec = inspect_handler(types.MethodType(function, bare))
            except TypeError as error:
                self.doubts.append(f"{_place(function)}: {error}")
                continue
            # What a report looks like is known to every document.
            kind: Any = UNKNOWN if topic == CONTROL_TOPIC else spec.type
            yield topic, policy, name, function, kind, returned(function) if spec.replies else UNKNOWN

    # -- talking -----------------------------------------------------------------------------------

    def _declared(self) -> Mapping[str, object]:
        found = getattr(self.task, DECLARATION, {})
        if isinstance(found, Mapping) and all(isinstance(topic, str) for topic in found):
            return found
        self.doubts.append(f"{_place(self.task)}: {DECLARATION} is no dict of topics and types")
        return {}

    def _says(self) -> Iterator[Said]:
        found: dict[tuple[str, str], list[Saying]] = {}
        for saying in self.sayings:
            if saying.how == "notify":
                continue
            if saying.topic is None:
                what = "publishes on" if saying.how == "publish" else "asks on"
                self.doubts.append(f"{saying.place}: which topic it {what} is known at run time only")
            else:
                found.setdefault((saying.how, saying.topic), []).append(saying)
        for topic, kind in self.declared.items():
            sayings = found.pop(("publish", topic), [])
            self._compare(topic, kind, sayings)
            yield self._said("publish", topic, kind, sayings, is_declared=True)
        for (how, topic), sayings in found.items():
            if self.declared and how == "publish":
                self.doubts.append(
                    f"{sayings[0].place}: it publishes on {topic!r}, of which {DECLARATION} says nothing"
                )
            kinds = _different(saying.content for saying in sayings)
            if len(kinds) > 1 or isinstance(kinds[0], Unknown):
                hint = f'; say so in {DECLARATION} = {{"{topic}": ...}}' if how == "publish" else ""
                self.doubts.append(
                    f"{sayings[0].place}: what it sends on {topic!r} cannot be told from here{hint}"
                )
            yield self._said(how, topic, kinds[0] if len(kinds) == 1 else UNKNOWN, sayings)

    def _compare(self, topic: str, kind: object, sayings: list[Saying]) -> None:
        for saying in sayings:
            if saying.content not in (kind, UNKNOWN, dict, list):
                self.doubts.append(
                    f"{saying.place}: it publishes {type_text(saying.content)} on {topic!r}, which "
                    f"{DECLARATION} says carries {type_text(kind)}"
                )

    def _said(
        self, how: str, topic: str, kind: object, sayings: list[Saying], *, is_declared: bool = False
    ) -> Said:
        replies = _different(saying.reply for saying in sayings if how == "request") or [UNKNOWN]
        reply = replies[0] if len(replies) == 1 and replies[0] is not None else UNKNOWN
        actions = {saying.action for saying in sayings}
        return Said(
            topic=topic,
            type=type_text(kind),
            schema=self.schemas.of(kind),
            action=actions.pop() if len(actions) == 1 else "",
            is_declared=is_declared,
            is_kept=any(saying.is_kept for saying in sayings),
            is_question=how == "request",
            reply=_reply_text(reply),
            reply_schema=self.schemas.of(reply),
            place=sayings[0].place if sayings else _place(self.task),
        )

    def _reports(self) -> Iterator[Reported]:
        """One for each verb and set of items."""
        seen: list[tuple[str, object]] = []
        for saying in self.sayings:
            if saying.how != "notify" or (saying.action, saying.content) in seen:
                continue
            seen.append((saying.action, saying.content))
            items = saying.content.fields if isinstance(saying.content, Shape) else {}
            yield Reported(
                action=saying.action,
                schema=self.schemas.of(saying.content),
                items={name: type_text(kind) for name, kind in items.items()},
                place=saying.place,
            )


def _different(kinds: Any) -> list[object]:
    found: list[object] = []
    for kind in kinds:
        if kind not in found:
            found.append(kind)
    return found


def _reply_text(kind: object) -> str:
    return "" if kind in (None, UNKNOWN) else type_text(kind)


def _words(thing: Any) -> str:
    """What a class or function says of itself; not what it has from a base of ours."""
    own = vars(thing).get("__doc__") if isinstance(thing, type) else getattr(thing, "__doc__", None)
    return inspect.cleandoc(own) if isinstance(own, str) else ""


def _place(thing: Any) -> str:
    if isinstance(thing, type):
        _, file, line = source_of(thing)
        return f"{file}:{line}" if file else ""
    code = getattr(thing, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


def _text(value: object) -> str:
    text = value if isinstance(value, str) and value else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
