"""What is spoken in a context: its file and the descriptions of its services, put together. Pure.

Knows the model and descriptions; must not import a service or write a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from context_bus.config.model import ContextConf, ServiceType, TaskServiceConf
from context_bus.service.description import Description, Heard, Said, Schema
from context_bus.view import provider_words

#: Topics of the provider, with what they are for.
PROVIDER_TOPICS = {
    "context": "Commands to the provider: start, stop, restart, scale, reload, exit.",
    "process": "What the provider asks of one service: the TaskService of the context file.",
    "control": "Reports of services, and the provider's table of all of them.",
    "state": "Queries: the record of a transaction, all services, events.",
    "event": "What has happened, numbered, as it happens.",
    "monitor": "What processes use, from the Monitor service.",
}
#: How schemas refer to each other.
_REFERENCE = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class SpokenService:
    """One service of the file, and what its code says.

    Args:
        conf: As the file has it.
        description: What its code says; None where there is no Python, or it could not be imported.
        trouble: Why it could not be.
    """

    conf: TaskServiceConf
    description: Description | None = None
    trouble: str = ""

    @property
    def is_program(self) -> bool:
        """Whether it is a program, of whose words nothing is known."""
        return self.conf.service_type is ServiceType.COMMAND


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic, and who uses it how.

    Args:
        name: The topic.
        says: Who publishes or asks on it: id of the service, and how.
        hears: Who hears it.
    """

    name: str
    says: tuple[tuple[str, Said], ...] = ()
    hears: tuple[tuple[str, Heard], ...] = ()


@dataclass(frozen=True, slots=True)
class Spoken:
    """All of it.

    Args:
        conf: The context.
        services: In the order of the file.
        topics: Topics of the services' own, by name.
        schemas: Every type that is spoken, by a name that only it has.
        oddities: What does not fit, or could not be told.
    """

    conf: ContextConf
    services: tuple[SpokenService, ...]
    topics: tuple[Topic, ...]
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    oddities: tuple[str, ...] = ()


def put_together(conf: ContextConf, found: Mapping[str, Description | str]) -> Spoken:
    """Join what the file says with what the code says.

    Args:
        conf: The context.
        found: By id of the service: its description, or why there is none.
    """
    described = {key: each for key, each in found.items() if isinstance(each, Description)}
    instances = {service.id: service.instance for service in conf.services}
    schemas, renamed = _merge(described, instances)
    services = tuple(
        SpokenService(
            service,
            renamed.get(service.id),
            reason if isinstance(reason := found.get(service.id, ""), str) else "",
        )
        for service in conf.services
    )
    topics = tuple(_topics(services))
    doubts = [doubt for each in renamed.values() for doubt in each.doubts]
    oddities = tuple(dict.fromkeys([*doubts, *_unheard(topics), *_misfits(topics, schemas)]))
    return Spoken(conf, services, topics, schemas, oddities)


# -- types that several services know ----------------------------------------------------------------


def _merge(
    described: Mapping[str, Description], instances: Mapping[str, str]
) -> tuple[dict[str, Schema], dict[str, Description]]:
    """Give every type a name of its own: two services may each know another ``Line``."""
    known: dict[str, dict[str, Schema]] = {}
    for key, description in described.items():
        for name, schema in description.schemas.items():
            by_instance = known.setdefault(name, {})
            by_instance[instances[key]] = schema
            if any(f"{_REFERENCE}{name}" in str(said.schema) for said in description.says):
                # Who sends it knows best what it is: his words come first.
                known[name] = {instances[key]: schema, **by_instance}
    merged: dict[str, Schema] = {}
    reserved = provider_words.schemas()
    names: dict[tuple[str, str], str] = {}
    for name, by_instance in known.items():
        is_one = len({_bare(schema) for schema in by_instance.values()}) == 1 and name not in reserved
        for instance, schema in by_instance.items():
            own = name if is_one else f"{instance}.{name}"
            names[instance, name] = own
            merged.setdefault(own, {**schema, "title": own})
    renamed = {}
    for key, description in described.items():
        own_names = {name: new for (instance, name), new in names.items() if instance == instances[key]}
        renamed[key] = msgspec.convert(
            _referred(msgspec.to_builtins(description), own_names), type=Description
        )
        for name in description.schemas:
            merged[own_names[name]] = _referred(merged[own_names[name]], own_names)
    return merged, renamed


