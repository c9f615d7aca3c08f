"""An AsyncAPI 3 document of what is spoken in a context. Pure; see https://www.asyncapi.com.

Channels are topics. A message is the frame ``topic @@@ {"header": ..., "content": ...}``: its headers are
the header, its payload is the content. Where sender and reader know different types of the same message,
the channel has both, and each operation names its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from context_bus.config.model import BUILT_IN_INSTANCES, TaskServiceConf
from context_bus.service.description import Heard, Reported, Said, Schema
from context_bus.service.schemas import REFERENCE
from context_bus.view import provider_words
from context_bus.view.spoken import PROVIDER_TOPICS, Spoken, SpokenService

#: Version of the specification.
VERSION = "3.0.0"
#: Channel of answers: each goes to the topic that its request names.
REPLIES = "replies"
_TO_REPLY = {"location": "$message.header#/reply_to"}

Document = dict[str, Any]


def document(spoken: Spoken) -> Document:
    """Make the document."""
    writer = _Writer(spoken)
    writer.write_provider()
    for service in spoken.services:
        writer.write_service(service)
    body = {
        "channels": writer.channels,
        "operations": writer.operations,
        "components": {
            "schemas": {**provider_words.schemas(), **spoken.schemas},
            "messages": writer.messages,
        },
    }
    return {
        "asyncapi": VERSION,
        "info": _info(spoken, body),
        "defaultContentType": "application/json",
        "servers": dict(_servers(spoken)),
        **body,
        "x-services": [_service(each) for each in spoken.services],
    }


def key_of(name: str) -> str:
    """A name as a key of the document."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


class _Writer:
    """Gathers channels, operations and messages."""

    def __init__(self, spoken: Spoken) -> None:
        self.spoken = spoken
        self.channels: Document = {}
        self.operations: Document = {}
        self.messages: Document = {}

    # -- the provider ------------------------------------------------------------------------------

    def write_provider(self) -> None:
        has_monitor = any(each.conf.instance in BUILT_IN_INSTANCES for each in self.spoken.services)
        for topic, words in PROVIDER_TOPICS.items():
            if topic != "monitor" or has_monitor:
                self._channel(topic)["description"] = words
        for word in provider_words.WORDS:
            self._message(word.topic, word.name, word.payload, word.summary)
            if word.topic == "process":  # the one message without an envelope
                del self.messages[word.name]["headers"]
        for word in provider_words.WORDS:
            if word.topic == REPLIES:
                continue
            verb = "receive" if word.is_heard else "send"
            operation = self._operation(word.topic, verb, word.name, word.summary)
            if word.answer:
                operation["reply"] = self._reply(word.answer)
            self.operations[f"provider.{verb}.{word.name}"] = operation

    # -- services ----------------------------------------------------------------------------------

    def write_service(self, service: SpokenService) -> None:
        if service.description is None:
            return
        for said in service.description.says:
            self._write_said(service.conf, said)
        for heard in service.description.hears:
            self._write_heard(service.conf, heard)
        for reported in service.description.reports:
            self._write_reported(service.conf, reported)

    def _write_said(self, service: TaskServiceConf, said: Said) -> None:
        name = self._typed_message(said.topic, said.type, said.schema, service)
        operation = self._operation(
            said.topic,
            "send",
            name,
            f"{service.instance} {'asks on' if said.is_question else 'publishes'} {said.topic}",
            service,
            said.place,
        )
        if said.is_kept:
            operation["x-keeps-last-value"] = True
            self.channels[key_of(said.topic)]["x-keeps-last-value"] = True
        if said.is_question:
            operation["reply"] = self._reply(
                self._typed_message(REPLIES, said.reply, said.reply_schema, service, said.topic)
            )
        self._add(service, "ask" if said.is_question else "publish", said.topic, operation)

    def _write_heard(self, service: TaskServiceConf, heard: Heard) -> None:
        is_reports = heard.topic == "control"
        name = (
            "ServiceReport"
            if is_reports
            else self._typed_message(heard.topic, heard.type, heard.schema, service)
        )
        operation = self._operation(
            heard.topic, "receive", name, f"{service.instance} hears {heard.topic}", service, heard.place
        )
        if heard.description:
            operation["description"] = heard.description
        if heard.policy == "conflate":
            operation["x-policy"] = "conflate"
        if heard.reply:
            operation["reply"] = self._reply(
                self._typed_message(REPLIES, heard.reply, heard.reply_schema, service, heard.topic)
            )
        self._add(service, "hear", heard.topic, operation)

    def _write_reported(self, service: TaskServiceConf, reported: Reported) -> None:
        name = key_of(f"{service.instance}.{reported.action}")
        items = {"type": "object", "properties": {"status": reported.schema}} if reported.schema else None
        whole: Schema = {"$ref": REFERENCE.format(name="ControlContent")}
        payload = {"allOf": [whole, items]} if items else whole
        self._message("control", name, payload, f"Report '{reported.action}' of {service.instance}.")
        operation = self._operation(
            "control",
            "send",
            name,
            f"{service.instance} reports '{reported.action}'",
            service,
            reported.place,
        )
        self._add(service, "report", reported.action, operation)

    # -- parts -------------------------------------------------------------------------------------

    def _add(self, service: TaskServiceConf, verb: str, what: str, operation: Document) -> None:
        key = key_of(f"{service.id}.{verb}.{what}")
        number = 2
        while key in self.operations:
            key, number = f"{key_of(f'{service.id}.{verb}.{what}')}.{number}", number + 1
        self.operations[key] = operation

    def _channel(self, topic: str) -> Document:
        address = None if topic == REPLIES else topic
        channel: Document = self.channels.setdefault(key_of(topic), {"address": address, "messages": {}})
        if topic == REPLIES:
            channel["description"] = "Answers, each on the topic that its request names in reply_to."
        return channel

    def _typed_message(
        self, topic: str, text: str, schema: Schema, service: TaskServiceConf, about: str = ""
    ) -> str:
        """The message of a topic with this schema; a new one if there is none yet."""
        for name in self._channel(topic)["messages"]:
            if self.messages[name]["payload"] == schema and (not about or name.startswith(key_of(about))):
                return str(name)
        reference = str(schema.get("$ref", "")).rpartition("/")[2]
        what = reference or (text if re.fullmatch(r"\w+", text) else service.instance)
        name = key_of(f"{about or topic}.{what}")
        while name in self.messages:
            name += f".{service.instance}"
        self._message(topic, name, schema, text or "Anything.")
        return name

    def _message(self, topic: str, name: str, payload: Schema, summary: str) -> None:
        self.messages[name] = {
            "name": name,
            "summary": summary,
            "contentType": "application/json",
            "headers": {"$ref": REFERENCE.format(name="Header")},
            "payload": payload,
        }
        self._channel(topic)["messages"][name] = {"$ref": f"#/components/messages/{name}"}

    def _operation(
        self,
        topic: str,
        action: str,
        message: str,
        summary: str,
        service: TaskServiceConf | None = None,
        place: str = "",
    ) -> Document:
        channel = f"#/channels/{key_of(topic)}"
        self._channel(topic)
        found: Document = {
            "action": action,
            "channel": {"$ref": channel},
            "summary": summary,
            "messages": [{"$ref": f"{channel}/messages/{message}"}],
        }
        if service is not None:
            found["tags"] = [{"name": service.id, "description": service.description or service.instance}]
            if place:
                found["x-code"] = place
        return found

    @staticmethod
    def _reply(message: str) -> Document:
        channel = f"#/channels/{REPLIES}"
        return {
            "address": _TO_REPLY,
            "channel": {"$ref": channel},
            "messages": [{"$ref": f"{channel}/messages/{message}"}],
        }


