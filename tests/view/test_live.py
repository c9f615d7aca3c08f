"""What is known of one provider: while it runs, when it is gone, when another one comes."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from context_bus.client.endpoints import Endpoints
from context_bus.client.whereabouts import endpoints_of
from context_bus.context.commands import AnswerKind
from context_bus.errors import CommandRejected, NobodyListens
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until
from context_bus.view.live import Live
from context_bus.view.snapshot import ServiceView, Snapshot
from tests.cli.scripted import ScriptedProvider
from tests.e2e.shells import Supervised

KEY = ("T1", "talk")


def service(found: Snapshot, service_id: str) -> ServiceView:
    """One service of a snapshot."""
    one = found.find(("T1", service_id))
    assert one is not None, found
    return one


def until(live: Live, service_id: str, phase: str) -> ServiceView:
    """Refresh until a service is in a state."""
    wait_until(
        lambda: (
            not (found := live.refresh()).trouble
            and (one := found.find(("T1", service_id)))
            and one.phase == phase
        ),
        20,
        lambda: f"{service_id} to be {phase}: {live.latest}",
    )
    return service(live.latest, service_id)


def test_services_are_seen_with_what_they_use(live: Live) -> None:
    """State and figures of each, as the kernel has them; who has no process has a reason."""
    found = live.refresh()
    assert (found.trouble, found.provider["name"]) == ("", "Supervised")
    stay = service(found, "stay")
    assert stay.pid is not None
    assert (stay.phase, stay.starts, stay.restarts, stay.wanted) == ("started", 1, 0, True)
    assert stay.threads == len(os.listdir(f"/proc/{stay.pid}/task")) == 1
    with open(f"/proc/{stay.pid}/statm") as file:
        pages = int(file.read().split()[1])
    assert stay.rss == pytest.approx(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, rel=0.05)
    assert stay.uptime(found.at) == pytest.approx(found.at - stay.since, abs=1.0)
    bad = service(found, "fail")
    assert (bad.phase, bad.pid, bad.usage) == ("fatal", None, None)
    assert "exit code 3" in bad.last_error


def test_curves_grow_by_a_sample_at_its_time(live: Live, shop: Supervised) -> None:
    """However often one refreshes: each sample is one, and a look without figures is none."""
    with Live(lambda: endpoints_of(shop.shell.file, None, None), every=3600.0) as rare:
        assert service(rare.refresh(figures=False), "stay").cpu_history == ()
        for _ in range(3):
            assert len(service(rare.refresh(), "stay").cpu_history) == 1
    wait_until(lambda: len(service(live.refresh(), "stay").rss_history) == 3, 10, lambda: "three samples")


def test_many_may_ask_at_the_same_time(live: Live) -> None:
    """Threads share what one of them has asked; none is left out."""
    barrier = threading.Barrier(8)

    def ask() -> Snapshot:
        barrier.wait()
        return live.refresh()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ask(), range(8)))
    assert {each.trouble for each in found} == {""}
    assert len({each.at for each in found}) < 8


def test_killed_service_is_seen_at_once(live: Live) -> None:
    """Somebody who observes is called when it happens; a look shows it, and what it was."""
    pid = service(live.refresh(), "talk").pid
    assert pid is not None
    heard = threading.Event()
    forget = live.observe(
        lambda event: heard.set() if event.service_id == "talk" and event.data.get("pid") != pid else None
    )
    wait_until(lambda: live.events(*KEY), 10, lambda: "events of before")
    heard.clear()
    os.kill(pid, signal.SIGKILL)
    assert heard.wait(10)
    forget()
    again = until(live, "talk", "started")
    assert again.pid != pid
    assert again.restarts == 1
    assert "signal 9" in again.last_error or "SIGKILL" in again.last_error
    told = [event.data.get("new") for event in live.events(*KEY)]
    assert told[-1] == "started"
    assert told.count("starting") == 2


def test_order_is_carried_out(live: Live) -> None:
    """Stop and start, with the outcome; who was stopped has no process and no error."""
    live.refresh()
    assert live.order("stop", *KEY).kind is AnswerKind.DONE
    stopped = until(live, "talk", "stopped")
    assert (stopped.pid, stopped.last_error) == (None, "")
    assert live.order("start", *KEY).kind is AnswerKind.DONE
    assert until(live, "talk", "started").pid
    assert live.order("restart", "T1", "nobody").kind is AnswerKind.REJECTED


def test_log_is_found(live: Live) -> None:
    """Of a service that writes; of one that there is not, that is told."""
    live.refresh()
    log = live.log_file(*KEY)
    wait_until(lambda: log.read_text() == "a word\n", 10, log.read_text)
    with pytest.raises(CommandRejected, match="no service 'nobody'"):
        live.log_file("T1", "nobody")


def test_provider_that_is_killed_is_trouble_and_its_successor_is_found(shop: Supervised) -> None:
    """What was known stays as it was, marked; the next provider is found, its services, its events."""
    with Live(lambda: endpoints_of(shop.shell.file, None, None), every=0.2) as live:
        live.observe(lambda event: None)
        before = live.refresh()
        wait_until(lambda: live.events(*KEY), 10, lambda: "events of before")
        number = live.events()[-1].sequence
        shop.kill()
        gone = live.refresh()
        assert gone.trouble
        assert [each.key for each in gone.services] == [each.key for each in before.services]
        assert gone.answered_at < gone.at
        with pytest.raises(NobodyListens):
            live.order("stop", *KEY)
        assert live.refresh().trouble
        shop.start()
        until(live, "talk", "started")
        assert live.latest.pid != before.pid
        wait_until(
            lambda: live.events()[-1].sequence > number,
            20,
            lambda: f"events of the next: {live.events()[-1]}",
        )
        sequence = [event.sequence for event in live.events(limit=1000)]
        assert sequence == sorted(set(sequence))


def test_provider_that_is_not_there_yet_is_waited_for(shop: Supervised) -> None:
    """Trouble until it comes."""
    shop.end()
    with Live(lambda: endpoints_of(shop.shell.file, None, None)) as live:
        assert "no context provider listens" in live.refresh().trouble
        assert live.latest.answered_at == 0
        shop.start()
        wait_until(lambda: not live.refresh().trouble, 20, lambda: live.latest.trouble)


def test_provider_that_hangs_is_trouble(live: Live, shop: Supervised) -> None:
    """It does not answer, which is told after some seconds; then it goes on."""
    live.refresh()
    assert shop.process is not None
    shop.process.send_signal(signal.SIGSTOP)
    try:
        assert "did not answer" in live.refresh().trouble
    finally:
        shop.process.send_signal(signal.SIGCONT)
    wait_until(lambda: not live.refresh().trouble, 20, lambda: live.latest.trouble)


def test_messages_are_counted_by_service(ticking: Supervised) -> None:
    """A hundred a second are seen as about that, on their topic and of their service."""
    with Live(lambda: endpoints_of(ticking.shell.file, None, None)) as live:
        wait_until(
            lambda: service(live.refresh(), "tick").messages_per_second > 50,
            20,
            lambda: f"messages of tick: {live.latest.bus}",
        )
        (row,) = (row for row in live.latest.bus if row.topic == "ticks")
        assert (row.service_id, row.transaction) == ("tick", "T1")
        assert row.rate == pytest.approx(95, abs=30)
        assert live.latest.forwarder is not None


def test_older_provider_that_does_not_measure_is_shown_without_figures() -> None:
    """What it does not know is noted, and its services are there."""

    def old(message: dict[str, object]) -> list[tuple[str, dict[str, object]]]:
        header = message["header"]
        assert isinstance(header, dict)
        if header["action"] != "services":
            return [("rejected", {"reason": f"'{header['action']}' is not answered by this provider"})]
        tasks = [{"service_id": "ts_1", "action": "started", "state": "success", "pid": 77}]
        return [
            ("reply_services", {"provider": {"pid": 5}, "transactions": [{"name": "T1", "tasks": tasks}]})
        ]

    with LocalBus() as bus:
        provider = ScriptedProvider(bus)
        provider.script = old
        try:
            with Live(Endpoints(bus.listen_on, bus.publish_to)) as live:
                found = live.refresh()
                asked = len(provider.heard)
                live.refresh()
        finally:
            provider.close()
    assert found.trouble == ""
    assert "'top' is not answered by this provider" in found.notes
    (one,) = found.services
    assert (one.phase, one.pid, one.usage, one.cpu_history) == ("started", 77, None, ())
    assert [message["header"]["action"] for _, message in provider.heard[asked:]] == ["services"]
