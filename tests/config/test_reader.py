"""A context file becomes the model, and each way to get one wrong has its line and its remedy."""

from __future__ import annotations

import logging

import pytest

from context_bus.config.load import parse_context, read_context
from context_bus.config.model import Action, ServiceType, Transition, Trigger
from context_bus.errors import ConfigurationError

from .samples import HEAD, MONITOR, THREE, context, context_faults, line_of, service

CONFIGURATION = "<device_action>to_wakeup</device_action>"


def test_context_of_the_old_tools_loads():
    """Crossed ports, binds on every interface, empty triggers, padded text: all as ever."""
    conf = parse_context(THREE.encode(), "Context-Morning.xml")
    assert conf.front_end_endpoint == "tcp://127.0.0.1:22220"
    assert conf.backend_endpoint == "tcp://127.0.0.1:22221"
    assert conf.front_bind == "tcp://*:22221"
    assert conf.backend_bind == "tcp://*:22220"
    assert (conf.context_id, conf.task_log_name, conf.file) == (
        "context001",
        "Morning",
        "Context-Morning.xml",
    )
    first, second, third = conf.services
    assert (first.id, first.instance, first.service_name) == ("ts001", "WakeUp", "wakeup")
    assert (first.service_type, first.topic) == (ServiceType.PROCESS, "process")
    assert first.description == "does WakeUp"
    assert first.transitions == (Transition(Trigger.ON_EXIT, Action.START, ("ts002",)),)
    assert dict(first.configuration) == {
        "device_action": "to_wakeup",
        "location": "/opt/morning/Services",
    }
    assert list(first.configuration) == ["device_action", "location"]
    assert (first.device_action, first.location) == ("to_wakeup", "/opt/morning/Services")
    assert [each.is_deferred for each in (first, second, third)] == [False, True, False]
    assert first.line == line_of(THREE, 'id="ts001"')
    assert conf.service("ts003") == third
    assert conf.service("ts004") is None


def test_context_of_one_service_loads():
    """One element is a list of one, not a thing of another kind."""
    conf = parse_context(context(service("ts001", "WakeUp")).encode(), "c.xml")
    assert [each.id for each in conf.services] == ["ts001"]


def test_context_of_no_service_loads_with_a_warning(caplog):
    """A context may be filled later; whoever reads the log knows."""
    with caplog.at_level(logging.WARNING):
        assert parse_context(context().encode(), "c.xml").services == ()
    assert "c.xml:2: no <TaskService>: this context has nothing to run" in caplog.text


def test_context_id_and_state_type_have_defaults():
    """Old files have neither."""
    text = context(service("ts001", "WakeUp")).replace("  <ContextID>context001</ContextID>\n", "")
    conf = parse_context(text.replace('<state type="on_start">', "<state>").encode(), "c.xml")
    assert conf.context_id == "context001"
    assert conf.services[0].state_type == "on_start"
    assert not conf.services[0].is_deferred


def test_monitor_needs_no_location():
    """The built-in instance has no directory of its own; nested settings stay nested."""
    monitor = parse_context(context(MONITOR).encode(), "c.xml").services[0]
    assert monitor.location == ""
    assert monitor.configuration["service"] == {"endpoint": "tcp://127.0.0.1:6558", "frequency_s": "30.0"}
    assert monitor.transitions == (Transition(Trigger.ON_FAIL, Action.RESTART, ("ts000",)),)


def test_attributes_and_children_say_the_same():
    """Whether a field is written as attribute or as element is a matter of taste."""
    element = service("ts001", "WakeUp", action="start", call="ts001")
    as_children = element.replace(
        '<TaskService id="ts001" instance="WakeUp" serviceType="Process" topic="process">',
        "<TaskService><id>ts001</id><instance>WakeUp</instance><serviceType>Process</serviceType>",
    ).replace('<state type="on_start">', "<state><type>on_start</type>")
    as_attributes = element.replace(
        "<on_exit><action>start</action><call>ts001</call></on_exit>",
        '<on_exit action="start" call="ts001"/>',
    )
    expected = parse_context(context(element).encode(), "c.xml")
    assert parse_context(context(as_children).encode(), "c.xml") == expected
    assert parse_context(context(as_attributes).encode(), "c.xml") == expected


def test_configuration_values_keep_their_shape():
    """Leaf, repeated, nested, empty, with attributes: nothing is lost, order stays."""
    settings = (
        "<words>a</words><page>3</page><words>b</words><words/><empty/>"
        '<publisher endpoint="tcp://x:1" type="pub"/><limit unit="s"> 5 </limit>'
        "<deep><er><x>1</x><x>2</x></er></deep><!-- not seen --><text>two\nlines</text>"
    )
    text = context(service("ts001", "WakeUp")).replace(CONFIGURATION, settings)
    values = parse_context(text.encode(), "c.xml").services[0].configuration
    assert values == {
        "words": ["a", "b", ""],
        "page": "3",
        "empty": "",
        "publisher": {"endpoint": "tcp://x:1", "type": "pub"},
        "limit": {"unit": "s", "#text": "5"},
        "deep": {"er": {"x": ["1", "2"]}},
        "text": "two\nlines",
        "location": "/opt/morning/Services",
    }
    assert list(values)[:3] == ["words", "page", "empty"]


