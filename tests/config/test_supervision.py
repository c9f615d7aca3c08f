"""What a file says of how a service is kept becomes the model; what makes no sense is one line each."""

from __future__ import annotations

import pytest

from context_bus.config.load import parse_context
from context_bus.config.model import ServiceType
from context_bus.config.supervision import (
    Condition,
    Feedback,
    Liveness,
    LivenessKind,
    Output,
    Probe,
    Readiness,
    ReadinessKind,
    Requirement,
    Restart,
    RestartWhen,
    Stop,
    Supervision,
)
from context_bus.kernel.surroundings import Surroundings

from .samples import THREE, context_faults, kept, kept_context


def read(inner: str, service_type: str = "Process", *others: str, defaults: str = "") -> Supervision:
    """The model of one service."""
    text = kept_context(kept(inner, service_type=service_type), *others, defaults=defaults)
    return parse_context(text.encode(), "c.xml").services[0].supervision


def faults(inner: str, service_type: str = "Process", *others: str, defaults: str = "") -> list[str]:
    """What is wrong with one service, without file, line and the path to its supervision."""
    text = kept_context(kept(inner, service_type=service_type), *others, defaults=defaults)
    found = [str(fault).split(": ", 1)[1] for fault in context_faults(text)]
    return [text.removeprefix("TaskService[ts_1]/").removeprefix("supervision/") for text in found]


def test_silence_is_the_default():
    """A file without any of it, and an empty element."""
    for service in parse_context(THREE.encode(), "c.xml").services:
        assert service.supervision == Supervision()
    assert read("") == Supervision()


FULL = """
  <restart policy="on_failure" delay="0.2" factor="3" max_delay="40" jitter="0" max_restarts="6" window="20"
           min_uptime="2"/>
  <readiness type="http" target="http://127.0.0.1:8080/health" every="0.5" timeout="2" deadline="10"/>
  <liveness type="command" every="3" timeout="2" failures="4"><command>test -f 'a b'</command></liveness>
  <stop grace="3"/>
  <requires service="ts_2, ts_3" condition="started"/>
  <depends_on service="ts_4"/>
  <instances>3</instances>
  <schedule> */5  * * * * </schedule>
  <process cwd="data" user="nobody" group="nogroup" umask="022" nice="5" cpus="0,2-3">
    <env name="A" value="1"/><env name="B" value=""/>
    <limit name="nofile" soft="1024" hard="4096"/><limit name="core" soft="unlimited"/>
  </process>
  <output stdout="a/b.log" stderr="null" max_bytes="1MB" backups="2" show="0"/>
"""
MODEL = Supervision(
    restart=Restart(RestartWhen.ON_FAILURE, 0.2, 3.0, 40.0, 0.0, 6, 20.0, 2.0),
    readiness=Readiness(
        ReadinessKind.HTTP, Probe("http://127.0.0.1:8080/health", every=0.5, timeout=2.0), deadline=10.0
    ),
    liveness=Liveness(LivenessKind.COMMAND, Probe(command=("test", "-f", "a b"), every=3.0, timeout=2.0), 4),
    stop=Stop(grace=3.0),
    requires=(
        Requirement("ts_2", Condition.STARTED),
        Requirement("ts_3", Condition.STARTED),
        Requirement("ts_4"),
    ),
    surroundings=Surroundings(
        "data", {"A": "1", "B": ""}, "nobody", "nogroup", 0o22, 5, (0, 2, 3),
        {"nofile": (1024, 4096), "core": (-1, -1)},
    ),
    output=Output("a/b.log", "null", 2**20, 2, show=False),
    instances=3,
    schedule="*/5 * * * *",
)  # fmt: skip
OTHERS = [kept("", service_id) for service_id in ("ts_2", "ts_3", "ts_4")]


def test_every_element_is_read():
    """Each to its field."""
    assert read(FULL, "Process", *OTHERS) == MODEL


