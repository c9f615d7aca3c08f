"""Whatever a model holds, every syntax carries it; whatever bytes come, the answer is a model or faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from string import ascii_letters

from hypothesis import assume, example, given, reject, settings
from hypothesis import strategies as st

from context_bus.config.image import context_from_image, context_to_image, examine_image
from context_bus.config.load import parse_context, parse_meta
from context_bus.config.merge import merge_service
from context_bus.config.model import (
    Action,
    ContextConf,
    MetaConf,
    MetaService,
    ServiceType,
    TaskServiceConf,
    TaskType,
    Transition,
    Trigger,
    Value,
)
from context_bus.config.node import illegal_character
from context_bus.config.reader import RESERVED_NAMES, STATE_TYPES
from context_bus.config.supervision import (
    Probe,
    Readiness,
    ReadinessKind,
    Requirement,
    Restart,
    RestartWhen,
    Supervision,
)
from context_bus.config.writers import write_xml, write_yaml
from context_bus.errors import ConfigurationError
from context_bus.kernel.surroundings import Surroundings

from .supervisions import COMMAND, supervisions

_PRINTING = st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
#: Any text that XML can carry, as it stands after its outer blanks are gone.
TEXT = st.text(_PRINTING | st.sampled_from("\t\n\r <>&\"'"), max_size=20).map(str.strip)
FILLED = TEXT.map(lambda text: text or "filled")
_STARTS = ascii_letters + "_éßЖ日\U00010400"
NAME = st.tuples(st.sampled_from(_STARTS), st.text(_STARTS + "-.9·", max_size=4)).map("".join)
IDENTIFIER = st.from_regex(r"[A-Z][a-z0-9_]{0,8}", fullmatch=True)
ID = st.from_regex(r"[\w.-]{1,6}", fullmatch=True).filter(lambda text: text not in RESERVED_NAMES)
SERVICE_NAME = FILLED.map(lambda text: f"{text}1" if text in RESERVED_NAMES else text)


def _values(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """Lists have at least two items and hold no lists; mappings are not empty: XML has no other."""
    mapping = st.dictionaries(NAME, inner, min_size=1, max_size=3)
    with_text = st.tuples(mapping, FILLED).map(lambda pair: {**pair[0], "#text": pair[1]})
    item = inner.map(lambda value: {"item": value} if isinstance(value, list) else value)
    return st.one_of(mapping, with_text, st.lists(item, min_size=2, max_size=3))


VALUE: st.SearchStrategy[Value] = st.recursive(TEXT, _values, max_leaves=6)
#: Topics as a list of them can name: no comma, no end of a topic, no blanks around.
TOPIC = FILLED.filter(lambda text: "," not in text and "@@@" not in text)
CONFIGURATION = st.dictionaries(NAME, VALUE, max_size=4)


def transitions(ids: list[str]) -> st.SearchStrategy[tuple[Transition, ...]]:
    """Of any trigger to any of the ids, in the order a reader gives them."""
    call = st.lists(st.sampled_from(ids), min_size=1, max_size=3, unique=True).map(tuple)
    one = st.builds(Transition, st.sampled_from(Trigger), st.sampled_from(Action), call)
    order = list(Trigger)
    return st.lists(one, max_size=4).map(
        lambda found: tuple(sorted(found, key=lambda each: order.index(each.trigger)))
    )


@st.composite
def contexts(draw: st.DrawFn) -> ContextConf:
    ids = draw(st.lists(ID, min_size=1, max_size=3, unique=True))
    services: list[TaskServiceConf] = []
    for each in ids:
        others = tuple((other.id, other.supervision.restart.policy) for other in services)
        services.append(draw(service_confs(each, ids, others)))
    front, back = draw(st.lists(st.integers(1, 65535), min_size=2, max_size=2, unique=True))
    return ContextConf(
        f"tcp://127.0.0.1:{back}",
        f"tcp://localhost:{front}",
        f"tcp://*:{front}",
        f"tcp://[::1]:{back}",
        task_log_name=draw(FILLED),
        context_id=draw(FILLED),
        services=tuple(services),
        keep_last=tuple(draw(st.lists(TOPIC, max_size=3, unique=True))),
    )


@st.composite
def service_confs(
    draw: st.DrawFn, service_id: str, ids: list[str], others: tuple[tuple[str, RestartWhen], ...]
) -> TaskServiceConf:
    service_type = draw(st.sampled_from(ServiceType))
    is_command = service_type is ServiceType.COMMAND
    is_bare = is_command and draw(st.booleans())
    conf = TaskServiceConf(
        id=service_id,
        instance=draw(IDENTIFIER | st.just("") if is_command else IDENTIFIER),
        service_name=service_id,
        service_type=service_type,
        command=draw(COMMAND) if is_command else (),
        supervision=draw(supervisions(service_type, others)),
    )
    if is_bare:
        return conf
    return replace(
        conf,
        service_name=draw(SERVICE_NAME),
        description=draw(TEXT),
        state_type=draw(st.sampled_from(STATE_TYPES)),
        transitions=draw(transitions(ids)),
        configuration=draw(CONFIGURATION),
    )


@st.composite
def lists(draw: st.DrawFn) -> MetaConf:
    ids = draw(st.lists(ID, min_size=1, max_size=3, unique=True))
    services = tuple(
        MetaService(
            task_service=draw(IDENTIFIER),
            service_name=draw(SERVICE_NAME),
            task_id=each,
            task_class=draw(st.one_of(st.just(""), IDENTIFIER)),
            task_desc=draw(TEXT),
            task_type=draw(st.sampled_from(TaskType)),
            entry_action=draw(st.sampled_from(STATE_TYPES)),
            location=draw(TEXT),
            transitions=draw(transitions(ids)),
            configuration=draw(CONFIGURATION),
        )
        for each in ids
    )
    sub, pub = draw(st.lists(st.integers(1, 65535), min_size=2, max_size=2, unique=True))
    return MetaConf("N" + draw(IDENTIFIER), "127.0.0.1", sub, pub, draw(FILLED), services=services)


@given(contexts())
@settings(max_examples=60, deadline=None)
def test_context_survives_every_syntax(conf):
    """XML, YAML and the image of the wire carry the same model, and writing is stable."""
    xml, yaml, image = write_xml(conf), write_yaml(conf), context_to_image(conf)
    for copy in (parse_context(xml, "c.xml"), parse_context(yaml, "c.yaml"), context_from_image(image)):
        assert copy == conf
        assert [list(each.configuration) for each in copy.services] == [
            list(each.configuration) for each in conf.services
        ]
    assert write_xml(parse_context(yaml, "c.yaml")) == xml
    assert write_yaml(parse_context(xml, "c.xml")) == yaml
    assert context_to_image(parse_context(xml, "c.xml")) == image


@given(contexts(), supervisions())
@settings(max_examples=60, deadline=None)
def test_context_survives_with_its_defaults(conf, defaults):
    """What a file says of all its services stays one element of the file, and reaches each service."""
    defaults = replace(defaults, requires=(), instances=1, schedule="")
    try:
        conf = parse_context(write_xml(replace(conf, defaults=defaults)), "c.xml")
    except ConfigurationError:
        reject()  # what the services say does not fit to these defaults
    xml, yaml = write_xml(conf), write_yaml(conf)
    for copy in (parse_context(xml, "c.xml"), parse_context(yaml, "c.yaml")):
        assert (copy, copy.defaults) == (conf, defaults)
    assert write_xml(parse_context(yaml, "c.yaml")) == xml
    assert write_yaml(parse_context(xml, "c.xml")) == yaml
    assert context_from_image(context_to_image(conf)) == conf


@given(lists())
@settings(max_examples=60, deadline=None)
def test_service_list_survives_every_syntax(conf):
    """The same for the scaffold's files."""
    assert parse_meta(write_xml(conf), "l.xml") == conf
    assert parse_meta(write_yaml(conf), "l.yaml") == conf