def _bare(schema: Any) -> bytes:
    """What makes a type the same as another: all but the words about it."""

    def strip(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                key: strip(each)
                for key, each in value.items()
                if not (key in ("description", "title") and isinstance(each, str))
            }
        return [strip(each) for each in value] if isinstance(value, list | tuple) else value

    return msgspec.json.encode(strip(schema), order="sorted")


def _referred(value: Any, names: Mapping[str, str]) -> Any:
    """The same with references to the new names."""
    if isinstance(value, Mapping):
        return {
            key: _REFERENCE + names.get(each.removeprefix(_REFERENCE), each.removeprefix(_REFERENCE))
            if key == "$ref" and isinstance(each, str)
            else _referred(each, names)
            for key, each in value.items()
        }
    return [_referred(each, names) for each in value] if isinstance(value, list | tuple) else value


# -- topics ----------------------------------------------------------------------------------------


def _topics(services: Iterable[SpokenService]) -> Iterator[Topic]:
    says: dict[str, list[tuple[str, Said]]] = {}
    hears: dict[str, list[tuple[str, Heard]]] = {}
    for service in services:
        if service.description is None:
            continue
        for said in service.description.says:
            says.setdefault(said.topic, []).append((service.conf.id, said))
        for heard in service.description.hears:
            hears.setdefault(heard.topic, []).append((service.conf.id, heard))
    for name in sorted(says.keys() | hears.keys()):
        yield Topic(name, tuple(says.get(name, ())), tuple(hears.get(name, ())))


def _unheard(topics: Sequence[Topic]) -> Iterator[str]:
    for topic in topics:
        if topic.name in PROVIDER_TOPICS:
            continue
        asks = [key for key, said in topic.says if said.is_question]
        if not topic.says:
            who = ", ".join(key for key, _ in topic.hears)
            yield f"topic {topic.name!r}: {who} hears it, but nobody here publishes it"
        elif asks and not topic.hears:
            yield f"topic {topic.name!r}: {', '.join(asks)} asks on it, but nobody here answers"


def _misfits(topics: Sequence[Topic], schemas: Mapping[str, Schema]) -> Iterator[str]:
    """Where a listener wants a field that a sender does not send, or sends as something else."""
    for topic in topics:
        for sender, said in topic.says:
            for reader, heard in topic.hears:
                sent, wanted = _fields(said.schema, schemas), _fields(heard.schema, schemas)
                if not sent or not wanted:
                    continue
                missing = [name for name in _required(heard.schema, schemas) if name not in sent]
                other = [name for name in wanted.keys() & sent.keys() if _differ(sent[name], wanted[name])]
                for names, what in ((missing, "does not send"), (sorted(other), "sends as another type")):
                    if names:
                        fields = ", ".join(names)
                        yield f"topic {topic.name!r}: {reader} reads {fields}, which {sender} {what}"


def resolve(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """The schema that a reference means; any other as it is."""
    reference = schema.get("$ref", "")
    return schemas.get(reference.removeprefix(_REFERENCE), schema) if reference else schema


def _fields(schema: Schema, schemas: Mapping[str, Schema]) -> Mapping[str, Schema]:
    found: Mapping[str, Schema] = resolve(schema, schemas).get("properties", {})
    return found


def _required(schema: Schema, schemas: Mapping[str, Schema]) -> Sequence[str]:
    found: Sequence[str] = resolve(schema, schemas).get("required", ())
    return found


def _differ(sent: Schema, wanted: Schema) -> bool:
    """Whether two plain types do not go together; of others nothing is said."""
    kinds = (sent.get("type"), wanted.get("type"))
    if not all(isinstance(kind, str) for kind in kinds) or kinds == ("integer", "number"):
        return False
    return kinds[0] != kinds[1]