@pytest.mark.parametrize(
    "call",
    ["<call>ts002, ts003</call>", "<call>ts002</call><call>ts003</call>", "<call>ts002,ts003,,ts002</call>"],
)
def test_call_names_several_services(call):
    """Comma separated or repeated, each counts once."""
    text = THREE.replace("<call>ts002</call>", call)
    assert parse_context(text.encode(), "c.xml").services[0].transitions[0].call == ("ts002", "ts003")


def test_transitions_of_one_trigger_may_be_several():
    """A trigger can start one service and stop another; order is that of the triggers, then as written."""
    extra = (
        "<on_exit><action>stop</action><call>ts003</call></on_exit>"
        "<on_start><action>restart</action><call>ts002</call></on_start></state>"
    )
    text = THREE.replace("</state>", extra, 1)
    assert parse_context(text.encode(), "c.xml").services[0].transitions == (
        Transition(Trigger.ON_START, Action.RESTART, ("ts002",)),
        Transition(Trigger.ON_EXIT, Action.START, ("ts002",)),
        Transition(Trigger.ON_EXIT, Action.STOP, ("ts003",)),
    )


#: What is changed in THREE (each must be found), the line marked by a text, element, message, remedy.
FAULTS = {
    "missing endpoint": (
        "  <FrontBind>tcp://*:22221</FrontBind>\n", "", "<Context>", "", "<FrontBind> is missing", ""),
    "empty endpoint": (
        "<FrontBind>tcp://*:22221<", "<FrontBind><", "<FrontBind>", "FrontBind", "is empty", ""),
    "malformed endpoint": (
        "<FrontBind>tcp://*:22221<", "<FrontBind>tcp:/*:22221<", "<FrontBind>", "FrontBind",
        '"tcp:/*:22221" is not an endpoint: expected tcp://<host>:<port>', ""),
    "port out of range": (
        "<FrontBind>tcp://*:22221<", "<FrontBind>tcp://*:70000<", "<FrontBind>", "FrontBind",
        '"70000" is not a port: expected a number from 1 to 65535', ""),
    "port not a number": (
        "<FrontBind>tcp://*:22221<", "<FrontBind>tcp://*:*<", "<FrontBind>", "FrontBind",
        '"*" is not a port', ""),
    "connect to a wildcard": (
        "<FrontEndEndpoint>tcp://127.0.0.1", "<FrontEndEndpoint>tcp://*", "<FrontEnd", "FrontEndEndpoint",
        'nobody can connect to "tcp://*:22220"', "write tcp://127.0.0.1:22220"),
    "listeners' ports differ": (
        "<FrontEndEndpoint>tcp://127.0.0.1:22220", "<FrontEndEndpoint>tcp://127.0.0.1:22229", "<BackendBind",
        "BackendBind", "does not meet FrontEndEndpoint: port 22220 here, port 22229 there",
        "give both the same port"),
    "publishers' ports differ": (
        "<BackendEndpoint>tcp://127.0.0.1:22221", "<BackendEndpoint>tcp://127.0.0.1:22229", "<FrontBind",
        "FrontBind", "does not meet BackendEndpoint: port 22221 here, port 22229 there",
        "give both the same port"),
    "missing log name": (
        "  <TaskLogName>Morning</TaskLogName>\n", "", "<Context>", "", "<TaskLogName> is missing", ""),
    "a field given twice": (
        "<ContextID>context001</ContextID>", "<ContextID>a</ContextID><ContextID>b</ContextID>",
        "<ContextID>", "ContextID", "given 2 times (lines 7, 7)", "keep one"),
    "elements where text belongs": (
        "<ContextID>context001<", "<ContextID><a/><", "<ContextID>", "ContextID",
        "holds elements where text is expected", ""),
    "slip in an element": (
        "TaskLogName>", "TaskLogname>", "<TaskLogname>", "TaskLogname",
        'unknown name "TaskLogname"', 'did you mean "TaskLogName"?'),
    "slip in an attribute": (
        'instance="WakeUp"', 'instanse="WakeUp"', 'id="ts001"', "TaskService[ts001]/instanse",
        'unknown name "instanse"', 'did you mean "instance"?'),
    "element in the wrong place": (
        "  <ContextID>", "  <Task/>\n  <ContextID>", "<Task/>", "Task",
        "<Task> does not belong here", "move it into <TaskService>"),
    "element as attribute": (
        'topic="process">', 'topic="process" Task="x">', 'id="ts001"', "TaskService[ts001]",
        '"Task" is an element, not an attribute', "write <Task>...</Task>"),
    "missing id": (
        'id="ts003" ', "", 'instance="DrinkCoffee"', "TaskService[3]", "<id> is missing", "ts_100"),
    "id with blanks": (
        'id="ts003"', 'id="ts 003"', 'id="ts 003"', "TaskService[ts 003]/id", '"ts 003" is not an id', ""),
    "reserved id": (
        'id="ts003"', 'id="all"', 'id="all"', "TaskService[all]/id", '"all" is reserved', "another id"),
    "id given twice": (
        'id="ts003"', 'id="ts001"', 'instance="DrinkCoffee"', "TaskService[ts001]/id",
        'the id "ts001" is taken by the service in line 9', "unique"),
    "missing instance": (
        'instance="WakeUp" ', "", 'id="ts001"', "TaskService[ts001]", "<instance> is missing", "directory"),
    "instance is no Python name": (
        'instance="WakeUp"', 'instance="Wake-Up"', 'id="ts001"', "TaskService[ts001]/instance",
        '"Wake-Up" is not a Python name', "letters"),
    "instance climbs": (
        'instance="WakeUp"', 'instance="../../etc"', 'id="ts001"', "TaskService[ts001]/instance",
        '"../../etc" is not a Python name', "letters"),
    "instance is a keyword": (
        'instance="WakeUp"', 'instance="class"', 'id="ts001"', "TaskService[ts001]/instance",
        '"class" is not a Python name', "letters"),
    "service type": (
        'id="ts001" instance="WakeUp" serviceType="Process"',
        'id="ts001" instance="WakeUp" serviceType="process"', 'id="ts001"', "TaskService[ts001]/serviceType",
        '"process" is not a service type', 'did you mean "Process"?'),
    "unknown service type": (
        'id="ts001" instance="WakeUp" serviceType="Process"',
        'id="ts001" instance="WakeUp" serviceType="Fibre"', 'id="ts001"', "TaskService[ts001]/serviceType",
        '"Fibre" is not a service type', "known: Process, Thread"),
    "topic": (
        'serviceType="Process" topic="process">', 'serviceType="Process" topic="task">', 'id="ts001"',
        "TaskService[ts001]/topic", '"task" is not a topic for services', 'write "process"'),
    "header action": (
        "<action>start</action>\n", "<action>begin</action>\n", "<action>begin",
        "TaskService[ts001]/Task/message/header/action", 'unknown action "begin"',
        "known: start, stop, restart"),
    "missing service name": (
        "          <service_name>wakeup</service_name>\n", "", "<header>",
        "TaskService[ts001]/Task/message/header", "<service_name> is missing", ""),
    "reserved service name": (
        "<service_name>wakeup<", "<service_name>all<", "<service_name>all",
        "TaskService[ts001]/Task/message/header/service_name", '"all" is reserved in commands', ""),
    "two locations": (
        "<device_action>to_wakeup</device_action>", "<location>a</location>", "<location>a",
        "TaskService[ts001]/Task/message/content/configuration/location", "one text is expected", "keep one"),
    "slip in the state type": (
        '<state type="on_update">', '<state type="on_updat">', 'type="on_updat"',
        "TaskService[ts002]/Task/state/type", 'unknown state type "on_updat"', 'did you mean "on_update"?'),
    "unknown trigger": (
        "<on_exit><action>start", "<on_end/><on_exit><action>start", "<on_end/>",
        "TaskService[ts001]/Task/state/on_end", 'unknown trigger "on_end"', "known: on_start"),
    "unknown action": (
        "<on_exit><action>start", "<on_exit><action>stratt", "<action>stratt",
        "TaskService[ts001]/Task/state/on_exit/action", 'unknown action "stratt"', 'did you mean "start"?'),
    "action without call": (
        "<call>ts002</call>", "<call/>", "<action>start</action><call/>",
        "TaskService[ts001]/Task/state/on_exit/call", 'the action "start" has nobody to act on',
        "name a service in <call>, or empty <action>"),
    "call without action": (
        "<on_exit><action>start</action>", "<on_exit>", "<on_exit><call>ts002",
        "TaskService[ts001]/Task/state/on_exit/action", "calls ts002 but says no action", "known: start"),
    "unknown id": (
        "<call>ts002</call>", "<call>wake</call>", "<call>wake",
        "TaskService[ts001]/Task/state/on_exit/call", 'no service has the id "wake"',
        "known: ts001, ts002, ts003"),
    "slip in an id": (
        "<call>ts002</call>", "<call>ts003, ts02</call>", "<call>ts003, ts02",
        "TaskService[ts001]/Task/state/on_exit/call", 'no service has the id "ts02"',
        'did you mean "ts002"?'),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_fault_names_line_element_and_remedy(case):
    """One change, one fault, at the line that was changed."""
    old, new, mark, element, message, remedy = case
    assert old in THREE
    text = THREE.replace(old, new) if old == "TaskLogName>" else THREE.replace(old, new, 1)
    faults = context_faults(text, "Context-Morning.xml")
    assert len(faults) == 1, [str(fault) for fault in faults]
    fault = faults[0]
    assert (fault.line, fault.element) == (line_of(text, mark), element)
    assert message in fault.message
    assert remedy in fault.remedy
    assert str(fault).startswith(f"Context-Morning.xml:{fault.line}: {element}")
    assert "\n" not in str(fault)


def test_missing_task_is_one_fault():
    """A service without content does not drag other complaints behind it."""
    text = context('<TaskService id="a" instance="A"/>')
    assert [str(fault) for fault in context_faults(text)] == [
        "c.xml:9: TaskService[a]: <Task> is missing; it holds the message and the state of the service"
    ]


def test_missing_message_is_one_fault():
    """Without a message nobody asks for its parts."""
    text = context('<TaskService id="a" instance="A"><Task/></TaskService>')
    assert [fault.message for fault in context_faults(text)] == ["<message> is missing"]


def test_both_binds_on_one_port_is_a_fault():
    """The second bind would fail on a running machine: better said before."""
    text = THREE.replace("22220", "22221")
    assert [(fault.line, fault.message) for fault in context_faults(text)] == [
        (6, "port 22221 is that of FrontBind, too")
    ]


def test_all_faults_are_reported_at_once_in_order_of_lines():
    """Mending a file takes one round, not ten."""
    text = (
        THREE.replace("<call>ts002</call>", "<call>ts009</call>")
        .replace("<FrontBind>tcp://*:22221", "<FrontBind>nowhere")
        .replace('instance="DrinkCoffee"', 'instance="Drink Coffee"')
    )
    with pytest.raises(ConfigurationError) as caught:
        parse_context(text.encode(), "c.xml")
    lines = [fault.line for fault in caught.value.faults]
    assert len(lines) == 3
    assert lines == sorted(lines)
    assert len(str(caught.value).splitlines()) == 3
    assert caught.value.exit_code == 2


WARNINGS = {
    "unknown element": ("  <ContextID>", "  <Colour>red</Colour>\n  <ContextID>", "Colour: unknown, ignored"),
    "unknown attribute": (' topic="process">', ' topic="process" colour="red">', "colour: unknown, ignored"),
    "attribute of a leaf": ("<ContextID>", '<ContextID x="1">', "ContextID/@x: unknown, ignored"),
    "stray text": ("<ContextID>", "stray<ContextID>", 'the text "stray" beside its elements is ignored'),
    "text in configuration": ("<device_action>", "stray<device_action>", "text beside its elements"),
    "unknown state type": ('type="on_update"', 'type="on_demand"', "the service is deferred"),
}


@pytest.mark.parametrize("case", WARNINGS.values(), ids=WARNINGS.keys())
def test_oddities_of_old_files_load_with_a_warning(case, caplog):
    """Old files carry names that nobody reads any more; they still work."""
    old, new, message = case
    assert old in THREE
    with caplog.at_level(logging.WARNING):
        conf = parse_context(THREE.replace(old, new, 1).encode(), "c.xml")
    assert len(conf.services) == 3
    assert message in caplog.text


def test_long_and_wild_text_is_quoted_in_one_line():
    """A message fits a terminal whatever the file holds."""
    text = THREE.replace("<action>start</action>\n", f"<action>{'x y&#10;' * 500}</action>\n", 1)
    assert all(len(str(fault)) < 1000 and "\n" not in str(fault) for fault in context_faults(text))


def test_ipc_endpoints_pair_by_path(tmp_path):
    """A context may live on sockets of the file system."""
    head = HEAD.replace("tcp://127.0.0.1:22220", "ipc:///tmp/b").replace(
        "tcp://127.0.0.1:22221", "ipc:///tmp/f"
    )
    head = head.replace("tcp://*:22221", "ipc:///tmp/f").replace("tcp://*:22220", "ipc:///tmp/b")
    assert parse_context(context(head=head).encode(), "c.xml").front_bind == "ipc:///tmp/f"
    wrong = head.replace("<FrontBind>ipc:///tmp/f", "<FrontBind>ipc:///tmp/g")
    assert [fault.element for fault in context_faults(context(head=wrong))] == ["FrontBind"]


def test_read_context_takes_a_path(tmp_path):
    """The file stands in the model as the caller named it."""
    path = tmp_path / "Context-Morning.xml"
    path.write_text(THREE)
    assert read_context(path).file == str(path)
    assert read_context(str(path)) == read_context(path)
