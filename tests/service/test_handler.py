"""Services in the shape that the old templates gave them, ported to Python 3 and otherwise as they were."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from context_bus.process.child import Child
from context_bus.service.boot import Boot, Command
from tests.service.conftest import SOON, Site, outcome

SERVICE = """
from context_bus import ServiceHandler
from .{instance} import {instance}

class Service{instance}(ServiceHandler):
    def __init__(self, **kwargs):
        ServiceHandler.__init__(self, **kwargs)

    def DeserializeAction(self, msg):
        isForDevice = msg['header']['service_name'] == '{name}' or msg['header']['service_name'] == 'all'
        if 'transaction' in msg['header'].keys():
            return isForDevice and msg['header']['transaction'] == self.transaction
        return False

    def ParseItems(self, items, resp_format):
        status = resp_format["content"]["status"]
        if items is not None:
            for item in items.keys():
                status.update({{item: items[item]}})
        resp_format["content"]["status"] = status
        return resp_format

    def GetActionHandler(self, msg):
        result = "failure"
        deviceAction = None
        start_state = 'started'
        try:
            conf = msg['Task']['message']['content']['configuration']
            args = {{'onStart': True, 'service': self}}
            for key in conf.keys():
                args.update({{key: conf[key]}})
            taskType = msg['Task']['state']['type']
            if not (taskType == 'on_start' or taskType == 'start_now'):
                args['onStart'] = False
                start_state = 'created'
            deviceAction = {instance}(**args)
            if deviceAction.hasStarted():
                result = "success"
        except Exception as inst:
            self.logger.error(str(inst))
        finally:
            self.notify(start_state, result, items={{'pid': 1}})
            return deviceAction

    def close(self):
        self.logger.debug("closing")

    def ControlAction(self, msg):
        if not self.ValidateTransaction(msg):
            return
        header = msg['header']
        status = msg['content']['status']
        if header['service_name'] == 'movie_finder' != '{name}' and status["result"] == "success":
            if 'search_title' in status.keys():
                self.actionHandler.SetSearch(status)
"""
TASK = """
import threading

class {instance}(threading.Thread):
    def __init__(self, **kwargs):
        threading.Thread.__init__(self)
        self.tStop = threading.Event()
        self.service = None
        self.onStart = True
        self.search = None
        self.running = False
        for key, value in kwargs.items():
            if "service" == key:
                self.service = value
            elif "onStart" == key:
                self.onStart = bool(value)
            elif "title" == key:
                self.search = value
            elif "fail" == key:
                raise ValueError("as the test wants it")
        self.running = True
        if self.onStart:
            self.start()

    def hasStarted(self):
        return self.running and not self.tStop.is_set()

    def hasFinished(self):
        return not self.running and self.tStop.is_set()

    def run(self):
        self.service.task.AddContext(self, self.__class__.__name__)
        while not self.tStop.is_set():
            {work}
            self.tStop.wait(0.02)
        self.running = False

    def close(self):
        if not self.tStop.is_set():
            self.tStop.set()
        if self.is_alive():
            threading.Thread.join(self, 1)

    def execute(self, service):
        pass

    def SetSearch(self, status):
        self.search = status['search_title']