@given(contexts())
@settings(max_examples=60, deadline=None)
def test_merging_one_by_one_is_writing_all(conf):
    """Services merged into an empty context are the context."""
    head = write_xml(ContextConf(**{**_fields(conf), "services": ()}))
    for service in conf.services:
        head = merge_service(head, service)
    assert parse_context(head, "c.xml") == conf


def _fields(conf: ContextConf) -> dict[str, object]:
    return {name: getattr(conf, name) for name in ContextConf.__dataclass_fields__}


@given(st.text(max_size=5), st.sampled_from(["description", "location"]))
@settings(max_examples=200, deadline=None)
@example("\x00", "location")
@example("\ud800", "description")
@example("\ufffe", "description")
def test_characters_are_carried_or_refused(text, place):
    """There is no third: never written and then not readable, never changed silently."""
    conf = ContextConf(
        "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:2", "tcp://127.0.0.1:1", "x",
        services=(TaskServiceConf("a", "A", "a", description=text, configuration={"location": text}),),
    )  # fmt: skip
    for write, name in ((write_xml, "c.xml"), (write_yaml, "c.yaml")):
        try:
            data = write(conf)
        except ConfigurationError:
            assert illegal_character(text)
        else:
            service = parse_context(data, name).services[0]
            assert getattr(service, place) == text.strip()


