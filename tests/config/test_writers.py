"""What is written reads back as the same model, and the same model is always the same bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from context_bus.config.load import parse_context, parse_meta
from context_bus.config.model import (
    Action,
    ContextConf,
    MetaConf,
    MetaService,
    TaskServiceConf,
    TaskType,
    Transition,
    Trigger,
)
from context_bus.config.writers import write_xml, write_yaml

from .samples import faults_of

CONF = ContextConf(
    front_end_endpoint="tcp://127.0.0.1:5556",
    backend_endpoint="tcp://127.0.0.1:5557",
    front_bind="tcp://127.0.0.1:5557",
    backend_bind="tcp://127.0.0.1:5556",
    task_log_name='Fish & "Chips" <Ltd>',
    services=(
        TaskServiceConf(
            id="ts_100",
            instance="Fry",
            service_name="fry",
            description="two\nlines, é, 'quoted' & \"quoted\"",
            transitions=(
                Transition(Trigger.ON_FAIL, Action.RESTART, ("ts_100",)),
                Transition(Trigger.ON_EXIT, Action.START, ("ts_101", "ts_100")),
                Transition(Trigger.ON_EXIT, Action.STOP, ("ts_101",)),
            ),
            configuration={
                "location": "../Services",
                "words": ["a", "", "c d"],
                "deep": {"er": {"#text": "5", "unit": "s & <t>\n"}, "x": [{"y": "1"}, "z"]},
                "none": "",
            },
        ),
        TaskServiceConf(id="ts_101", instance="Eat", service_name="eat", state_type="on_exit"),
    ),
)
XML = """<?xml version='1.0' encoding='UTF-8'?>
<Context>
  <FrontEndEndpoint>tcp://127.0.0.1:5556</FrontEndEndpoint>
  <BackendEndpoint>tcp://127.0.0.1:5557</BackendEndpoint>
  <FrontBind>tcp://127.0.0.1:5557</FrontBind>
  <BackendBind>tcp://127.0.0.1:5556</BackendBind>
  <ContextID>context001</ContextID>
  <TaskLogName>Fish &amp; "Chips" &lt;Ltd&gt;</TaskLogName>
  <TaskService id="ts_101" instance="Eat" serviceType="Process" topic="process">
    <Task>
      <description/>
      <message>
        <header>
          <action>start</action>
          <service_name>eat</service_name>
        </header>
        <content>
          <configuration/>
        </content>
      </message>
      <state type="on_exit">
        <on_start>
          <action/>
          <call/>
        </on_start>
        <on_update>
          <action/>
          <call/>
        </on_update>
        <on_fail>
          <action/>
          <call/>
        </on_fail>
        <on_exit>
          <action/>
          <call/>
        </on_exit>
      </state>
    </Task>
  </TaskService>
</Context>
"""
YAML = """\
Context:
  FrontEndEndpoint: tcp://127.0.0.1:5556
  BackendEndpoint: tcp://127.0.0.1:5557
  FrontBind: tcp://127.0.0.1:5557
  BackendBind: tcp://127.0.0.1:5556
  ContextID: context001
  TaskLogName: "Fish & \\"Chips\\" <Ltd>"
  TaskService:
    - id: ts_101
      instance: Eat
      serviceType: Process
      topic: process
      Task:
        description: ""
        message:
          header:
            action: start
            service_name: eat
          content:
            configuration: ""
        state:
          type: on_exit
"""
META = MetaConf(
    context_name="Kitchen",
    server_ip="127.0.0.1",
    sub_port=5556,
    pub_port=5557,
    service_path="/srv/kitchen & co",
    log_on=False,
    services=(
        MetaService(
            task_service="Fry",
            service_name="fry",
            task_id="ts_100",
            task_type=TaskType.SINGLE,
            transitions=(Transition(Trigger.ON_EXIT, Action.START, ("ts_101",)),),
            configuration={"period": "3", "words": ["a", "b"]},
        ),
        MetaService(
            task_service="Eat", service_name="eat", task_id="ts_101", location="x", task_file="Eater"
        ),
    ),
)


def test_xml_is_exactly_this():
    """The layout is part of the promise: a diff of two files shows what differs."""
    assert write_xml(replace(CONF, services=CONF.services[1:])).decode() == XML


def test_yaml_is_exactly_this():
    """Services are a list even if there is one; empty triggers are left out."""
    assert write_yaml(replace(CONF, services=CONF.services[1:])).decode() == YAML


@pytest.mark.parametrize(("write", "name"), [(write_xml, "c.xml"), (write_yaml, "c.yaml")])
def test_written_context_reads_back(write, name):
    """Texts with every kind of quote, lists, nested and empty values survive."""
    data = write(CONF)
    conf = parse_context(data, name)
    # What stands around a text is layout, in both syntaxes.
    expected = CONF.services[0].configuration | {  # type: ignore[operator]
        "deep": {"er": {"#text": "5", "unit": "s & <t>"}, "x": [{"y": "1"}, "z"]}
    }
    assert conf == replace(
        CONF, services=(replace(CONF.services[0], configuration=expected), CONF.services[1])
    )
    assert list(conf.services[0].configuration) == ["location", "words", "deep", "none"]
    assert write(conf) == data


@pytest.mark.parametrize(("write", "name"), [(write_xml, "l.xml"), (write_yaml, "l.yaml")])
def test_written_list_reads_back(write, name):
    """The same for service lists."""
    assert parse_meta(write(META), name) == META
    assert write(parse_meta(write(META), name)) == write(META)


def test_name_that_means_a_namespace_to_xml_stays_a_name():
    """Beside a text, values are attributes; this one must not be."""
    odd = replace(CONF.services[1], configuration={"a": {"xmlns": "urn:x", "#text": "t"}})
    conf = replace(CONF, services=(odd,))
    assert parse_context(write_xml(conf), "c.xml") == conf


AMBIGUOUS = [
    "yes", "no", "on", "off", "null", "~", "true", "0123", "0x1f", "1_000", "12:30:45", "2020-01-01", "1e3",
    "- a", "# a", "a: b", "a #b", "a:", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a", "{a", "[a", "'", '"',
    "a  b", "\ta", "a\tb", "\\", "a\\nb", "é", "日本", "\U0001f600", "\x85", "\u2028", "a\xa0b", "\ufeffa",
    "a\x7fb", "line\n  indented\n\nlast", "line\n\ttab", "\n#x\ny", "x\ry", "=", "<<", "...", "---",
]  # fmt: skip


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_text_that_means_something_to_yaml_stays_text(text):
    """Whatever a person writes into a description comes back, from either syntax."""
    conf = replace(CONF, services=(replace(CONF.services[1], description=text),))
    for write, name in ((write_xml, "c.xml"), (write_yaml, "c.yaml")):
        assert parse_context(write(conf), name).services[0].description == text.strip()


@pytest.mark.parametrize("write", [write_xml, write_yaml])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"description": "a\x07"}, "TaskService/Task/description: holds the character U+0007"),
        ({"id": "a\ud800"}, "TaskService/id: holds the character U+D800"),
        (
            {"configuration": {"a b": "c"}},
            "Task/message/content/configuration: 'a b' cannot name",
        ),
        ({"configuration": {"a": {"1": "c"}}}, "content/configuration/a: '1' cannot name an element"),
    ],
)
def test_what_no_file_can_hold_is_refused(write, change, message):
    """Better no file than one that nobody can read."""
    conf = replace(CONF, file="out", services=(replace(CONF.services[1], **change),))
    assert message in str(faults_of(lambda: write(conf))[0])
