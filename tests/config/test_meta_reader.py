"""A service list becomes the model, and each way to get one wrong has its line and its remedy."""

from __future__ import annotations

import logging
import random

import pytest

from context_bus.config.load import parse_meta, read_meta
from context_bus.config.model import Action, TaskType, Transition, Trigger

from .samples import LIST_HEAD, SURPLUS, THREE, faults_of, line_of, list_service

STATES = """    <state><trigger>on_exit</trigger><action>start</action><state_id>ts_101</state_id></state>
    <state><trigger>on_fail</trigger><action>restart</action><state_id>ts_100</state_id></state>
"""
TWO = (
    LIST_HEAD
    + list_service("ts_100", "Stand", states=STATES)
    + list_service("ts_101", "Walk", states="    \n")
    + "</MetaServiceConf>\n"
)


def test_list_loads_with_defaults():
    """What the tutorial leaves out has a default; states may be fewer than four, in any order."""
    conf = parse_meta(TWO.encode(), "Services-X.xml")
    assert (conf.context_name, conf.server_ip, conf.sub_port, conf.pub_port) == (
        "StateMachineSample", "127.0.0.1", 5556, 5557)  # fmt: skip
    assert (conf.service_path, conf.home_path, conf.location) == ("/path-to-services-home/", "", "")
    assert conf.context_id == "context001"
    assert conf.log_on
    first, second = conf.services
    assert (first.task_service, first.task_class, first.task_file) == ("Stand", "Standing", "")
    assert (first.task_id, first.service_name, first.device_action) == (
        "ts_100",
        "state_update",
        "pass_state",
    )
    assert (first.task_type, first.task_topic, first.entry_action) == (TaskType.LOOPED, "process", "on_start")
    assert first.transitions == (
        Transition(Trigger.ON_FAIL, Action.RESTART, ("ts_100",)),
        Transition(Trigger.ON_EXIT, Action.START, ("ts_101",)),
    )
    assert second.transitions == ()
    assert second.line == line_of(TWO, "<task_service>Walk") - 1


def test_list_takes_every_documented_field():
    """Those of the later tools as well."""
    text = TWO.replace(
        "  <service_path>",
        "  <context_id>c7</context_id><home_path>/home</home_path><location>L</location><log_on>0</log_on>"
        "\n  <service_path>",
    ).replace(
        "<task_service>Stand</task_service>",
        "<task_service>Stand</task_service><task_type>Single</task_type><task_file>Riser.py</task_file>"
        "<location>M</location><configuration><period>3</period></configuration>",
    )
    conf = parse_meta(text.encode(), "l.xml")
    assert (conf.context_id, conf.home_path, conf.location, conf.log_on) == ("c7", "/home", "L", False)
    first = conf.services[0]
    assert (first.task_type, first.task_file, first.location) == (TaskType.SINGLE, "Riser", "M")
    assert first.configuration == {"period": "3"}


@pytest.mark.parametrize("word", ["Single", "Simple"])
def test_task_type_may_be_an_attribute(word):
    """The documentation says Simple in one place and Single in another."""
    text = TWO.replace("<Service>", f"<Service task_type='{word}'>", 1)
    services = parse_meta(text.encode(), "l.xml").services
    assert [each.task_type for each in services] == [TaskType.SINGLE, TaskType.LOOPED]


def test_surplus_tags_of_the_tutorial_are_all_named():
    """The document's own sample is not well-formed: each surplus line is said, and that it is one."""
    lines = SURPLUS.splitlines()
    surplus = [
        number
        for number, line in enumerate(lines, 1)
        if line.strip() == "</Service>" == lines[number - 2].strip()
    ]
    faults = faults_of(lambda: parse_meta(SURPLUS.encode(), "Services-StateMachine.xml"))
    assert [str(fault) for fault in faults] == [
        f"Services-StateMachine.xml:{number}: </Service> closes nothing: an extra </Service> after the one "
        f"in line {number - 1}; delete this line"
        for number in surplus
    ]
    assert surplus == [71, 104, 137]


def test_deleting_the_named_lines_mends_the_tutorial():
    """The remedy is a remedy."""
    faults = faults_of(lambda: parse_meta(SURPLUS.encode(), "l.xml"))
    wrong = {fault.line for fault in faults}
    kept = [line for number, line in enumerate(SURPLUS.splitlines(), 1) if number not in wrong]
    services = parse_meta("\n".join(kept).encode(), "l.xml").services
    assert [each.task_service for each in services] == ["Stand", "Walk", "DrinkCoffee", "Run"]


