"""Requirements that can never be met are told before anything waits for them."""

from __future__ import annotations

from context_bus.config.image import context_to_image, examine_image
from context_bus.config.load import parse_context
from context_bus.config.requirements import MAX_CIRCLES, start_levels
from context_bus.errors import Fault

from .samples import context_faults, kept, kept_context


def requires(service_id: str, *others: str, condition: str = "ready") -> str:
    """A service that requires others."""
    return kept(
        "".join(f'<requires service="{each}" condition="{condition}"/>' for each in others), service_id
    )


def said(fault: Fault) -> tuple[int, str, str, str]:
    return fault.line, fault.element.removeprefix("TaskService"), fault.message, fault.remedy


def test_unknown_id_is_a_fault_with_a_guess():
    """As for the calls of transitions."""
    (fault,) = context_faults(kept_context(requires("ts_100", "ts_l01"), requires("ts_101")))
    assert said(fault) == (
        10,
        "[ts_100]/supervision/requires",
        'no service has the id "ts_l01"',
        'did you mean "ts_101"? known: ts_101',
    )


def test_requiring_oneself_is_a_fault():
    """And no circle besides."""
    (fault,) = context_faults(kept_context(requires("a", "a")))
    assert (fault.message, fault.remedy) == ("requires itself", "remove it")


def test_circle_is_shown_as_a_chain():
    """Once, at the first of its requirements; a second circle is told as well."""
    text = kept_context(
        requires("d", "ts_1"),
        requires("ts_1", "ts_2"),
        requires("ts_2", "ts_3", "ts_1"),
        requires("ts_3"),
        requires("x", "y"),
        requires("y", "x"),
    )
    assert [(fault.line, fault.message) for fault in context_faults(text)] == [
        (12, "a circle, of which none can start first: ts_1 -> ts_2 -> ts_1"),
        (18, "a circle, of which none can start first: x -> y -> x"),
    ]


def test_a_thousand_circles_are_told_in_time():
    """A stranger's context does not keep anybody busy."""
    pairs = [requires(f"a{n}", f"b{n}") + requires(f"b{n}", f"a{n}") for n in range(1000)]
    assert len(context_faults(kept_context(*pairs))) == MAX_CIRCLES


def test_completion_of_what_always_restarts_is_a_fault():
    """It would be waited for in vain."""
    always = kept('<restart policy="always"/>', "b")
    (fault,) = context_faults(kept_context(requires("a", "b", condition="completed"), always))
    assert said(fault)[2:] == (
        '"b" never completes: it is always restarted',
        'require it "ready", or give it policy="on_failure"',
    )
    assert parse_context(kept_context(requires("a", "b"), always).encode(), "c.xml")


def test_two_conditions_on_one_service_are_a_fault():
    """The same one twice is not."""
    twice = kept(
        '<requires service="b"/><requires service="b"/><requires service="b" condition="started"/>', "a"
    )
    (fault,) = context_faults(kept_context(twice, kept("", "b")))
    assert fault.message == '"b" is required twice, ready and started'


def test_levels_follow_requirements():
    """Nobody stands before what it requires; without requirements there are none."""
    text = kept_context(
        requires("web", "db", "cache"), requires("db", "disk"), requires("cache"), requires("disk")
    )
    conf = parse_context(text.encode(), "c.xml")
    assert start_levels(conf.services) == (("cache", "disk"), ("db",), ("web",))
    assert start_levels(conf.services[2:]) == ()


def test_message_may_require_what_the_receiver_knows():
    """But circles and instances' ids are as wrong as in a file."""
    conf = parse_context(kept_context(requires("a", "b"), requires("b")).encode(), "c.xml")
    image = context_to_image(conf)
    image["TaskService"] = [image["TaskService"][0]]  # type: ignore[index]
    assert examine_image(image).faults == ()
    image["TaskService"][0]["supervision"]["requires"]["service"] = "a"  # type: ignore[index,call-overload]
    assert [fault.message for fault in examine_image(image).faults] == ["requires itself"]


def test_id_of_another_ones_instance_is_a_fault_on_the_wire():
    """There, ids of instances are known; two services cannot have one."""
    conf = parse_context(kept_context(kept("<instances>3</instances>", "a"), kept("", "b")).encode(), "c.xml")
    for number, expected in ((3, ['"a#3" is instance 3 of "a"']), (4, [])):
        image = context_to_image(conf)
        image["TaskService"][1]["id"] = f"a#{number}"  # type: ignore[index,call-overload]
        assert [fault.message for fault in examine_image(image).faults] == expected
