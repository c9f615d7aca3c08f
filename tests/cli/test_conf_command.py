"""``conf_command`` against a provider that follows a script: what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from context_bus.testing.bus import LocalBus
from tests.cli.conftest import Call
from tests.cli.scripted import Said, Script, ScriptedProvider, answers

ROW = {"service_id": "ts_1", "state": "starting", "result": "accepted", "reason": "", "pid": None}
UP = ROW | {"state": "started", "result": "done", "pid": 77}
RECORD = {
    "contextId": "context001",
    "contextLogName": "Echo",
    "tasks": [
        {
            "service_id": "ts_1",
            "serviceName": "echo",
            "pid": 77,
            "instance": "E",
            "state": "success",
            "action": "started",
        }
    ],
}


@pytest.fixture
def conf_command(call: Call, bus: LocalBus) -> Call:
    """The command, with both ends of the bus."""
    return lambda *args: call(
        "conf-command", f"--endpoint={bus.publish_to}", f"--listen={bus.listen_on}", *args
    )


def rows(*services: dict[str, Any], reason: str = "") -> dict[str, Any]:
    """Content of an answer."""
    return {"services": list(services), "reason": reason, "command": "start", "transaction": "TX"}


DONE = answers(("accepted", rows(ROW)), ("progress", rows(UP | {"result": "progress"})), ("done", rows(UP)))


def test_outcome_is_printed_with_the_way_to_it(
    conf_command: Call, provider: ScriptedProvider, bus: LocalBus
) -> None:
    """The lines of old, progress, a table, a last line; exit 0."""
    provider.script = DONE
    ended = conf_command("--action=start", "--transaction=TX")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == f"    + Connecting endpoint [{bus.publish_to}] in topic [context]"
    assert lines[1].startswith("    + Sending message of [")
    assert lines[2] == "    + ts_1 started, pid 77"
    assert lines[3].split() == ["SERVICE", "STATE", "RESULT", "PID"]
    assert lines[4].split() == ["ts_1", "started", "done", "77"]
    assert lines[5] == "start of transaction TX: done"


def test_outcome_as_json_is_one_object(conf_command: Call, provider: ScriptedProvider) -> None:
    """For programs: outcome, transaction, services, and nothing else on stdout."""
    provider.script = DONE
    outcome = json.loads(conf_command("--action=start", "--transaction=TX", "--json").out)
    assert (outcome["outcome"], outcome["transaction"], outcome["action"]) == ("done", "TX", "start")
    assert outcome["services"] == [UP]


def test_refusal_ends_with_the_reason(conf_command: Call, provider: ScriptedProvider) -> None:
    """A command that is refused exits with 5 and says why."""
    provider.script = answers(("rejected", rows(reason="transaction TX is not known here")))
    ended = conf_command("--action=stop", "--transaction=TX")
    assert (ended.code, ended.error) == (5, "stop was refused: transaction TX is not known here")


def test_failure_names_each_service_and_its_reason(conf_command: Call, provider: ScriptedProvider) -> None:
    """What did not come up is told, beside what did."""
    bad = ROW | {"service_id": "ts_2", "state": "failed", "result": "failed", "reason": "boom at Echo.py:7"}
    provider.script = answers(("accepted", rows(ROW)), ("failed", rows(UP, bad)))
    ended = conf_command("--action=start", "--transaction=TX")
    assert (ended.code, ended.error) == (5, "start failed: ts_2: boom at Echo.py:7")
    assert "ts_1     started  done    77" in ended.out


def test_partly_refused_command_is_done_with_a_note(conf_command: Call, provider: ScriptedProvider) -> None:
    """What was refused of it stands in the last line."""
    refused = ROW | {"service_id": "ts_2", "result": "rejected", "reason": "runs already"}
    provider.script = answers(("accepted", rows(ROW, refused)), ("done", rows(UP, refused)))
    ended = conf_command("--action=start", "--transaction=TX")
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == "start of transaction TX: done; refused: ts_2: runs already"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answers(), "the provider did not answer start within 0.2 s"),
        (answers(("accepted", rows(ROW))), "start did not come to an end within 0.2 s: ts_1 is starting"),
    ],
)
def test_timeout_tells_what_was_under_way(
    conf_command: Call, provider: ScriptedProvider, script: Script, words: str
) -> None:
    """An outcome that is not known in time is an error that says how far it came."""
    provider.script = script
    ended = conf_command("--action=start", "--transaction=TX", "--timeout=0.2")
    assert ended.code == 5
    assert words in ended.error


def test_no_wait_sends_and_leaves(conf_command: Call, provider: ScriptedProvider) -> None:
    """Nobody is asked for an answer."""
    ended = conf_command("--action=stop", "--transaction=TX", "--no_wait")
    assert ended.code == 0
    provider.close()
    provider.close = lambda: None  # type: ignore[method-assign]  # closed already, to have heard all
    ((topic, message),) = provider.heard
    assert (topic, message["header"]["action"]) == ("context", "stop")
    assert "reply_to" not in message["header"]


def test_request_prints_a_table_or_json(conf_command: Call, provider: ScriptedProvider) -> None:
    """The record, for people and for programs."""
    provider.script = answers(("reply_context", RECORD | {"transaction": "TX"}))
    ended = conf_command("--service_name=state", "--action=request", "--transaction=TX")
    assert ended.code == 0
    assert "transaction TX of context context001 (Echo)" in ended.out
    assert ended.out.splitlines()[-1].split() == ["ts_1", "echo", "77", "E", "success", "started"]
    ended = conf_command("--service_name=state", "--action=request", "--transaction=TX", "--json")
    assert json.loads(ended.out)["tasks"] == RECORD["tasks"]


@pytest.mark.parametrize("given", [["--transaction="], []])
def test_start_makes_up_a_transaction(
    conf_command: Call, provider: ScriptedProvider, given: list[str]
) -> None:
    """Twenty characters, printed and sent."""
    provider.script = DONE
    ended = conf_command("--action=start", *given)
    assert ended.code == 0
    made = provider.heard[0][1]["header"]["service_transaction"]
    assert len(made) == 20
    assert f"    + Transaction [{made}]" in ended.out.splitlines()


def test_stop_takes_the_only_transaction(conf_command: Call, provider: ScriptedProvider) -> None:
    """Where there is one transaction, its long name need not be typed."""

    def script(message: dict[str, Any]) -> Sequence[Said]:
        if message["header"]["action"] == "request":
            return [("reply_context", RECORD | {"transaction": "ONLY"})]
        return [("done", rows(UP))]

    provider.script = script
    ended = conf_command("--action=stop")
    assert ended.code == 0
    assert "    + Transaction [ONLY]" in ended.out
    assert provider.heard[-1][1]["header"]["service_transaction"] == "ONLY"


def test_stop_asks_which_of_several_transactions(conf_command: Call, provider: ScriptedProvider) -> None:
    """Where there are several, they are listed."""
    provider.script = answers(
        ("rejected", rows(reason="transaction (none given) is not known here; known: A, B"))
    )
    ended = conf_command("--action=stop")
    assert ended.code == 5
    assert ended.error == "which transaction? add --transaction=ID; this provider knows: A, B"


def test_exit_needs_no_transaction(conf_command: Call, provider: ScriptedProvider) -> None:
    """It means the provider."""
    provider.script = answers(("accepted", rows()), ("done", rows()))
    assert conf_command("--action=exit").code == 0
    assert [message["header"]["action"] for _, message in provider.heard] == ["exit"]


def test_missing_provider_is_told_with_the_remedy(conf_command: Call, bus: LocalBus) -> None:
    """A forwarder without a provider is as good as nothing."""
    ended = conf_command("--action=stop", "--transaction=TX")
    assert ended.code == 3
    assert ended.error.startswith(f"no context provider listens at {bus.publish_to}; start one with")


def test_report_by_hand_needs_no_answer(conf_command: Call, provider: ScriptedProvider) -> None:
    """``updated`` on behalf of a service is sent, and that is all."""
    ended = conf_command(
        "--service_name=echo",
        "--service_id=ts_1",
        "--transaction=TX",
        "--action=updated",
        "--device_action=x",
    )
    assert ended.code == 0
    provider.close()
    provider.close = lambda: None  # type: ignore[method-assign]  # closed already, to have heard all
    ((topic, message),) = provider.heard
    assert topic == "control"
    assert message["content"]["status"] == {"device_action": "x", "result": "success"}
    assert message["header"].keys() == {"action", "service_id", "service_name", "service_transaction"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "no action given"),
        (["--action=none"], "no action given"),
        (["--action=fly"], "'fly' is not one of"),
        (["--action=start", "--timeout=0"], "'--timeout'"),
        (["--action=start", "--endpoint=here"], "is no endpoint"),
        (["--action=start", "--context_file=none.xml"], "no such file: none.xml"),
        (["--action=start", "--service_name=state"], "expected request, top"),
        (["--action=request"], "does not go with service name 'context'"),
        (["--action=start", "--colour=blue"], "no such option"),
        (["--action=start", "--service_freq=often"], "'--service_freq'"),
    ],
)
def test_wrong_input_is_one_line(conf_command: Call, args: list[str], words: str) -> None:
    """Every wrong flag, name, port and file gives one line and 2."""
    ended = conf_command(*args)
    assert ended.code == 2
    assert words in ended.error


@pytest.mark.parametrize("sender", ["", "somebody"])
def test_answer_on_the_topic_of_all_counts_from_providers_of_old_only(
    conf_command: Call, provider: ScriptedProvider, bus: LocalBus, sender: str
) -> None:
    """They do not say who they are; what a provider of today says there may be about another's question."""

    def script(message: dict[str, Any]) -> Sequence[Said]:
        other = bus.publisher()
        header = {"action": "reply_context", "service_transaction": "TX"} | (
            {"sender": sender} if sender else {}
        )
        other.wait_for_subscriber("state", 5.0)
        other.send("state", json.dumps({"header": header, "content": {"contextId": "other"}}).encode())
        other.close()
        return [("reply_context", RECORD | {"transaction": "TX"})] if sender else []

    provider.script = script
    ended = conf_command("--service_name=state", "--transaction=TX", "--action=request", "--json")
    assert json.loads(ended.out)["contextId"] == ("context001" if sender else "other")