def test_attributes_may_be_elements():
    """As everywhere in a context file; a command may be an attribute or a list of words, too."""
    assert read(
        "<restart><policy>always</policy><delay>2</delay></restart>"
        "<readiness><type>command</type><command><arg>a</arg><arg>b c</arg><arg/></command></readiness>"
        '<liveness type="command" command="a b"/>'
    ) == Supervision(
        restart=Restart(RestartWhen.ALWAYS, 2.0),
        readiness=Readiness(ReadinessKind.COMMAND, Probe(command=("a", "b c", ""))),
        liveness=Liveness(LivenessKind.COMMAND, Probe(command=("a", "b"), every=2.0)),
    )


def test_yaml_says_the_same():
    """With lists where XML repeats an element."""
    yaml = b"""
Context:
  FrontEndEndpoint: tcp://127.0.0.1:1
  BackendEndpoint: tcp://127.0.0.1:2
  FrontBind: tcp://127.0.0.1:2
  BackendBind: tcp://127.0.0.1:1
  TaskLogName: Y
  supervision: {restart: {policy: on_failure}}
  TaskService:
    - id: web
      serviceType: Command
      command: {arg: [sleep, 5]}
      supervision:
        requires: [{service: db}, {service: cache, condition: started}]
        output: {show: no, max_bytes: 1MB}
    - {id: db, serviceType: Command, command: sleep 5}
    - {id: cache, serviceType: Command, command: sleep 5}
"""
    web, *_ = parse_context(yaml, "c.yaml").services
    assert web.command == ("sleep", "5")
    assert web.supervision == Supervision(
        restart=Restart(RestartWhen.ON_FAILURE),
        requires=(Requirement("db"), Requirement("cache", Condition.STARTED)),
        output=Output(max_bytes=2**20, show=False),
    )


def test_command_needs_no_more_than_a_program():
    """Its name on the wire is its id."""
    text = kept_context('<TaskService id="web" serviceType="Command"><command>a b</command></TaskService>')
    (service,) = parse_context(text.encode(), "c.xml").services
    assert (service.service_type, service.service_name, service.instance) == (ServiceType.COMMAND, "web", "")
    assert (service.command, service.is_deferred) == (("a", "b"), False)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("", "<command> is missing; write <command>program argument</command>"),
        ("<command/>", "command: names no program; write the program and its arguments"),
        ("<command>''</command>", "command: names no program; write the program and its arguments"),
        ("<command>a 'b</command>",
         "command: cannot be split into words: no closing quotation; close what is opened"),
        ("<command>a</command><command>b</command>",
         "command: given more than once; write one line, or an <arg> for each word in one <command>"),
        ("<command><arg>a</arg>b</command>",
         'command: the text "b" has no meaning here; known here: arg'),
        ("<command><args>a</args></command>", 'command/args: unknown name "args"; did you mean "arg"?'),
    ],
)  # fmt: skip
def test_programs_that_are_none(command, expected):
    """Each way to have none."""
    text = kept_context(f'<TaskService id="ts_1" serviceType="Command">{command}</TaskService>')
    assert expected in [
        str(each).split("TaskService[ts_1]")[1].lstrip(":/ ") for each in context_faults(text)
    ]


def test_program_of_a_python_service_is_a_fault():
    """It would never run."""
    text = kept_context(kept("").replace("<Task>", "<command>a</command><Task>"))
    (fault,) = context_faults(text)
    assert (fault.message, fault.remedy) == (
        "only a service of type Command runs a program",
        'write serviceType="Command", or remove it',
    )


