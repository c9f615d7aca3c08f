"""How services are kept is written as shortly as it can be said, and travels with each service."""

from __future__ import annotations

from dataclasses import replace

from context_bus.config.image import (
    context_from_image,
    context_to_image,
    examine_image,
    service_from_image,
    service_to_image,
)
from context_bus.config.load import parse_context
from context_bus.config.merge import merge_service
from context_bus.config.model import ServiceType, TaskServiceConf
from context_bus.config.supervision import Restart, RestartWhen, Supervision
from context_bus.config.writers import write_xml, write_yaml

from .samples import THREE, faults_of, kept, kept_context

DEFAULTS = (
    '<restart policy="on_failure"/>\n<liveness type="tcp" target="127.0.0.1:1"/>\n'
    '<process nice="5"><env name="A" value="1"/></process>'
)
OWN = (
    '<restart policy="never"/>\n<liveness type="none"/>\n'
    '<process nice="0"><env name="A" value="2"/></process>\n<requires service="web"/>'
)
TEXT = kept_context(kept(OWN), kept("<instances>2</instances>", "web", "Command"), defaults=DEFAULTS)
CONF = parse_context(TEXT.encode(), "c.xml")
WEB = """  <TaskService id="web" serviceType="Command" topic="process">
    <command>sleep 5</command>
    <supervision>
      <instances>2</instances>
    </supervision>
  </TaskService>
"""


def test_only_what_differs_is_written():
    """From the defaults of the context; what takes them back, too."""
    xml = write_xml(CONF).decode()
    assert xml.endswith(f"{WEB}</Context>\n")
    assert (
        '    <supervision>\n      <restart policy="never"/>\n      <liveness type="none"/>\n'
        '      <requires service="web"/>\n'
        '      <process nice="0">\n        <env name="A" value="2"/>\n      </process>\n    </supervision>\n'
    ) in xml
    assert (
        '  <supervision>\n    <restart policy="on_failure"/>\n'
        '    <liveness type="tcp" target="127.0.0.1:1"/>\n'
        '    <process nice="5">\n      <env name="A" value="1"/>\n    </process>\n  </supervision>\n'
    ) in xml
    assert xml.count("<supervision>") == 3


def test_files_with_defaults_survive():
    """Model and defaults, in both syntaxes."""
    for data, name in ((write_xml(CONF), "c.xml"), (write_yaml(CONF), "c.yaml")):
        copy = parse_context(data, name)
        assert (copy, copy.defaults) == (CONF, CONF.defaults)
        assert write_xml(copy) == write_xml(CONF)


def test_service_travels_with_all_that_holds_for_it():
    """A receiver may take one service without its context."""
    image = context_to_image(CONF)
    assert "supervision" not in image
    assert context_from_image(image) == CONF
    for service in CONF.services:
        assert service_from_image(service_to_image(service, transaction="TX1")) == service


def test_context_of_a_message_may_speak_for_all_as_well():
    """Whoever writes messages by hand may be as short as in a file."""
    image = context_to_image(parse_context(kept_context(kept("")).encode(), "c.xml"))
    image["supervision"] = {"restart": {"policy": "on_failure"}}
    for conf in (context_from_image(image), examine_image(image).conf):
        assert conf.services[0].supervision.restart.policy is RestartWhen.ON_FAILURE


def test_images_without_a_supervision_are_those_of_old():
    """No key that old clients do not know."""
    for service in parse_context(THREE.encode(), "c.xml").services:
        assert set(service_to_image(service)) == {"id", "instance", "serviceType", "topic", "Task"}


def test_command_on_the_wire_has_what_receivers_look_for():
    """Header and state, though its file has no task."""
    web = CONF.services[1]
    image = service_to_image(web, action="stop", transaction="TX1")
    assert image["instance"] == ""
    assert image["Task"]["message"]["header"] == {  # type: ignore[index,call-overload]
        "action": "stop",
        "service_id": "web",
        "service_name": "web",
        "transaction": "TX1",
    }


def test_merging_keeps_what_a_file_says():
    """Byte for byte; the new service takes the defaults of its file and adds its own."""
    new = TaskServiceConf("new", "New", "new", supervision=Supervision(restart=Restart(delay=2.0)))
    merged = merge_service(TEXT.encode(), new).decode()
    assert merged.startswith(TEXT.removesuffix("</Context>\n"))
    conf = parse_context(merged.encode(), "c.xml")
    assert conf.services[:2] == CONF.services
    assert conf.services[2].supervision == replace(
        CONF.defaults, restart=Restart(RestartWhen.ON_FAILURE, 2.0)
    )


def test_command_is_merged_and_told_from_a_service():
    """By its id, since it has no instance."""
    web = CONF.services[1]
    merged = merge_service(THREE.encode(), web)
    added = parse_context(merged, "c.xml").services[-1]
    assert added == web
    assert merge_service(merged, web) == merged
    (fault,) = faults_of(lambda: merge_service(merged, TaskServiceConf("web", "Web", "web"), "c.xml"))
    assert fault.message == 'the id "web" is taken by a command'
    (fault,) = faults_of(lambda: merge_service(THREE.encode(), replace(web, id="ts001"), "c.xml"))
    assert (fault.message, fault.remedy) == (
        'the id "ts001" is taken by the instance "WakeUp"',
        "give the command another id",
    )
    assert web.service_type is ServiceType.COMMAND


def test_feedback_survives_in_both_syntaxes():
    """Also an element that says no more than that it is there."""
    every = '<feedback timeout="3" every="0.5" file="f.log"/>'
    for inner in ("<feedback/>", '<feedback timeout="30"/>', every):
        conf = parse_context(kept_context(kept(inner, service_type="Command")).encode(), "c.xml")
        xml, yaml = write_xml(conf), write_yaml(conf)
        assert inner in xml.decode()
        assert parse_context(xml, "c.xml") == parse_context(yaml, "c.yaml") == conf
        assert service_from_image(service_to_image(conf.services[0])) == conf.services[0]
