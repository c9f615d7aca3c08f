"""Contexts and descriptions for tests of what is spoken."""

from __future__ import annotations

from context_bus.config.model import Action, ContextConf, ServiceType, TaskServiceConf, Transition, Trigger
from context_bus.service.description import Description, Heard, Parameter, Reported, Said, Schema
from context_bus.view.spoken import Spoken, put_together


def reference(name: str) -> Schema:
    """A reference to a type."""
    return {"$ref": f"#/components/schemas/{name}"}


def struct(name: str, words: str = "", **fields: str) -> Schema:
    """The schema of a type with these fields, all required."""
    properties = {field: {"type": kind} for field, kind in fields.items()}
    return {
        "title": name,
        "description": words,
        "type": "object",
        "properties": properties,
        "required": list(fields),
    }


def says(topic: str, kind: str, **schemas: Schema) -> Description:
    """Somebody who publishes a type."""
    told = Said(topic=topic, type=kind, schema=reference(kind), place="X.py:1")
    return Description(service="ServiceX", says=(told,), schemas=schemas)


def hears(topic: str, kind: str, **schemas: Schema) -> Description:
    """Somebody who hears a type."""
    heard = Heard(topic=topic, method="on_it", type=kind, schema=reference(kind), place="Y.py:1")
    return Description(service="ServiceY", hears=(heard,), schemas=schemas)


def context(**found: Description | str) -> Spoken:
    """A context of services of these ids, each an instance of the same name in capitals."""
    services = [
        TaskServiceConf(
            key,
            key.upper(),
            f"name_{key}",
            transitions=(Transition(Trigger.ON_FAIL, Action.RESTART, (key,)),),
            configuration={"location": "../Services", "period": "2"},
        )
        for key in found
    ]
    program = TaskServiceConf("prog", "", "name_prog", ServiceType.COMMAND, command=("sleep", "1|2"))
    ends = ("tcp://127.0.0.1:5556", "tcp://127.0.0.1:5557")
    conf = ContextConf(*ends, *reversed(ends), "Test", services=(*services, program), file="Context-Test.xml")
    return put_together(conf, found)


def rich() -> Spoken:
    """A context in which everything occurs."""
    line = struct("Line", "A line.", number="integer", text="string")
    asks = Description(
        service="ServiceA",
        task="Working",
        description="Works.\n\nAt length.",
        place="../Services/A/A.py:3",
        parameters=(
            Parameter(
                name="period", type="float", schema={"type": "number"}, default="1.0", description="P|e."
            ),
            Parameter(name="file", type="Path", schema={"type": "string"}, is_required=True),
        ),
        says=(
            Said(topic="lines", type="Line", schema=reference("Line"), is_kept=True, place="A.py:1"),
            Said(topic="odd topic/ü", type="{a: int}", schema={"type": "object"}, place="A.py:2"),
            Said(
                topic="square",
                type="int",
                schema={"type": "integer"},
                is_question=True,
                reply="int",
                reply_schema={"type": "integer"},
                place="A.py:3",
            ),
        ),
        reports=(Reported(action="updated", schema={"type": "object"}, items={"x": "int"}, place="A.py:4"),),
        schemas={"Line": line},
    )
    answers = Description(
        service="ServiceB",
        hears=(
            Heard(
                topic="square",
                method="on_square",
                type="int",
                schema={"type": "integer"},
                reply="int",
                reply_schema={"type": "integer"},
                place="B.py:1",
            ),
            Heard(topic="lines", method="on_line", type="Line", schema=reference("Line"), policy="conflate"),
            Heard(topic="control", method="on_control"),
        ),
        schemas={"Line": {**line, "description": "Somebody else's words."}},
    )
    return context(a=asks, b=answers, broken="../Services/C/C.py:9: NameError: x")
