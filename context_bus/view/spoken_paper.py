"""The page about what is spoken in a context, for people: services, topics, types, and what does not fit.

Pure; knows the page and what is spoken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from context_bus.config.model import TaskServiceConf, Value
from context_bus.service.description import Description, Schema
from context_bus.view.paper import Block, Heading, Points, Table, Words, code, link
from context_bus.view.spoken import PROVIDER_TOPICS, Spoken, SpokenService, Topic


def page(spoken: Spoken) -> list[Block]:
    """The whole page."""
    conf = spoken.conf
    return [
        Heading(conf.task_log_name, 1),
        Words(
            f"What is spoken in this context. Publishers connect to {code(conf.backend_endpoint)}, "
            f"listeners to {code(conf.front_end_endpoint)}. Made from {code(conf.file)} and the code "
            "that it names."
        ),
        *_oddities(spoken),
        Heading("Services"),
        _services(spoken),
        Heading("Topics"),
        *_topics(spoken),
        *(block for service in spoken.services for block in _service(service)),
        *_types(spoken.schemas),
        Heading("Topics of the provider"),
        Table(
            ("topic", "what for"),
            tuple((code(name), words) for name, words in PROVIDER_TOPICS.items()),
        ),
    ]


def _oddities(spoken: Spoken) -> Iterator[Block]:
    troubles = [
        f"{link(_title(service.conf))} could not be read: {service.trouble}"
        for service in spoken.services
        if service.trouble
    ]
    if troubles or spoken.oddities:
        yield Heading("What does not fit")
        yield Points((*troubles, *spoken.oddities))


def _services(spoken: Spoken) -> Table:
    rows = [
        (
            link(_title(service.conf)),
            service.conf.service_name,
            service.conf.service_type.value,
            "a transition or a command" if service.conf.is_deferred else "the context",
            _first_line(service.conf.description),
        )
        for service in spoken.services
    ]
    return Table(("service", "name", "type", "started by", "description"), tuple(rows))


def _topics(spoken: Spoken) -> Iterator[Block]:
    titles = {service.conf.id: _title(service.conf) for service in spoken.services}
    if not spoken.topics:
        yield Words("The services of this context publish on no topic of their own, and hear none.")
        return
    yield Table(
        ("topic", "from", "type", "to", "read as"),
        tuple(_topic(topic, titles) for topic in spoken.topics),
    )


def _topic(topic: Topic, titles: Mapping[str, str]) -> tuple[str, ...]:
    name = code(topic.name) + (" (last value kept)" if any(said.is_kept for _, said in topic.says) else "")
    return (
        name,
        ", ".join(dict.fromkeys(link(titles[key]) for key, _ in topic.says)) or "-",
        _either(_type(said.type, said.schema) for _, said in topic.says),
        ", ".join(dict.fromkeys(link(titles[key]) for key, _ in topic.hears)) or "-",
        _either(
            _type(heard.type, heard.schema) + (f", answers {code(heard.reply)}" if heard.reply else "")
            for _, heard in topic.hears
        ),
    )


def _service(service: SpokenService) -> Iterator[Block]:
    conf, found = service.conf, service.description
    yield Heading(_title(conf))
    if found and found.description:
        yield Words(found.description.partition("\n\n")[0].replace("\n", " "))
    elif conf.description:
        yield Words(conf.description)
    if service.is_program:
        yield Words(f"A program: {code(' '.join(conf.command))}. What it says and hears is not known.")
    elif service.trouble:
        yield Words(f"Its code could not be read: {service.trouble}")
    if found:
        if found.place:
            yield Words(f"Code: {code(found.place)}")
        yield from _configuration(conf, found)
        yield from _speech(found)
    if conf.transitions:
        yield Table(
            ("when", "do", "to"),
            tuple((each.trigger.value, each.action.value, ", ".join(each.call)) for each in conf.transitions),
        )


def _configuration(conf: TaskServiceConf, found: Description) -> Iterator[Block]:
    if not found.parameters:
        return
    given = conf.configuration
    yield Table(
        ("configuration", "type", "here", "otherwise", "what for"),
        tuple(
            (
                code(each.name),
                code(each.type),
                code(_shown(given[each.name])) if each.name in given else "",
                "required" if each.is_required else code(each.default),
                each.description,
            )
            for each in found.parameters
        ),
    )


def _speech(found: Description) -> Iterator[Block]:
    rows = [
        (
            "hears",
            code(each.topic),
            _type(each.type, each.schema),
            code(each.reply),
            _first_line(each.description),
        )
        for each in found.hears
    ]
    rows += [
        (
            "asks" if each.is_question else "publishes",
            code(each.topic),
            _type(each.type, each.schema),
            code(each.reply),
            "keeps the last value" if each.is_kept else "",
        )
        for each in found.says
    ]
    rows += [
        (
            "reports",
            code(each.action),
            code(", ".join(f"{name}: {kind or 'any'}" for name, kind in each.items.items())),
            "",
            "",
        )
        for each in found.reports
    ]
    if rows:
        yield Table(("", "topic", "content", "answer", "what for"), tuple(rows))


def _types(schemas: Mapping[str, Schema]) -> Iterator[Block]:
    if not schemas:
        return
    yield Heading("Types")
    for name, schema in sorted(schemas.items()):
        yield Heading(name, 3)
        if text := schema.get("description"):
            yield Words(str(text).partition("\n\n")[0].replace("\n", " "))
        required = schema.get("required", ())
        if properties := schema.get("properties"):
            yield Table(
                ("field", "type", "", "what for"),
                tuple(
                    (
                        code(field),
                        _schema_text(each),
                        "" if field in required else "may be left out",
                        str(each.get("description", "")),
                    )
                    for field, each in properties.items()
                ),
            )
        elif values := schema.get("enum"):
            yield Words("One of " + ", ".join(code(str(value)) for value in values) + ".")


def _schema_text(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, with links to the types it refers to."""
    if reference := schema.get("$ref"):
        return link(str(reference).rpartition("/")[2])
    if members := schema.get("anyOf"):
        return " or ".join(_schema_text(member) for member in members)
    kind = schema.get("type", "any")
    if kind == "array" and isinstance(items := schema.get("items"), Mapping):
        return f"list of {_schema_text(items)}"
    if kind == "object" and isinstance(values := schema.get("additionalProperties"), Mapping):
        return f"named values of {_schema_text(values)}"
    return code(str(schema.get("format") or kind))


def _type(text: str, schema: Schema) -> str:
    if reference := schema.get("$ref"):
        return link(str(reference).rpartition("/")[2])
    return code(text) or "not known"


def _either(texts: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(texts)) or "-"


def _title(conf: TaskServiceConf) -> str:
    return f"{conf.id} {conf.instance}".strip()


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_shown(each)}" for name, each in value.items()) + "}"
    return ", ".join(_shown(each) for each in value)