"""
FIND = """if self.search:
                self.service.notify("updated", "success", items={{'search_title': self.search}})
                self.search = None"""
ECHO = """if self.search:
                self.service.notify("updated", "success", items={{'found_items': [self.search]}})
                self.search = None"""
SINGLE = """self.service.notify("updated", "success", items={{'n': 1}})
            self.service.task.tStop.clear()
            self.service.notify("stopped", 'success', items={{}})
            break"""
CRASH = """raise KeyError('title')"""


def _write(site: Site, instance: str, name: str, work: str) -> None:
    directory = site.location / instance
    directory.mkdir()
    (directory / "__init__.py").write_text("")
    (directory / f"{instance}.py").write_text(TASK.replace("{work}", work).format(instance=instance))
    (directory / f"Service{instance}.py").write_text(SERVICE.format(instance=instance, name=name))


def _boot(
    site: Site, instance: str, name: str, service_id: str = "ts_1", *, run_now: bool = True, **conf: str
) -> Boot:
    return site.boot(instance, dict(conf), service_id=service_id, service_name=name, run_now=run_now)


def _stop(child: Child) -> None:
    child.channel.send_bytes(Command("stop").encode())


def test_one_service_reacts_to_anothers_update(site: Site) -> None:
    """A updated -> B hears it in ControlAction -> SetSearch -> B works on it and reports."""
    _write(site, "FindMovie", "movie_finder", FIND)
    _write(site, "SearchIMDB", "search_imdb", ECHO)
    second = site.spawn(_boot(site, "SearchIMDB", "search_imdb", "ts_2"))
    assert site.report("ts_2")[0] == "started"
    first = site.spawn(_boot(site, "FindMovie", "movie_finder", "ts_1", title="Metropolis"))
    assert site.actions(2, "ts_1") == ["started", "updated"]
    action, status = site.report("ts_2")
    assert (action, status["found_items"]) == ("updated", ["Metropolis"])
    for child, service_id in ((first, "ts_1"), (second, "ts_2")):
        _stop(child)
        assert site.report(service_id)[0] == "stopped"
        assert outcome(child).commanded


def test_started_comes_before_what_the_task_says_first(site: Site) -> None:
    """The task runs before its service has announced it; its first update waits."""
    _write(site, "Once", "once", SINGLE)
    children = [site.spawn(_boot(site, "Once", "once", f"ts_{number}")) for number in range(10)]
    for number, child in enumerate(children):
        reports = [site.report(f"ts_{number}") for _ in range(3)]
        assert [action for action, _ in reports] == ["started", "updated", "stopped"]
        assert reports[0][1]["pid"] == child.pid
        assert not outcome(child).commanded


def test_deferred_service_is_created_then_started(site: Site) -> None:
    """The task exists and does not run; a start makes one that does."""
    _write(site, "FindMovie", "movie_finder", FIND)
    boot = _boot(site, "FindMovie", "movie_finder", run_now=False, title="M")
    child = site.spawn(replace(boot, conf=replace(boot.conf, state_type="on_update")))
    assert site.report()[0] == "created"
    child.channel.send_bytes(Command("start").encode())
    assert site.actions(2) == ["started", "updated"]


def test_sigterm_stops_a_service_of_old(site: Site) -> None:
    """The host answers the signal for it."""
    _write(site, "FindMovie", "movie_finder", FIND)
    child = site.spawn(_boot(site, "FindMovie", "movie_finder"))
    assert site.report()[0] == "started"
    os.kill(child.pid, signal.SIGTERM)
    assert site.report()[0] == "stopped"
    assert child.wait(SOON) == 0


@pytest.mark.parametrize(
    ("work", "conf", "name", "actions", "reason"),
    [
        (FIND, {"fail": "1"}, "movie_finder", ["failed"], "ServiceFindMovie.GetActionHandler made no task"),
        (CRASH, {}, "movie_finder", ["started", "failed"], "KeyError: 'title'"),
        (FIND, {}, "other_name", ["failed"], "DeserializeAction refuses service_name 'other_name'"),
        ("self.service.notify('failed', 'failure', items={{'reason': 'no net'}})", {}, "movie_finder",
         ["started", "failed"], "ServiceFindMovie: no net"),
    ],
    ids=["constructor", "run", "name", "by itself"],
)  # fmt: skip
def test_failure_of_a_service_of_old_is_one_failure(
    site: Site, work: str, conf: dict[str, str], name: str, actions: list[str], reason: str
) -> None:
    """However it fails, the bus hears ``failed`` once, with the reason."""
    _write(site, "FindMovie", "movie_finder", work)
    child = site.spawn(_boot(site, "FindMovie", name, **conf))
    reports = [site.report() for _ in actions]
    assert [action for action, _ in reports] == actions
    assert reason in reports[-1][1]["reason"]
    assert outcome(child).kind == "failed"