def test_slip_in_the_type_is_one_fault():
    """What was meant is judged by its own rules."""
    text = kept_context('<TaskService id="web" serviceType="Comand"><command>a b</command></TaskService>')
    (fault,) = context_faults(text)
    assert fault.remedy.startswith('did you mean "Command"?')


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ('<restart policy="onfailure"/>',
         'restart/policy: "onfailure" is not known; did you mean "on_failure"? known: never, on_failure, '
         'always'),
        ('<restart polcy="never"/>', 'restart/polcy: unknown name "polcy"; did you mean "policy"?'),
        ('<restart delay="-1"/>', 'restart/delay: "-1" is no duration: expected seconds, such as 0.5'),
        ('<restart delay="31"/>',
         "restart/max_delay: 30 s is less than the delay of 31 s; raise max_delay or lower delay"),
        ('<restart max_restarts="0"/>', 'restart/max_restarts: "0" is not a whole number from 1 to 1000000'),
        ("<restart>always</restart>",
         'restart: the text "always" has no meaning here; known here: policy, delay, factor, max_delay, '
         'jitter, '
         "max_restarts, window, min_uptime, success_codes"),
        ('<readiness target="127.0.0.1:80"/>',
         'readiness/target: is of no use for type "message"; write type="tcp", "http" or "log"'),
        ('<readiness type="tcp"/>',
         'readiness: <target> is missing; type "tcp" asks it, write target="127.0.0.1:8080"'),
        ('<readiness type="tcp" target="80"/>',
         'readiness/target: "80" is no host and port: expected for instance 127.0.0.1:8080'),
        ('<readiness type="tcp" target="*:80"/>',
         'readiness/target: nobody can connect to "*:80": expected for instance 127.0.0.1:80'),
        ('<readiness type="http" target="ftp://a/"/>',
         'readiness/target: "ftp://a/" is no URL: expected for instance http://127.0.0.1:8080/health'),
        ('<readiness type="log" target="("/>',
         'readiness/target: "(" is no regular expression: missing ), unterminated subpattern at position 0'),
        ('<readiness type="log" target="a"/><output stdout="null"/>',
         'readiness: nobody reads the output of this service; write <output stdout="log"/>'),
        ('<readiness type="command"/>',
         "readiness: <command> is missing; write <command>program argument</command>"),
        ('<readiness command="a"/>',
         'readiness/command: is of no use for type "message"; write type="command"'),
        ('<readiness type="time"/>', 'readiness: <after> is missing; write after="2" for two seconds'),
        ('<readiness after="1"/>', 'readiness/after: is of no use for type "message"; write type="time"'),
        ('<readiness type="time" after="9" deadline="9"/>',
         "readiness/deadline: 9 s are over before it can be ready; raise deadline"),
        ('<readiness type="tpc"/>',
         'readiness/type: "tpc" is not known; did you mean "tcp"? known: message, tcp, http, command, '
         'log, time'),
        ("<liveness/>", "liveness: <type> is missing; one of heartbeat, tcp, http, command, none"),
        ('<liveness type="log"/>',
         'liveness/type: "log" is not known; known: heartbeat, tcp, http, command, none'),
        ('<liveness type="heartbeat" every="0"/>',
         'liveness/every: "0" is no time at all: expected more than 0 seconds'),
        ('<stop signal="SIGTREM"/>', 'stop/signal: "SIGTREM" is no signal: did you mean "SIGTERM"?'),
        ('<requires servce="ts_2"/>', 'requires/servce: unknown name "servce"; did you mean "service"?'),
        ("<requires/>", 'requires: <service> is missing; write service="ts_101"'),
        ("<instances>0</instances>", 'instances: "0" is not a whole number from 1 to 1000'),
        ('<instances count="3"/>', 'instances/@count: unknown name "count"; remove it'),
        ("<schedule>* * *</schedule>",
         'schedule: "* * *": 3 fields, expected minute, hour, day of month, month and day of week; for '
         'instance '
         "*/5 * * * * for every five minutes"),
        ("<schedule>0 0 30 2 *</schedule>",
         'schedule: "0 0 30 2 *": never comes due: no such day in these months; choose a day that exists'),
        ('<restart policy="always"/><schedule>0 0 1 * *</schedule>',
         'schedule: a service that is always restarted never waits for its time; write '
         'policy="on_failure" or '
         "remove the schedule"),
        ('<process><env name="A=B"/></process>',
         'process/env/name: "A=B" cannot name a variable; write name="A" value="1"'),
        ('<process><env name="A"/><env name="A"/></process>',
         'process/env/name: "A" is given twice; keep one'),
        ('<process><limit name="nofiles" soft="1"/></process>',
         'process/limit/name: "nofiles" is no limit; did you mean "nofile"? known: as, core, cpu, data, '
         'fsize, '
         "memlock, msgqueue, nice, nofile, nproc, rss, rtprio and 3 more"),
        ('<process><limit name="nofile"/></process>',
         'process/limit: neither soft nor hard is given; write soft="1024", hard="4096" or both'),
        ('<process><limit name="nofile" soft="unlimited" hard="4"/></process>',
         "process/limit/soft: unlimited is more than the hard limit of 4; lower soft or raise hard"),
        ('<process nice="20"/>', 'process/nice: "20" is not a whole number from -20 to 19'),
        ('<output stdout="logs"/>',
         'output/stdout: "logs" is no place; did you mean "log"? A file of this name is "./logs"'),
        ('<output stdout="stdout"/>',
         'output/stdout: "stdout" is itself; expected log, inherit, null or a path'),
        ("<restarts/>", 'restarts: unknown name "restarts"; did you mean "restart"?'),
        ("<colour/>",
         'colour: unknown name "colour"; known here: restart, readiness, liveness, stop, process, '
         'output, requires, '
         "depends_on, instances, schedule, feedback"),
    ],
)  # fmt: skip
def test_each_fault_is_one_line(inner, expected):
    """With the element and the remedy, and nothing besides."""
    assert faults(inner) == [expected]


