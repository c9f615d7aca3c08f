"""ps, start, stop, restart, scale, reload, wait and events against a provider that follows a script."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from context_bus.cli.main import context_bus
from context_bus.client import asking, happenings
from context_bus.client.conversation import Conversation
from context_bus.client.endpoints import Endpoints
from context_bus.store.remembered import EVENTS_OF_RUN
from context_bus.testing.bus import LocalBus
from tests.cli.conftest import Call
from tests.cli.scripted import EVENT, Said, Script, ScriptedProvider, answers

NOW = time.time()
UP: dict[str, Any] = {
    "service_id": "ts_1",
    "phase": "started",
    "pid": 77,
    "since": NOW - 25.5 * 3600,
    "starts": 1,
    "wanted": True,
}
SECOND = UP | {
    "service_id": "ts_1#2",
    "pid": 78,
    "since": NOW - 76.5 * 3600,
    "starts": 3,
    "last_end": "exit code 1",
}
DOWN = {
    "service_id": "echo",
    "phase": "failed",
    "pid": None,
    "since": NOW,
    "starts": 5,
    "reason": "no file x.cfg",
    "wanted": False,
}


def services(*tasks: dict[str, Any], transaction: str = "TX") -> Said:
    """The reply to a query for services."""
    transactions = [{"name": transaction, "tasks": list(tasks)}]
    return "reply_services", {"provider": {"context_id": "context009"}, "transactions": transactions}


def event(number: int, new: str = "started", service_id: str = "ts_1") -> dict[str, Any]:
    """An event of a service."""
    return {
        "sequence": number,
        "at": NOW,
        "kind": "service_changed",
        "transaction": "TX",
        "service_id": service_id,
        "data": {"new": new, "pid": 77},
    }


def events(first: int, last: int, *told: dict[str, Any]) -> Said:
    """The reply to a query for events."""
    return "reply_events", {"events": list(told), "first": first, "last": last}


def play(**parts: Sequence[Said]) -> Script:
    """Answers by the action of what is asked."""
    return lambda message: parts.get(message["header"]["action"], ())


def done(*rows: dict[str, Any], kind: str = "done", **fields: Any) -> Said:
    """A final answer."""
    return kind, {"services": list(rows), "transaction": "TX", **fields}


# -- ps --------------------------------------------------------------------------------------------


def test_ps_prints_a_row_for_each_service(call: Call, provider: ScriptedProvider) -> None:
    """State, process, since when, how often, and why: what is wrong now before how it ended last."""
    provider.script = play(services=[services(UP, SECOND, DOWN)])
    ended = call("ps")
    assert (ended.code, ended.err) == (0, "")
    assert [re.split(r"  +", line) for line in ended.out.splitlines()] == [
        ["SERVICE", "TRANSACTION", "STATE", "PID", "UP", "STARTS", "NOTE"],
        ["ts_1", "TX", "started", "77", "1d01h", "1", "-"],
        ["ts_1#2", "TX", "started", "78", "3d04h", "3", "last: exit code 1"],
        ["echo", "TX", "failed", "-", "-", "5", "no file x.cfg"],
    ]


def test_ps_as_json_has_the_provider_and_every_field(call: Call, provider: ScriptedProvider) -> None:
    """For programs: numbers are numbers, and what the service does not have is empty."""
    provider.script = play(services=[services(UP, DOWN)])
    document = json.loads(call("ps", "echo", "--json").out)
    assert document["provider"] == {"context_id": "context009"}
    (row,) = document["services"]
    assert (row["transaction"], row["service_id"], row["pid"], row["starts"]) == ("TX", "echo", None, 5)


def test_ps_without_services_is_no_error(call: Call, provider: ScriptedProvider) -> None:
    """A provider that has not started anything says so on stderr, and how to go on."""
    provider.script = play(services=[("reply_services", {"provider": {}, "transactions": []})])
    ended = call("ps")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "no services yet; start them with 'context-bus start'\n"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["ps", "ech"], 5, "no service 'ech'; did you mean 'echo'? known: ts_1, echo"),
        (["ps", "-t", "TY"], 5, "no transaction 'TY'; known: TX"),
        (["ps", "--publish", "here"], 2, "'here' is no endpoint"),
        (["stop"], 2, "name the services, or add --all"),
        (["restart"], 2, "name the services, or add --all"),
        (["scale", "ts_1"], 2, "'ts_1' is not SERVICE=COUNT, such as ts_100=3"),
        (["wait", "--for", "fun"], 2, "'fun' is not one of"),
        (["logs", "ts_1"], 5, "ts_1 writes to no file of its own"),
    ],
)
def test_wrong_input_is_one_line(
    call: Call, provider: ScriptedProvider, args: list[str], code: int, words: str
) -> None:
    """What is wrong, and what would be right."""
    provider.script = play(services=[services(UP, DOWN)])
    ended = call(*args)
    assert ended.code == code
    assert words in ended.error


def test_provider_that_knows_no_such_query_says_so(call: Call, provider: ScriptedProvider) -> None:
    """An older one refuses, and that is what is told."""
    provider.script = answers(("rejected", {"reason": "'services' is not answered by this provider"}))
    ended = call("ps")
    assert (ended.code, ended.error) == (5, "'services' is not answered by this provider")


def test_no_provider_is_told_with_both_remedies(call: Call, bus: LocalBus) -> None:
    """Start one, or say which one is meant."""
    ended = call("ps")
    assert ended.code == 3
    assert ended.error.startswith(f"no context provider listens at {bus.publish_to}; start one with")
    assert "-c FILE" in ended.error


# -- commands --------------------------------------------------------------------------------------


def test_service_means_its_instances_and_patterns_what_they_match(
    call: Call, provider: ScriptedProvider
) -> None:
    """Ids go on the wire as the provider knows them, with its context id and the only transaction."""
    row = {"service_id": "ts_1", "state": "stopped", "result": "done"}
    provider.script = play(services=[services(UP, SECOND, DOWN)], stop=[done(row)])
    for names, chosen in ((["ts_1"], ["ts_1", "ts_1#2"]), (["ts_1#2", "ec*"], ["ts_1#2", "echo"])):
        ended = call("stop", *names)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.splitlines()[-1] == "stop of transaction TX: done"
        message = provider.heard[-1][1]
        assert message["content"]["configuration"]["TaskService"] == [{"id": each} for each in chosen]
        assert message["header"]["service_id"] == "context009"
        assert message["header"]["service_transaction"] == "TX"


def test_refusal_tells_the_reason_of_each_service(call: Call, provider: ScriptedProvider) -> None:
    """Also where the provider gives none for the command as a whole."""
    bad = {"service_id": "ts_1", "result": "rejected", "reason": "is being scaled"}
    provider.script = play(services=[services(UP)], stop=[done(bad, kind="rejected")])
    ended = call("stop", "ts_1", "--json")
    assert ended.code == 5
    assert ended.error == "stop was refused: ts_1: is being scaled"
    assert json.loads(ended.out)["outcome"] == "rejected"


def test_reload_shows_the_plan(call: Call, provider: ScriptedProvider) -> None:
    """What changes and why; what does not is a number."""
    plan = [
        {"service_id": "a", "change": "add", "reason": "new in the file"},
        {"service_id": "ts_1", "change": "keep"},
        {"service_id": "echo", "change": "keep"},
    ]
    provider.script = play(reload=[done(plan=plan)])
    ended = call("reload", "--dry_run")
    assert (ended.code, ended.err) == (0, "")
    assert [line.split() for line in ended.out.splitlines()] == [
        ["SERVICE", "CHANGE", "WHY"],
        ["a", "add", "new", "in", "the", "file"],
        ["2", "kept", "as", "they", "are"],
    ]
    assert provider.heard[-1][1]["content"]["configuration"] == {"dry_run": True}


@pytest.mark.parametrize("way", [[], ["--json"], ["--dry_run"], ["--dry_run", "--json"]])
@pytest.mark.parametrize("kind", ["rejected", "failed"])
def test_reload_that_does_not_come_about_is_an_error(
    call: Call, provider: ScriptedProvider, way: list[str], kind: str
) -> None:
    """In every way of printing: a script must not go on."""
    provider.script = play(reload=[done(kind=kind, reason="a.xml:3: bad")])
    ended = call("reload", *way)
    assert ended.code == 5
    assert ended.error.endswith(": a.xml:3: bad")


def test_provider_that_does_not_answer_is_told_so(call: Call, provider: ScriptedProvider) -> None:
    """Nothing is said about services of which nothing was heard."""
    provider.script = play(services=[services(UP)])
    ended = call("stop", "ts_1", "--timeout=0.2")
    assert (ended.code, ended.error) == (5, "the provider did not answer stop within 0.2 s")


# -- events and wait -------------------------------------------------------------------------------


def test_events_are_filtered_before_they_are_counted(call: Call, provider: ScriptedProvider) -> None:
    """The last two of a service are its own last two, however much others had to tell since."""
    told = [event(n, service_id="ts_1" if n < 4 else "echo") for n in range(1, 9)]
    provider.script = play(events=[events(1, 8, *told)])
    lines = call("events", "-n", "2", "--service", "ts_1", "--json").out.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [2, 3]
    assert call("events", "-n", "0").out == ""
    line = call("events", "-n", "1").out.strip()
    assert re.fullmatch(r"8  \d\d:\d\d:\d\d\.\d\d\d  echo  started  pid 77  \[TX\]", line)


def test_events_that_nobody_has_any_more_are_counted(call: Call, provider: ScriptedProvider) -> None:
    """On stderr, so that JSON stays JSON."""
    provider.script = play(events=[events(15, 16, event(15), event(16))])
    ended = call("events", "--after", "2", "--json")
    assert [json.loads(line)["sequence"] for line in ended.out.splitlines()] == [15, 16]
    assert (ended.code, ended.err) == (0, "... 12 events lost\n")


@pytest.mark.parametrize(
    ("seen", "number", "lost"),
    [
        (0, 7, 0),
        (6, 7, 0),
        (6, 9, 2),
        (9, 6, 0),
        (EVENTS_OF_RUN + 6, 2 * EVENTS_OF_RUN + 1, 0),
        (EVENTS_OF_RUN + 6, 2 * EVENTS_OF_RUN + 4, 3),
        (EVENTS_OF_RUN + 6, 4 * EVENTS_OF_RUN + 1, 0),
    ],
)
def test_numbers_of_runs_are_no_gap(seen: int, number: int, lost: int) -> None:
    """Each run of a provider counts from a number of its own."""
    assert happenings.lost_between(seen, number) == lost


@pytest.fixture
def listening(bus: LocalBus, provider: ScriptedProvider) -> Conversation:
    """A conversation that hears events; closed by who uses it."""
    conversation = Conversation(Endpoints(bus.listen_on, bus.publish_to), ("event",))
    conversation.open()
    return conversation


def test_events_that_overtake_an_answer_are_not_lost(
    listening: Conversation, provider: ScriptedProvider
) -> None:
    """An answer that had to wait for its inbox comes after events that it does not know."""
    overtaking = [(EVENT, event(3)), (EVENT, event(4))]
    provider.script = play(events=[*overtaking, events(1, 3, event(1), event(2), event(3))])
    with listening as conversation:
        found = happenings.past(conversation, 0)
        assert found.last == 3
        followed = happenings.live(conversation, found.last, time.monotonic() + 10)
        assert next(followed).sequence == 4
        provider.tell(event(5))
        assert next(followed).sequence == 5


def test_gap_is_asked_for_and_what_is_gone_is_counted(
    listening: Conversation, provider: ScriptedProvider
) -> None:
    """In their order and each once, although some come twice while the provider is asked."""
    provider.script = play(
        events=[(EVENT, event(12)), (EVENT, event(13)), events(6, 12, *map(event, range(6, 13)))]
    )
    lost: list[int] = []
    with listening as conversation:
        provider.tell(event(2))
        provider.tell(event(10))
        followed = happenings.live(conversation, 1, time.monotonic() + 10, lost.append)
        assert [next(followed).sequence for _ in range(9)] == [2, *range(6, 14)]
    assert lost == [3]


def test_last_events_of_a_provider_before_are_asked_for(
    listening: Conversation, provider: ScriptedProvider
) -> None:
    """The next one has them, in as many replies as it takes; why some are missing is told."""
    first, second = EVENTS_OF_RUN, 2 * EVENTS_OF_RUN
    replies = [
        events(first + 6, second + 1, event(first + 6), event(first + 7)),
        events(second + 1, second + 2, event(second + 1), event(second + 2)),
        ("reply_events", {"events": [], "first": 1, "last": 1, "trouble": "it hangs"}),
    ]
    provider.script = lambda message: [replies.pop(0)]
    troubles: list[str] = []
    with listening as conversation:
        followed = happenings.live(
            conversation, first + 5, time.monotonic() + 10, pytest.fail, troubles.append
        )
        provider.tell(event(second + 1))
        numbers = [next(followed).sequence for _ in range(4)]
        provider.tell(event(second + EVENTS_OF_RUN + 1))
        numbers.append(next(followed).sequence)
    assert numbers == [first + 6, first + 7, second + 1, second + 2, second + EVENTS_OF_RUN + 1]
    assert troubles == ["it hangs"]


def test_all_that_is_kept_is_told_page_by_page(call: Call, provider: ScriptedProvider) -> None:
    """A first number that was not asked for is no loss; what the store does not tell is said on stderr."""
    first, second = EVENTS_OF_RUN, 2 * EVENTS_OF_RUN
    replies = [
        events(first + 1, second + 1, event(first + 1), event(first + 2)),
        ("reply_events", {"events": [event(second + 1)], "first": 1, "last": second + 1, "trouble": "why"}),
    ]
    provider.script = lambda message: [replies.pop(0)]
    ended = call("events", "--after", "1", "--json")
    assert [json.loads(line)["sequence"] for line in ended.out.splitlines()] == [
        first + 1,
        first + 2,
        second + 1,
    ]
    assert ended.err == "... earlier events cannot be told: why\n"
    asked = [message["content"]["configuration"]["after"] for _, message in provider.heard[-2:]]
    assert asked == [1, first + 2]


def test_question_that_goes_nowhere_is_asked_again(
    listening: Conversation, provider: ScriptedProvider
) -> None:
    """While a forwarder is replaced nobody hears; and both answers to one question are none to the next."""
    told = [[], [services(UP), services(UP)], [services(DOWN)]]
    provider.script = lambda message: told.pop(0)
    with listening as conversation:
        for task in (UP, DOWN):
            (transaction,) = asking.services(conversation).transactions
            assert transaction.tasks[0].service_id == task["service_id"]
    assert not told


def test_wait_sees_what_happens_while_it_asks(call: Call, provider: ScriptedProvider) -> None:
    """The state that was told is older than the event before it; to wait for another would be for ever."""
    starting = UP | {"phase": "starting"}
    told = [[(EVENT, event(8)), services(starting)], [services(UP)]]

    def script(message: dict[str, Any]) -> Sequence[Said]:
        return [events(1, 7)] if message["header"]["action"] == "events" else told.pop(0)

    provider.script = script
    ended = call("wait", "ts_1", "--timeout=20")
    assert (ended.code, ended.out) == (0, "ts_1 started\n")
    assert not told


@pytest.mark.parametrize(
    ("wish", "phase", "code"),
    [
        ("ready", "updated", 0),
        ("started", "warming", 0),
        ("stopped", "fatal", 0),
        ("exited", "failed", 0),
        ("exited", "exited", 0),
        ("completed", "exited", 0),
        ("completed", "failed", 5),
        ("exited", "stopped", 5),
        ("failed", "exited", 5),
        ("ready", "stopped", 5),
    ],
)
def test_wait_ends_at_once_where_nothing_is_to_be_waited_for(
    call: Call, provider: ScriptedProvider, wish: str, phase: str, code: int
) -> None:
    """What is so already, and what will not come any more."""
    task = UP | {"phase": phase, "wanted": False}
    provider.script = play(events=[events(1, 7)], services=[services(task)])
    ended = call("wait", "ts_1", "--for", wish, "--timeout=20")
    assert ended.code == code
    if code:
        assert ended.error == f"ts_1 will not be {wish}: it is {phase}"


def test_wait_that_is_late_tells_how_far_it_came(call: Call, provider: ScriptedProvider) -> None:
    """Which service, and where it stands."""
    provider.script = play(events=[events(1, 7)], services=[services(UP, DOWN | {"phase": "waiting"})])
    ended = call("wait", "--timeout=0.2")
    assert (ended.code, ended.error) == (5, "not ready within 0.2 s: echo is waiting")


# -- completion ------------------------------------------------------------------------------------


def completed(bus: LocalBus, *words: str, incomplete: str = "") -> list[str]:
    """What a shell would offer."""
    ends = [f"--publish={bus.publish_to}", f"--listen={bus.listen_on}"]
    completion = ShellComplete(context_bus, {}, "context-bus", "_CONTEXT_BUS_COMPLETE")
    return [item.value for item in completion.get_completions([words[0], *ends, *words[1:]], incomplete)]


def test_shell_completes_services_and_transactions(bus: LocalBus, provider: ScriptedProvider) -> None:
    """As the provider knows them, without those that stand there already."""
    provider.script = play(services=[services(UP, SECOND, DOWN)])
    assert completed(bus, "stop", incomplete="ts") == ["ts_1", "ts_1#2"]
    assert completed(bus, "logs", "ts_1", incomplete="") == ["ts_1#2", "echo"]
    assert completed(bus, "ps", "-t", incomplete="T") == ["TX"]
    assert completed(bus, "events", "--service", incomplete="e") == ["echo"]


def test_shell_completes_nothing_without_a_provider(bus: LocalBus) -> None:
    """And says nothing: it would stand in the line that is being typed."""
    assert completed(bus, "stop", incomplete="ts") == []


def test_services_of_other_instances_are_not_meant() -> None:
    """An id that only begins alike is another service."""
    assert asking.is_meant("ts_1#2", "ts_1")
    assert not asking.is_meant("ts_10", "ts_1")
    assert not asking.is_meant("ts_1", "ts_1#2")
