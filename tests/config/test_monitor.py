"""The configuration of a Monitor: both spellings, what its switches mean, and every fault with its line."""

from __future__ import annotations

import pytest

from context_bus.config.check import check_file
from context_bus.config.load import parse_context
from context_bus.config.model import TaskServiceConf, is_built_in
from context_bus.config.monitor import RETENTION, STORE_LIMIT, MonitorConf, monitor_conf
from context_bus.config.quantities import parse_duration, say_duration
from context_bus.errors import ConfigurationError
from tests.config.samples import HEAD

SERVICE = """<TaskService id="{id}" instance="Monitor" serviceType="{kind}"><Task><message>
<header><service_name>monitor</service_name></header><content><configuration>
{configuration}
</configuration></content></message></Task>{more}</TaskService>
"""
PUBLISHER = "<publisher><endpoint>tcp://127.0.0.1:6558</endpoint><frequency_s>2.5</frequency_s></publisher>"
#: Lines before the configuration of the first service.
ABOVE = HEAD.count("\n") + 2


def service(
    configuration: str = PUBLISHER, service_id: str = "ts000", kind: str = "Process", more: str = ""
) -> str:
    """The element of a monitor."""
    return SERVICE.format(id=service_id, kind=kind, configuration=configuration, more=more)


def faults(*services: str) -> list[str]:
    """Every fault of a context of these services: line, last parts of the element, and what is wrong."""
    try:
        parse_context((HEAD + "".join(services) + "</Context>").encode(), "c.xml")
    except ConfigurationError as error:
        return [
            f"{each.line - ABOVE} {_short(each.element)}: {each.message}; {each.remedy}"
            for each in error.faults
        ]
    return []


def _short(element: str) -> str:
    return element.rpartition("configuration/")[2]


def read(configuration: str) -> MonitorConf:
    """What a monitor is to do."""
    conf = parse_context((HEAD + service(configuration) + "</Context>").encode(), "c.xml").services[0]
    return monitor_conf(conf.configuration, conf.id)


@pytest.mark.parametrize("spelling", ["publisher", "service"])
def test_both_spellings_mean_the_same(spelling: str) -> None:
    """The documents have both."""
    expected = MonitorConf("tcp://127.0.0.1:6558", 2.5)
    assert read(PUBLISHER.replace("publisher", spelling)) == expected
    assert (expected.retention, expected.store_limit) == (RETENTION, STORE_LIMIT)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("1", True), ("True", True), ("yes", True), ("0", False), ("false", False), ("no", False), ("", False)],
)
def test_switches_are_read_as_people_mean_them(text: str, meant: bool) -> None:
    """Any text was true once, "0" included."""
    names = ("memory_maps", "open_connections", "opened_files", "store_records")
    options = "".join(f"<{name}>{text}</{name}>" for name in names)
    conf = read(f"{PUBLISHER}<monitor_options>{options}</monitor_options>")
    assert [getattr(conf, name) for name in names] == [meant] * 4


def test_retention_and_limit_are_read_with_their_units() -> None:
    """As people write them."""
    options = "<retention>1d12h</retention><store_limit>64MB</store_limit>"
    conf = read(f"{PUBLISHER}<monitor_options>{options}</monitor_options>")
    assert (conf.retention, conf.store_limit) == (36 * 3600.0, 64 * 2**20)


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (
            "<publisher>\n<frequency_s>1</frequency_s></publisher>",
            "1 publisher: <endpoint> is missing; say where to publish: tcp://127.0.0.1:6558",
        ),
        (
            PUBLISHER.replace("<frequency_s>2.5</frequency_s>", ""),
            "1 publisher: <frequency_s> is missing; say how many seconds lie between two frames: 1.0",
        ),
        (
            PUBLISHER.replace("2.5", "often"),
            '1 publisher/frequency_s: "often" is no duration: expected seconds, such as 0.5; ',
        ),
        (
            PUBLISHER.replace("2.5", "0.01"),
            '1 publisher/frequency_s: "0.01" s is too often: a look at all processes takes its time; 0.1 s '
            "is the shortest; ",
        ),
        (
            PUBLISHER.replace("tcp://127.0.0.1:6558", "6558"),
            '1 publisher/endpoint: "6558" is not an endpoint: expected tcp://<host>:<port>; ',
        ),
        (
            PUBLISHER.replace("6558", "22220"),
            "1 publisher/endpoint: port 22220 is that of BackendBind, too; each needs one of its own",
        ),
        (
            f"{PUBLISHER}\n<monitor_options>\n<opened_files>perhaps</opened_files></monitor_options>",
            '3 monitor_options/opened_files: "perhaps" is neither yes nor no: expected one of 1, true, '
            "yes, 0, false, no; ",
        ),
        (
            f"{PUBLISHER}<monitor_options><retention>5s</retention></monitor_options>",
            '1 monitor_options/retention: "5s" is too short to look back: a minute (60s) is the shortest; ',
        ),
        (
            f"{PUBLISHER}<retention>5d</retention>",
            "1 retention: <retention> does not belong here; move it into <monitor_options>",
        ),
        (
            PUBLISHER + PUBLISHER.replace("publisher", "service"),
            "1 service: says the same as <publisher>; keep <publisher>",
        ),
    ],
)
def test_fault_names_its_line_its_element_and_the_remedy(configuration: str, expected: str) -> None:
    """One fault, one line."""
    assert faults(service(configuration)) == [expected]