def _info(spoken: Spoken, body: Document) -> Document:
    # The file has no version; what is spoken has one: it changes exactly when that does.
    text = msgspec.json.encode(body, order="sorted")
    return {
        "title": spoken.conf.task_log_name,
        "version": f"0.0.0+{hashlib.sha256(text).hexdigest()[:12]}",
        "description": (
            "Messages of a context of task services. Each is one ZeroMQ frame "
            '`topic @@@ {"header": ..., "content": ...}`: headers are the header, the payload is the '
            "content. Publishers connect to the server `publish`, listeners to `listen`."
        ),
    }


def _servers(spoken: Spoken) -> Iterator[tuple[str, Document]]:
    for name, endpoint, words in (
        ("publish", spoken.conf.backend_endpoint, "Where publishers connect (BackendEndpoint)."),
        ("listen", spoken.conf.front_end_endpoint, "Where listeners connect (FrontEndEndpoint)."),
    ):
        kind, _, host = endpoint.partition("://")
        yield name, {"host": host, "protocol": "zmq", "protocolVersion": f"3.1 {kind}", "description": words}


def _service(service: SpokenService) -> Document:
    conf = service.conf
    found: Document = {
        "id": conf.id,
        "name": conf.service_name,
        "type": conf.service_type.value,
        "instance": conf.instance,
        "description": conf.description,
        "deferred": conf.is_deferred,
        "transitions": [
            {"on": each.trigger.value, "action": each.action.value, "call": list(each.call)}
            for each in conf.transitions
        ],
    }
    if conf.command:
        found["command"] = list(conf.command)
    if service.trouble:
        found["trouble"] = service.trouble
    if service.description is not None:
        found["configuration"] = {
            "type": "object",
            "properties": {
                each.name: {**each.schema, **({"description": each.description} if each.description else {})}
                for each in service.description.parameters
            },
            "required": [each.name for each in service.description.parameters if each.is_required],
        }
    return found