FAULTS = {
    "missing name": (
        "  <context_name>StateMachineSample</context_name>\n", "", "<MetaServiceConf>", "",
        "<context_name> is missing", ""),
    "name is a path": (
        "StateMachineSample", "../x", "<context_name>", "context_name", '"../x" cannot name a file', ""),
    "port": (
        "<sub_port>5556", "<sub_port>55x6", "<sub_port>", "sub_port", '"55x6" is not a port', ""),
    "port out of range": (
        "<sub_port>5556", "<sub_port>0", "<sub_port>", "sub_port", '"0" is not a port', ""),
    "ports equal": (
        "<sub_port>5556", "<sub_port>5557", "<pub_port>", "pub_port", "port 5557 is that of sub_port", ""),
    "wildcard server": (
        "<server_ip>127.0.0.1", "<server_ip>*", "<server_ip>", "server_ip",
        '"*" is not an address that others can connect to', "127.0.0.1"),
    "missing service path": (
        "  <service_path>/path-to-services-home/</service_path>\n", "", "<MetaServiceConf>", "",
        "<service_path> is missing", ""),
    "switch": (
        "  <service_path>", "  <log_on>maybe</log_on>\n  <service_path>", "<log_on>", "log_on",
        '"maybe" is neither on nor off', "write 1 or 0"),
    "slip": (
        "<sub_port>5556</sub_port>", "<sub_pot>5556</sub_pot>", "<sub_pot>", "sub_pot",
        'unknown name "sub_pot"', 'did you mean "sub_port"?'),
    "wrong place": (
        "  <service_path>", "  <task_id>x</task_id>\n  <service_path>", "<task_id>x", "task_id",
        "<task_id> does not belong here", "move it into <Service>"),
    "task service": (
        "<task_service>Walk", "<task_service>Walk Fast", "<task_service>Walk Fast",
        "Service[ts_101]/task_service", '"Walk Fast" is not a Python name', ""),
    "task class": (
        "<task_class>Walking", "<task_class>1st", "<task_class>1st", "Service[ts_101]/task_class",
        '"1st" is not a Python name', ""),
    "task file": (
        "<task_class>Walking</task_class>", "<task_file>a/b.py</task_file>", "<task_file>",
        "Service[ts_101]/task_file", '"a/b" is not a Python name', ""),
    "task type": (
        "<task_class>Walking</task_class>", "<task_type>Once</task_type>", "<task_type>",
        "Service[ts_101]/task_type", '"Once" is not a task type', "known: Looped, Single"),
    "topic": (
        "<task_topic>process", "<task_topic>control", "<task_topic>control", "Service[ts_100]/task_topic",
        '"control" is not a topic for services', 'write "process"'),
    "entry action": (
        "<entry_action>on_start", "<entry_action>on_strat", "<entry_action>on_strat",
        "Service[ts_100]/entry_action", 'unknown state type "on_strat"', 'did you mean "on_start"?'),
    "id given twice": (
        "<task_id>ts_101", "<task_id>ts_100", "<task_id>ts_100</task_id>\n    <device", "", "", ""),
    "trigger": (
        "<trigger>on_exit", "<trigger>on_end", "<trigger>on_end", "Service[ts_100]/state/trigger",
        'unknown trigger "on_end"', "known: on_start, on_update, on_fail, on_exit"),
    "action": (
        "<action>start", "<action>run", "<action>run", "Service[ts_100]/state/action",
        'unknown action "run"', "known: start, stop, restart"),
    "action without id": (
        "<state_id>ts_101</state_id>", "<state_id/>", "<state_id/>", "Service[ts_100]/state/state_id",
        'the action "start" has nobody to act on', "name a service in <state_id>"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_fault_names_line_element_and_remedy(case):
    """One change, one fault, at the line that was changed."""
    old, new, mark, element, message, remedy = case
    assert old in TWO
    text = TWO.replace(old, new, 1)
    faults = faults_of(lambda: parse_meta(text.encode(), "l.xml"))
    assert len(faults) == 1, [str(fault) for fault in faults]
    fault = faults[0]
    if not element:
        assert fault.line in {line_of(text, mark), text.count("\n", 0, text.rindex("<task_id>")) + 1}
    else:
        assert (fault.line, fault.element) == (line_of(text, mark), element)
    assert message in fault.message
    assert remedy in fault.remedy


def test_unknown_id_is_a_warning(caplog):
    """A list may add to a context whose services it calls."""
    text = TWO.replace("<state_id>ts_101", "<state_id>ts_900", 1)
    with caplog.at_level(logging.WARNING):
        assert len(parse_meta(text.encode(), "l.xml").services) == 2
    assert f"l.xml:{line_of(text, 'ts_900')}: Service[ts_100]/state/state_id: no service" in caplog.text


def test_list_without_services_is_a_fault():
    """There would be nothing to make."""
    faults = faults_of(lambda: parse_meta((LIST_HEAD + "</MetaServiceConf>").encode(), "l.xml"))
    assert [str(fault) for fault in faults] == ["l.xml:1: <Service> is missing; list at least one"]


def test_context_given_as_list_is_told_apart(tmp_path):
    """Both live in Conf/: taking one for the other is the likeliest mistake of all."""
    path = tmp_path / "Context-X.xml"
    path.write_text(THREE)
    assert [str(fault) for fault in faults_of(lambda: read_meta(path))] == [
        f"{path}:2: the root element is <Context>, expected <MetaServiceConf>; this is a context"
    ]


def test_any_surplus_tag_of_any_place_is_found():
    """Whichever closing tag is doubled, its line is the one named."""
    good = TWO.splitlines()
    chance = random.Random(7)
    places = [
        number for number, line in enumerate(good) if line.strip().startswith("</") and number < len(good) - 1
    ]
    for place in chance.sample(places, min(len(places), 20)):
        text = "\n".join([*good[: place + 1], good[place], *good[place + 1 :]])
        faults = faults_of(lambda text=text: parse_meta(text.encode(), "l.xml"))
        assert faults[0].line == place + 2
        assert "delete this line" in faults[0].remedy
