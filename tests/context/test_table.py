"""The records of a context as the wire shows them."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.context.sim import TX, Sim, service


def _record(sim: Sim) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(sim.engine.table.record(TX)))
    return found


def test_record_has_the_documented_fields() -> None:
    """Those of the transaction, and those of each service."""
    sim = Sim(service("a"), service("b", "on_update"))
    sim.command("start", name="context")
    sim.up("a", "b")
    record = _record(sim)
    assert {key: value for key, value in record.items() if key != "tasks"} == {
        "configuration": {
            "BackendBind": "tcp://127.0.0.1:5556",
            "BackendEndpoint": "tcp://127.0.0.1:5557",
            "FrontBind": "tcp://127.0.0.1:5557",
            "FrontEndEndpoint": "tcp://127.0.0.1:5556",
        },
        "contextId": "context001",
        "contextLogName": "Sim",
        "contextName": "context",
    }
    first = record["tasks"][0]
    documented = {"action", "instance", "pid", "serviceName", "service_id", "state", "task"}
    assert set(first) - {"phase", "since", "starts", "wanted"} == documented
    assert (first["action"], first["state"], first["pid"]) == ("started", "success", sim.child("a").pid)
    header = first["task"]["Task"]["message"]["header"]
    assert header == {"action": "start", "service_id": "a", "service_name": "name_a", "transaction": TX}
    assert record["tasks"][1]["action"] == "created"


def test_record_follows_the_life_of_a_service() -> None:
    """Word and state of every step, as readers of old know them."""
    sim = Sim(service("a"))
    seen = []

    def look() -> None:
        task = _record(sim)["tasks"][0]
        seen.append((task["action"], task["state"]))

    sim.command("start", "a")
    look()
    sim.up("a")
    sim.report("a", "updated")
    look()
    sim.command("stop", "a")
    look()
    sim.ends("a")
    look()
    sim.start("a")
    sim.gone("a", signal=9)
    look()
    assert seen == [
        ("start", "in_progress"),
        ("updated", "success"),
        ("stop", "in_progress"),
        ("stopped", "success"),
        ("failed", "failure"),
    ]
    task = _record(sim)["tasks"][0]
    assert task["pid"] is None
    assert task["reason"] == "ended by signal SIGKILL"


def test_defined_service_has_the_short_record() -> None:
    """What was refused its process before it had one is known by little."""
    sim = Sim(service("a", on_start=("stop", "b")), service("b"))
    sim.start("a")
    short = {"action": "defined", "pid": None, "service_id": "b", "state": "success"}
    assert _record(sim)["tasks"][1] == short


def test_unknown_transaction_has_no_record() -> None:
    """And the table of all holds one object for each that is known."""
    sim = Sim(service("a"))
    assert sim.engine.table.record("T9") is None
    sim.start("a")
    assert [list(each) for each in sim.engine.table.records()] == [[TX]]  # type: ignore[call-overload]


def test_image_follows_a_new_definition() -> None:
    """Images are remembered, but not beyond their definition."""
    sim = Sim()
    sim.command("start", confs=[service("x")])
    assert "on_update" not in _record(sim)["tasks"][0]["task"]["Task"]["state"]["type"]
    sim.command("stop", "x")
    sim.gone("x", signal=9)
    sim.command("start", confs=[service("x", "on_update")])
    assert _record(sim)["tasks"][0]["task"]["Task"]["state"]["type"] == "on_update"