def test_all_faults_come_at_once():
    """One run, one list."""
    assert (
        len(faults('<restart policy="x" delay="y"/><liveness type="z"/><instances>-1</instances><what/>'))
        == 5
    )


@pytest.mark.parametrize("kind", ["Command", "Thread"])
def test_heartbeat_is_for_processes(kind):
    """Nobody would beat."""
    assert faults('<liveness type="heartbeat"/>', kind) == [
        f'liveness/type: a service of type "{kind}" has no heartbeat; write type="tcp", "http" or '
        f'"command", or '
        'serviceType="Process"'
    ]


def test_thread_has_nothing_of_its_own():
    """No process, no output, no instances."""
    inner = '<process nice="1"/><output show="0"/><instances>2</instances><readiness type="log" target="x"/>'
    remedy = 'write serviceType="Process", or remove it'
    assert faults(inner, "Thread") == [
        *(f"{name}: a thread has none of its own; {remedy}" for name in ("process", "output", "instances")),
        f"readiness/type: a thread has no output of its own; {remedy}",
    ]


def test_context_speaks_for_all_its_services():
    """A service adds to it, field for field and variable for variable."""
    defaults = (
        '<restart policy="on_failure" delay="2"/><readiness type="tcp" target="127.0.0.1:1" every="3"/>'
        '<liveness type="heartbeat"/><process umask="027">'
        '<env name="A" value="1"/><env name="B" value="2"/></process>'
    )
    own = (
        '<restart max_delay="9"/><readiness type="log" target="up"/>'
        '<process nice="1"><env name="B" value="3"/></process>'
    )
    assert read(own, defaults=defaults) == Supervision(
        restart=Restart(RestartWhen.ON_FAILURE, 2.0, max_delay=9.0),
        readiness=Readiness(ReadinessKind.LOG, Probe("up", every=3.0)),
        liveness=Liveness(LivenessKind.HEARTBEAT),
        surroundings=Surroundings(umask=0o27, nice=1, env={"A": "1", "B": "3"}),
    )
    assert read('<liveness type="none"/>', defaults=defaults).liveness is None


def test_context_does_not_force_what_cannot_be():
    """What fits processes only is not taken over by the others."""
    defaults = (
        '<liveness type="heartbeat"/><readiness type="log" target="up"/><process nice="1"/><output show="0"/>'
    )
    command, thread = (read("", kind, defaults=defaults) for kind in ("Command", "Thread"))
    assert command == Supervision(
        readiness=Readiness(ReadinessKind.LOG, Probe("up")),
        surroundings=Surroundings(nice=1),
        output=Output(show=False),
    )
    assert thread == Supervision()


@pytest.mark.parametrize("name", ["requires", "depends_on", "instances", "schedule", "feedback"])
def test_context_cannot_say_what_is_of_one_service(name):
    """With the place where it belongs."""
    assert faults("", defaults=f"<{name}/>") == [
        f"{name}: <{name}> does not belong here; move it into <TaskService/supervision>"
    ]