SAMPLE = ContextConf(
    "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:2", "tcp://127.0.0.1:1", "Sample",
    services=(
        TaskServiceConf(
            "a", "A", "a", description="two\nlines",
            transitions=(Transition(Trigger.ON_EXIT, Action.START, ("a", "b")),),
            configuration={"words": ["x", "y"], "deep": {"#text": "t", "k": "v"}},
        ),
        TaskServiceConf("b", "B", "é"),
        TaskServiceConf(
            "c", "", "c", ServiceType.COMMAND, command=("sleep", "a b"),
            supervision=Supervision(
                restart=Restart(RestartWhen.ON_FAILURE, delay=2.0), requires=(Requirement("a"),),
                readiness=Readiness(ReadinessKind.TCP, Probe("127.0.0.1:80")), instances=3,
                schedule="1 2 * * *",
                surroundings=Surroundings(env={"A": "1"}, limits={"nofile": (1, 2)}, umask=0o22),
            ),
        ),
    ),
)  # fmt: skip


@given(st.sampled_from([(write_xml, "c.xml"), (write_yaml, "c.yaml")]), st.data())
@settings(max_examples=200, deadline=None)
def test_mutated_files_load_or_fault(written, data):
    """A byte more, less or other: a model, or faults of one line each; nothing else is raised."""
    write, name = written
    text = bytearray(write(SAMPLE))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.one_of(
                st.binary(max_size=2), st.sampled_from([b"<", b">", b"&", b"</", b'"', b": ", b"- ", b"\n"])
            )
        )
        assume(text)
    check_faults(lambda: parse_context(bytes(text), name), name)


def check_faults(read: Callable[[], object], source: str) -> None:
    """Nothing but a configuration error may come, with lines fit to print."""
    try:
        read()
    except ConfigurationError as error:
        faults = error.faults
    else:
        return
    assert faults
    assert all(str(fault).isprintable() and fault.file == source for fault in faults)


WORDS = [
    "TaskService", "Task", "id", "state", "message", "header", "on_exit", "call", "#text", "serviceType",
    "supervision",
    "command", "arg", "restart", "policy", "readiness", "liveness", "type", "target", "requires", "service",
    "process", "env", "name", "limit", "instances", "schedule", "output",
]  # fmt: skip
TEXTS = ["Command", "Thread", "always", "tcp", "heartbeat", "command", "a", "1", "* * * * *", "nofile"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["TaskService", "ContextID", "FrontBind", "supervision"]), JSON))
@settings(max_examples=300, deadline=None)
def test_any_message_is_read_or_refused(image):
    """A provider reads what strangers send: nothing but a configuration error may come of it."""
    examined = examine_image(image, "TX1")
    assert all(str(fault).isprintable() for each in examined.rejected for fault in each.faults)
    check_faults(lambda: context_from_image(image, "TX1"), "TX1")
