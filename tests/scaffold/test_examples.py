"""The services that come along: their decisions, and each of them in a real process."""

from __future__ import annotations

import os
import random
from contextlib import closing
from pathlib import Path

import pytest

from context_bus.config.load import read_context, read_meta
from context_bus.config.model import ServiceType
from context_bus.scaffold.create import plan_services
from context_bus.scaffold.plan import Step
from Services.Aggregate.Aggregate import Hit, Rates, rates_of
from Services.Alert.Alert import Alerting
from Services.Alert.Alert import Rates as Limited
from Services.Parse.Parse import Line, parse
from Services.Tail.Tail import Follower
from Services.Traffic.Traffic import log_lines
from tests.scaffold.running import services_of

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "Conf"


@pytest.mark.parametrize("name", ["StateMachine", "AccessLog"])
def test_example_is_what_its_list_makes(name: str) -> None:
    """Running the list again changes nothing: the examples were scaffolded and filled in."""
    file = CONF / f"Services-{name}.xml"
    plan = plan_services(read_meta(file), base=CONF)
    assert plan.faults == ()
    assert [str(file.path) for file in plan.files if file.step is not Step.KEEP] == []


@pytest.mark.parametrize("file", sorted(CONF.glob("Context-*.xml")), ids=lambda file: str(file.stem))
def test_context_of_the_checkout_loads(file: Path) -> None:
    """Every context finds its services beside it, and what programs of the checkout they run."""
    conf = read_context(file)
    for service in conf.services:
        if service.service_type is ServiceType.COMMAND:
            program = service.command[0]
            home = CONF / service.supervision.surroundings.cwd
            assert "/" not in program or os.access(home / program, os.X_OK)
            continue
        assert (CONF / service.location / service.instance / f"Service{service.instance}.py").is_file()


# -- state machine and echo -----------------------------------------------------------------------------


def test_echo_shouts_the_time() -> None:
    """It shouts after each period."""
    with services_of(CONF / "Context-EchoAction.xml") as services:
        services.start("ts_100", period="0.01")
        assert services.expect("started", "ts_100").device_action == "shout"
        assert str(services.expect("updated", "ts_100").status["shout"]).startswith("IT IS ")
        assert services.stop("ts_100").kind == "stopped"


def test_states_end_by_themselves() -> None:
    """Each state does something to be seen, and ends, so that its on_exit can fire."""
    with services_of(CONF / "Context-StateMachine.xml") as services:
        hurry = {"seconds": "0"}, {"pace": "0"}, {"pause": "0"}, {"speed": "1e6"}
        said = []
        for service, configuration in zip(services.conf.services, hurry, strict=True):
            services.start(service.id, **configuration)
            said.append(services.expect("updated", service.id).status["says"])
            outcome = services.end(service.id)
            assert (outcome.kind, outcome.commanded) == ("stopped", False)
        assert said == ["I stand for 0 s", "step 1 of 4", "a sip, 2 left", "10 m"]


# -- access log -------------------------------------------------------------------------------------------


def test_parse_reads_common_and_combined_format() -> None:
    """Lines as Apache and nginx write them."""
    record = parse(Line(7, '192.0.2.1 - ann [10/Oct/2026:13:55:36 -0700] "GET /a?b HTTP/1.1" 200 2326'))
    assert (record.number, record.status, record.size, record.path, record.seconds) == (
        7,
        200,
        2326,
        "/a?b",
        None,
    )
    assert record.time == 1791665736.0
    record = parse(Line(8, '::1 - - [10/Oct/2026:13:55:36 +0000] "POST / HTTP/2.0" 304 - "-" "curl/8" 0.031'))
    assert (record.size, record.seconds) == (0, 0.031)


def test_parse_names_the_garbled_line() -> None:
    """What is no line is an error that says where it is."""
    with pytest.raises(ValueError, match="line 3 is no line of an access log: 'GET"):
        parse(Line(3, "GET / 200"))


def test_traffic_is_parsed_but_for_the_garbled() -> None:
    """The generator writes what the parser reads."""
    log = log_lines(random.Random(1), garbled_every=10)
    for number in range(1, 1001):
        line = Line(number, next(log).rstrip("\n"))
        if number % 10:
            assert parse(line).number == number
        else:
            with pytest.raises(ValueError, match=f"line {number} "):
                parse(line)


def test_rates_of_a_period() -> None:
    """Counts, ratio, 95th percentile and what is missing."""
    hits = [
        Hit(number, 503 if number % 10 == 0 else 200, number / 100)
        for number in range(1, 101)
        if number != 50
    ]
    assert rates_of(hits, 2.0, last=0) == Rates(99, 49.5, 0.091, 0.96, 0)
    assert rates_of(hits[10:], 1.0, last=8).missed == 3  # 9, 10 and 50
    assert rates_of([], 1.0, last=5) == Rates(0, 0.0, 0.0, 0.0, 0)
    assert rates_of(hits, 1.0, last=500).missed == 0  # the log is followed anew


def test_alert_knows_its_limits() -> None:
    """A limit may be reached but not exceeded."""
    alert = Alerting(max_error_ratio=0.1, max_p95=0.5)
    assert alert.exceeded(Limited(0.1, 0.5)) == set()
    assert alert.exceeded(Limited(0.11, 0.5)) == {"error_ratio"}
    assert alert.exceeded(Limited(0.0, 9.0)) == {"p95"}


def test_tail_follows_through_growth_rotation_and_truncation(tmp_path: Path) -> None:
    """No line twice, none lost, none cut in two."""
    path = tmp_path / "log"
    path.write_text("old\n")
    with closing(Follower(path)) as follower:
        assert follower.lines() == []
        with path.open("a") as file:
            file.write("one\ntw")
            file.flush()
            assert follower.lines() == ["one"]
            file.write("o\nlast\n")
        path.rename(tmp_path / "log.1")
        path.write_text("new\n")
        assert follower.lines() == ["two", "last", "new"]
        path.write_text("x\n")
        assert follower.lines() == ["x"]


def test_tail_waits_for_its_file(tmp_path: Path) -> None:
    """A file that comes later is read from its beginning."""
    with closing(Follower(tmp_path / "log")) as follower:
        assert follower.lines() == []
        (tmp_path / "log").write_text("a\n")
        assert follower.lines() == ["a"]


def test_pipeline_turns_lines_into_an_alert(tmp_path: Path) -> None:
    """From the file to the alert through four processes; the parser fails on garbage and is replaced."""
    log = tmp_path / "access.log"
    log.touch()
    with services_of(CONF / "Context-AccessLog.xml") as services:
        for service_id in ("ts_204", "ts_203", "ts_202"):
            services.start(service_id, **({"period": "0.05"} if service_id == "ts_203" else {}))
            services.expect("started", service_id)
        services.start("ts_201", file=str(log), period="0.01")
        services.expect("started", "ts_201")
        with log.open("a") as file:
            file.write("garbled\n")
        assert "line 1 is no line" in services.end("ts_202").reason
        services.start("ts_202")
        services.expect("started", "ts_202")
        with log.open("a") as file:
            file.write('192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 503 1 2.5\n')
        raised = {str(services.expect("updated", "ts_204", key="alert").status["what"]) for _ in range(2)}
        assert raised == {"error_ratio", "p95"}