def test_monitor_without_a_publisher_is_one_fault() -> None:
    """What it would hold is not missed one by one."""
    (fault,) = faults(service("<device_action>x</device_action>"))
    assert fault.endswith("configuration: <publisher> is missing; it holds endpoint and frequency_s")


def test_two_monitors_of_one_endpoint_are_a_fault() -> None:
    """Whatever the host: a port can be bound once."""
    other = PUBLISHER.replace("127.0.0.1", "localhost")
    (fault,) = faults(service(), service(other, "ts001"))
    assert fault.endswith("endpoint: port 6558 is that of monitor ts000, too; each needs one of its own")


def test_records_that_would_be_kept_twice_are_warned_of(tmp_path) -> None:
    """Two monitors of one context watch the same services, if they run in one transaction."""
    file = tmp_path / "c.xml"
    keeps = "<monitor_options><store_records>1</store_records></monitor_options>"
    second = PUBLISHER.replace("6558", "6559")
    services = service(PUBLISHER + keeps) + service(second + keeps, "ts001")
    file.write_text(HEAD.replace("*", "127.0.0.1") + services + "</Context>")
    (note,) = [str(each) for each in check_file(file).warnings if "records" in str(each)]
    assert "[ts001]" in note
    assert "monitor ts000 keeps records, too" in note


def test_several_instances_of_a_monitor_are_a_fault() -> None:
    """They would have one endpoint."""
    (fault,) = faults(service(more="<supervision><instances>2</instances></supervision>"))
    assert "one endpoint cannot be that of several instances" in fault


def test_database_of_old_is_answered_with_one_note(tmp_path) -> None:
    """It is accepted, and says where the records go instead."""
    file = tmp_path / "c.xml"
    connection = "<db_connection><host>h</host><port>1</port></db_connection>"
    safe = HEAD.replace("*", "127.0.0.1")
    file.write_text(safe + service(PUBLISHER + connection) + "</Context>")
    report = check_file(file)
    assert report.is_usable
    (note,) = [str(each) for each in report.warnings if "db_connection" in each.element]
    assert "records (store_records) go to the store of the provider" in note
    assert "monitor history" in note


def test_check_says_what_a_monitor_does(tmp_path) -> None:
    """A slip of the pen in a period shows there."""
    file = tmp_path / "c.xml"
    options = "<opened_files>1</opened_files><store_records>1</store_records><retention>36h</retention>"
    whole = f"{PUBLISHER}<monitor_options>{options}</monitor_options>"
    file.write_text(HEAD + service(whole) + "</Context>")
    expected = "ts000  every 2.5 s on tcp://127.0.0.1:6558; with open files; records for 1d12h, 256MB at most"
    assert expected in "\n".join(check_file(file).summary())


def test_endpoint_for_others_is_warned_of(tmp_path) -> None:
    """As are those of the context."""
    file = tmp_path / "c.xml"
    file.write_text(
        HEAD.replace("*", "127.0.0.1") + service(PUBLISHER.replace("127.0.0.1", "*")) + "</Context>"
    )
    (note,) = [str(each) for each in check_file(file).warnings if "6558" in str(each)]
    assert "lets every machine that reaches this one see what runs here" in note


def test_service_of_the_users_own_is_not_judged() -> None:
    """A location says that it is another Monitor."""
    assert faults(service("<location>x</location><city>Bern</city>")) == []
    own = TaskServiceConf("a", "Monitor", "m", configuration={"location": "x"})
    assert not is_built_in(own)
    assert is_built_in(TaskServiceConf("a", "Monitor", "m"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("1h30m", 5400.0),
        ("1H 30M", 5400.0),
        ("7d", 604800.0),
        ("0.5w", 302400.0),
        ("250ms", 0.25),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """With units or without."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "1x", "h", "-1h", "0", "0s", "1000000w", "1h-"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """With what was expected."""
    with pytest.raises(ValueError, match=r"is no duration|no time at all|hundred years"):
        parse_duration(text)


@pytest.mark.parametrize("seconds", [1.0, 0.25, 60.0, 5400.0, 86400.0, 604800.0, 90061.5])
def test_durations_are_said_as_they_are_read(seconds: float) -> None:
    """There and back."""
    assert parse_duration(say_duration(seconds)) == pytest.approx(seconds)
