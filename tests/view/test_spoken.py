"""Putting together what services say: one name for one type, and what does not fit."""

from __future__ import annotations

from tests.view.contexts import context, hears, reference, rich, says, struct


def test_same_type_has_one_name_and_the_words_of_who_sends_it() -> None:
    """Words do not make a type another one."""
    mine = struct("Line", "I read it.", number="integer")
    spoken = context(
        b=hears("t", "Line", Line=mine), a=says("t", "Line", Line={**mine, "description": "I send it."})
    )
    assert list(spoken.schemas) == ["Line"]
    assert spoken.schemas["Line"]["description"] == "I send it."
    assert spoken.oddities == ()


def test_different_types_of_a_name_are_told_apart() -> None:
    """Everything that refers to them follows, also among types."""
    other = {**struct("Line", number="integer"), "properties": {"part": reference("Part")}, "required": []}
    spoken = context(
        a=says("t", "Line", Line=struct("Line", number="integer", text="string")),
        b=hears("t", "Line", Line=other, Part=struct("Part", x="integer")),
    )
    assert list(spoken.schemas) == ["A.Line", "B.Line", "Part"]
    (topic,) = spoken.topics
    assert topic.says[0][1].schema == reference("A.Line")
    assert topic.hears[0][1].schema == reference("B.Line")
    assert spoken.schemas["B.Line"]["properties"]["part"] == reference("Part")


def test_names_of_the_provider_are_not_taken() -> None:
    """A user's ``Answer`` is not the provider's."""
    assert list(context(a=says("t", "Answer", Answer=struct("Answer", x="integer"))).schemas) == ["A.Answer"]


def test_what_a_reader_needs_and_a_sender_lacks_is_odd() -> None:
    """Missing fields and other types are told; whole numbers do for numbers."""
    spoken = context(
        a=says("t", "Sent", Sent=struct("Sent", number="integer", text="string", size="integer")),
        b=hears("t", "Read", Read=struct("Read", number="string", size="number", more="string")),
    )
    assert spoken.oddities == (
        "topic 't': b reads more, which a does not send",
        "topic 't': b reads number, which a sends as another type",
    )


def test_topics_that_lead_nowhere_are_odd() -> None:
    """Who hears what nobody here publishes waits in vain; what nobody here hears may be for others."""
    schema = struct("Line", number="integer")
    spoken = context(a=says("for.others", "Line", Line=schema), b=hears("from.nobody", "Line", Line=schema))
    assert spoken.oddities == ("topic 'from.nobody': b hears it, but nobody here publishes it",)
    assert [topic.name for topic in spoken.topics] == ["for.others", "from.nobody"]


def test_services_without_code_are_there() -> None:
    """Programs, and what could not be imported."""
    services = {service.conf.id: service for service in rich().services}
    assert services["prog"].is_program
    assert services["broken"].trouble.endswith("NameError: x")
    assert services["broken"].description is None
