"""The provider survives any bytes on the bus, and nothing is lost for the others.

The bounded form; ``python -m tests.e2e.fuzz --frames 1000000 --seed 1`` is the long one.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e import fuzz
from tests.e2e.blackbox import Provider, tasks_of
from tests.e2e.frames import HUGE, FrameMaker, seeds
from tests.e2e.project import Service


def test_provider_and_bystander_survive_a_rain_of_frames(tmp_path: Path) -> None:
    """20,000 bad frames: provider and bystander live on, no heartbeat is lost, commands are obeyed."""
    outcome = fuzz.run(tmp_path, frames=20_000, seed=20_000)
    assert outcome.faults() == [], f"{outcome.table()}\n{outcome.output}"


@pytest.mark.parametrize(
    "frame",
    [
        b"context @@@ " + b"[" * 200_000,
        b"context @@@ " + b'{"header":' * 50_000 + b"1" + b"}" * 50_000,
        b'state @@@ {"header": {"action": "' + b"x" * HUGE + b'"}}',
        b"process @@@ " + b"\x00" * HUGE,
        b"context @@@",
        b"@@@",
        b"",
        b"control @@@ \xff\xff\xff",
        b'context @@@ {"header": null, "content": null}',
        b'context @@@ {"header": {"action": "stop", "service_id": 7, "service_transaction": {}}}',
    ],
    ids=[
        "deep_list",
        "deep_map",
        "huge",
        "zeros",
        "no_body",
        "mark",
        "nothing",
        "not_utf8",
        "nulls",
        "types",
    ],
)
def test_provider_answers_after_one_bad_frame(provider: Provider, transaction: str, frame: bytes) -> None:
    """After each of the worst frames a command is carried out as if nothing had been."""
    provider.wire.raw(frame)
    assert provider.ask("start", transaction, [Service("ts_1")])["verbs"][-1] == "done"
    assert provider.ask("stop", transaction)["verbs"][-1] == "done"


def test_reports_that_no_service_sent_change_nothing(provider: Provider, transaction: str) -> None:
    """Forged reports of unknown services and transactions do not appear in any record."""
    assert provider.ask("start", transaction, [Service("ts_1")])["verbs"][-1] == "done"
    for action in ("started", "updated", "failed", "exited"):
        for name in (transaction, "NOBODYSTRANSACTION00"):
            header = {"action": action, "service_id": "ts_ghost", "service_name": "ghost"}
            status = {"result": "success", "device_action": "", "pid": 1}
            message = {"header": header | {"service_transaction": name}, "content": {"status": status}}
            provider.wire.send("control", message)
    assert provider.ask("stop", "NOBODYSTRANSACTION00")["verbs"] == ["rejected"]
    tasks = tasks_of(provider.record(transaction))
    assert list(tasks) == ["ts_1"]
    assert tasks["ts_1"]["action"] == "started"


def test_frames_are_the_same_for_a_seed_and_not_valid() -> None:
    """The same seed gives the same frames, of every kind, and most of them cannot be decoded."""
    one, two = FrameMaker(7), FrameMaker(7)
    frames = list(one.frames(3000))
    assert frames == list(two.frames(3000))
    assert all(count for kind, count in one.counts.items() if kind != "huge")
    assert len(seeds()) > 20
    good = 0
    for frame in frames:
        try:
            json.loads(frame.partition(b"@@@")[2])
        except (ValueError, RecursionError):
            continue
        good += 1
    assert 0 < good < len(frames) / 2
