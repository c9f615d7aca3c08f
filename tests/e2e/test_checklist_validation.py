"""Row 10 of the checklist: the table of what may be commanded when, every cell of it.

A cell that says OK is proved by what the service does, a cell that says FAIL by the refusal and by
nothing having been asked of the service.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.blackbox import Provider
from tests.e2e.project import CONTEXT_ID, Project, Service, new_transaction

A = Service("ts_a")
B = Service("ts_b")
UPDATING = Service("ts_a", configuration={"behaviour": "update"})

#: Row of the table -> what it says of start, stop, restart.
TABLE = {
    "transaction_exists": ("ok", "ok", "ok"),
    "transaction_unknown": ("ok", "fail", "ok"),
    "context_id_exists": ("ok", "ok", "ok"),
    "context_id_unknown": ("ok", "fail", "ok"),
    "service_id_exists": ("ok", "ok", "ok"),
    "service_id_unknown": ("ok", "fail", "ok"),
    "state_stopped": ("ok", "ok", "ok"),
    "state_failed": ("fail", "ok", "ok"),
    "state_started": ("fail", "ok", "ok"),
    "state_updated": ("fail", "ok", "ok"),
}
CELLS = [
    (row, action, verdict)
    for row, verdicts in TABLE.items()
    for action, verdict in zip(("start", "stop", "restart"), verdicts, strict=True)
]


@pytest.mark.parametrize(("row", "action", "verdict"), CELLS, ids=[f"{row}-{act}" for row, act, _ in CELLS])
def test_row_10_cell(
    provider: Provider, transaction: str, tmp_path: Path, row: str, action: str, verdict: str
) -> None:
    """One cell of the table."""
    subject = _subject(row, tmp_path)
    # A context id that was started once is known from then on, so each cell has one of its own.
    context_id = f"elsewhere_{transaction}" if row == "context_id_unknown" else CONTEXT_ID
    runs = _prepare(provider, transaction, row, action, subject)
    since = provider.wire.now
    answer = provider.ask(action, transaction, [subject], context_id=context_id)
    if verdict == "fail":
        _assert_refused(provider, transaction, subject, since, answer)
    else:
        assert answer["verbs"][0] == "accepted", answer
        assert answer["verbs"][-1] == "done", answer
        _assert_done(provider, transaction, subject, since, action, runs)


def _subject(row: str, directory: Path) -> Service:
    """The service a row is about."""
    if row == "state_failed":
        # Fails the first time only, so that a restart can succeed.
        token = {"behaviour": "fail_once", "token": str(directory / "failed_once")}
        return Service("ts_a", configuration=token)
    if row == "state_updated":
        return UPDATING
    return B if row == "service_id_unknown" else A


def _prepare(provider: Provider, transaction: str, row: str, action: str, subject: Service) -> bool:
    """Bring about what a row says, as the provider has recorded it; returns whether the subject runs."""
    if row in ("transaction_unknown", "context_id_unknown") and action != "stop":
        return False
    if row == "transaction_unknown":
        return False
    first = A if row == "service_id_unknown" else subject
    provider.command("start", transaction, [first])
    if row == "state_failed":
        provider.wait_recorded("failed", "ts_a", transaction)
        return False
    provider.wait_recorded("updated" if row == "state_updated" else "started", "ts_a", transaction)
    if row == "service_id_unknown":
        return False
    if row == "state_stopped" or (action == "start" and row.endswith("_exists")):
        provider.command("stop", transaction, [first])
        provider.wait_recorded("stopped", "ts_a", transaction)
        return False
    return True


def _assert_refused(
    provider: Provider, transaction: str, subject: Service, since: int, answer: dict[str, object]
) -> None:
    assert answer["verbs"] == ["rejected"], answer
    reasons = [answer["reason"], *(one["reason"] for one in answer["services"])]  # type: ignore[attr-defined]
    assert any(reasons), answer
    # A later command on another transaction is carried out, so the refused one would have been, too.
    other = new_transaction()
    provider.command("start", other, [A])
    provider.wire.report("started", "ts_a", other, since)
    assert provider.wire.reports(transaction, since=since) == []
    asked = [seen for seen in provider.wire.seen[since:] if seen.topic == "process"]
    assert all(seen.transaction == other for seen in asked)


def _assert_done(
    provider: Provider, transaction: str, subject: Service, since: int, action: str, runs: bool
) -> None:
    wire = provider.wire
    if action == "start":
        wire.report("started", subject.id, transaction, since)
    elif action == "restart":
        pid = wire.report("started", subject.id, transaction, since).status["pid"]
        if runs:
            assert wire.report("stopped", subject.id, transaction, since).status.get("pid") != pid
    elif runs:
        wire.report("stopped", subject.id, transaction, since)
    else:
        assert wire.reports(transaction, subject.id, since) == []


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_row_10_exit_is_always_accepted(project: Project, transaction: str, known: bool) -> None:
    """``exit`` ends the provider whatever transaction and context it names."""
    with Provider(project, project.write_context()) as provider:
        if known:
            provider.command("start", transaction, [A])
            provider.wire.report("started", "ts_a", transaction)
        answer = provider.ask("exit", transaction, context_id=CONTEXT_ID if known else "elsewhere")
        assert answer["verbs"][0] == "accepted", answer
        assert provider.wait_end() == 0


def test_row_10_one_refused_service_does_not_hold_up_its_siblings(
    provider: Provider, transaction: str
) -> None:
    """Of two services the one that may start does, and the answer lists both."""
    provider.command("start", transaction, [A])
    provider.wait_recorded("started", "ts_a", transaction)
    since = provider.wire.now
    answer = provider.ask("start", transaction, [A, B])
    results = {one["service_id"]: one["result"] for one in answer["services"]}
    assert results == {"ts_a": "rejected", "ts_b": "done"}, answer
    assert any(one["reason"] for one in answer["services"] if one["service_id"] == "ts_a")
    provider.wire.report("started", "ts_b", transaction, since)
    assert provider.wire.reports(transaction, "ts_a", since) == []


@pytest.mark.parametrize("action", ["none", "updated", "top", "", "START"])
def test_row_10_unknown_verb_is_refused(provider: Provider, transaction: str, action: str) -> None:
    """A verb that is none is refused with a reason."""
    answer = provider.ask(action, transaction, [A])
    assert answer["verbs"] == ["rejected"]
    assert answer["reason"]
