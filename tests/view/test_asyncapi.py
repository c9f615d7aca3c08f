"""The AsyncAPI document: every reference leads somewhere, every part is where the specification wants it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from context_bus.view.asyncapi import document, key_of
from tests.view.contexts import context, rich, says, struct


def references(value: Any) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def follow(found: dict[str, Any], reference: str) -> Any:
    """What a reference means."""
    assert reference.startswith("#/"), reference
    value: Any = found
    for step in reference.removeprefix("#/").split("/"):
        value = value[step]
    return value


@pytest.fixture
def found() -> dict[str, Any]:
    """The document of a context in which everything occurs, as JSON has it."""
    return dict(json.loads(json.dumps(document(rich()))))


def test_required_parts_are_there(found: dict[str, Any]) -> None:
    """Version, title, and nothing at the root that the specification does not know."""
    assert found["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= found["info"].keys()
    known = {
        "asyncapi",
        "id",
        "info",
        "servers",
        "defaultContentType",
        "channels",
        "operations",
        "components",
    }
    assert {name for name in found if not name.startswith("x-")} <= known
    for server in found["servers"].values():
        assert {"host", "protocol"} <= server.keys()
        assert "://" not in server["host"]


def test_every_reference_leads_somewhere(found: dict[str, Any]) -> None:
    """Of schemas, messages and channels."""
    all_of_them = list(references(found))
    assert len(all_of_them) > 30
    for reference in all_of_them:
        assert isinstance(follow(found, reference), dict), reference


def test_operations_are_as_the_specification_wants_them(found: dict[str, Any]) -> None:
    """An action, a channel, and messages of that very channel; replies likewise."""
    for name, operation in found["operations"].items():
        assert operation["action"] in {"send", "receive"}, name
        channel = operation["channel"]["$ref"]
        assert re.fullmatch(r"#/channels/[^/]+", channel)
        assert all(each["$ref"].startswith(f"{channel}/messages/") for each in operation["messages"])
        if reply := operation.get("reply"):
            assert reply["address"]["location"].startswith("$message.header#/")
            assert all(each["$ref"].startswith("#/channels/replies/messages/") for each in reply["messages"])
    assert found["channels"]["replies"]["address"] is None


def test_keys_are_allowed(found: dict[str, Any]) -> None:
    """Components, channels and operations have keys of letters, digits, dots, dashes and underscores."""
    for part in (found["channels"], found["operations"], *found["components"].values()):
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", key) for key in part)
    odd = found["channels"][key_of("odd topic/ü")]
    assert odd["address"] == "odd topic/ü"


def test_services_are_told(found: dict[str, Any]) -> None:
    """Who publishes what, which answer comes, what is kept, what transitions there are."""
    operations = found["operations"]
    assert operations["a.publish.lines"]["x-keeps-last-value"]
    assert operations["b.hear.lines"]["x-policy"] == "conflate"
    asked, answered = operations["a.ask.square"], operations["b.hear.square"]
    assert asked["reply"]["messages"] == answered["reply"]["messages"]
    assert asked["messages"] == answered["messages"]
    report = follow(found, follow(found, operations["a.report.updated"]["messages"][0]["$ref"])["$ref"])
    assert report["payload"]["allOf"][1]["properties"]["status"] == {"type": "object"}
    services = {service["id"]: service for service in found["x-services"]}
    assert services["a"]["transitions"] == [{"on": "on_fail", "action": "restart", "call": ["a"]}]
    assert services["a"]["configuration"]["required"] == ["file"]
    assert services["broken"]["trouble"].endswith("NameError: x")
    assert services["prog"]["command"] == ["sleep", "1|2"]


def test_provider_is_told(found: dict[str, Any]) -> None:
    """Its topics, with the types of the wire; the monitor only where there is one."""
    assert {"context", "control", "process", "state", "event"} <= found["channels"].keys()
    assert "monitor" not in found["channels"]
    header = found["components"]["schemas"]["Header"]
    assert header["properties"]["sequence"]["description"].startswith("Number of the message among those")


def test_version_changes_with_what_is_spoken() -> None:
    """And with nothing else."""
    line = struct("Line", number="integer")
    versions = [
        document(context(a=says("t", "Line", Line=schema)))["info"]["version"]
        for schema in (line, line, struct("Line", number="string"))
    ]
    assert versions[0] == versions[1] != versions[2]


def test_official_schema_takes_it(found: dict[str, Any]) -> None:
    """The schema of npm's ``@asyncapi/specs``, where CONTEXT_BUS_ASYNCAPI_SCHEMA names it."""
    file = os.environ.get("CONTEXT_BUS_ASYNCAPI_SCHEMA", "")
    if not file:
        pytest.skip(
            "CONTEXT_BUS_ASYNCAPI_SCHEMA names no file; try schemas/3.0.0-without-$id.json of the package"
        )
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(file).read_text())
    schema.pop("$schema", None)
    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(found)] == []