def test_elements_beside_the_supervision_are_not_lost():
    """Below the service or its task, where they would be overlooked."""
    text = kept_context(kept("").replace("<Task>", '<restart policy="always"/><Task><schedule>x</schedule>'))
    assert [(fault.element, fault.remedy) for fault in context_faults(text)] == [
        ("TaskService[ts_1]/Task/schedule", "move it into <supervision>"),
        ("TaskService[ts_1]/restart", "move it into <supervision>"),
    ]


def test_what_only_commands_heed_is_a_warning(caplog):
    """A Python service is asked on its channel and reports itself."""
    read('<stop signal="SIGINT"/><restart success_codes="0,3"/>')
    assert [message.split("supervision/")[1] for message in caplog.messages] == [
        "restart/success_codes: is for commands; a Python service reports its success itself",
        "stop/signal: is for commands; a Python service is asked to stop on its channel",
    ]
    caplog.clear()
    found = read('<stop signal="int"/><restart success_codes="0,3"/>', "Command")
    assert (found.stop.signal, found.restart.success_codes, caplog.messages) == ("SIGINT", (0, 3), [])


def test_feedback_is_followed_if_its_element_is_there():
    """Be it empty; as attributes or elements; not of its own accord."""
    assert read("", "Command").feedback is None
    assert read("<feedback/>", "Command").feedback == Feedback()
    assert read('<feedback timeout="30" every="1"/>', "Command").feedback == Feedback(30.0, 1.0)
    inner = "<feedback><timeout>0.5</timeout></feedback>"
    assert read(inner, "Command").feedback == Feedback(0.5)


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ('<feedback timeout="soon"/>',
         'feedback/timeout: "soon" is no duration: expected seconds, such as 0.5'),
        ('<feedback timeout="0"/>', 'feedback/timeout: "0" is no time at all: expected more than 0 seconds'),
        ('<feedback timeout="0.2"/>',
         "feedback/timeout: 0.2 s are over before a sign of life is looked for, 0.25 s later; "
         "raise timeout or lower every"),
        ('<feedback after="3"/>', 'feedback/after: unknown name "after"; known here: timeout, every, file'),
        ("<feedback>30</feedback>",
         'feedback: the text "30" has no meaning here; known here: timeout, every, file'),
        ('<feedback file="f.log"/><instances>2</instances>',
         "feedback: one file cannot be that of several instances; "
         "leave out file, then each has one of its own"),
        ("<feedback/><feedback/>", "feedback: given 2 times (lines 10, 10); keep one"),
    ],
)  # fmt: skip
def test_feedback_that_makes_no_sense_is_one_line(inner, expected):
    """With the element and the remedy."""
    assert faults(inner, "Command") == [expected]


def test_private_feedback_of_another_user_is_a_warning(caplog):
    """It is in the state directory, which is the owner's; a file that is named is theirs to see to."""
    read('<process user="nobody"/><feedback/>', "Command")
    (message,) = caplog.messages
    assert message.split("supervision/")[1] == (
        'feedback: the file of the provider may be out of reach for "nobody"; '
        'name one that it can write: file="/run/NAME/feedback.log"'
    )
    caplog.clear()
    found = read('<process user="nobody"/><feedback file="/run/x/feedback.log"/>', "Command")
    assert (found.feedback, caplog.messages) == (Feedback(file="/run/x/feedback.log"), [])


@pytest.mark.parametrize("kind", ["Process", "Thread"])
def test_feedback_is_for_commands(kind):
    """A Python service has better means."""
    assert faults("<feedback/>", kind) == [
        f'feedback: is for commands, and this is a service of type "{kind}"; '
        'call notify("updated") in its task, or write serviceType="Command"'
    ]


def test_id_of_an_instance_is_refused():
    """It would be taken by the second process of its neighbour."""
    (fault,) = context_faults(kept_context(kept("", "ts_1#2")))
    assert fault.message == '"ts_1#2" is how an instance of "ts_1" is called'
    assert read("", "Process", kept("", "ts#x"), kept("", "#1x")) == Supervision()
