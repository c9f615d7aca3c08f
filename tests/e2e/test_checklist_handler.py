"""Row 28 of the checklist: services in the old shape, one reacting to what the other reports.

The classes have the shape that users of the original gave theirs: a ``ServiceHandler`` with its five
hooks and a thread with ``tStop``, ``hasStarted``, ``SetSearch`` and ``close``, configured by keyword
arguments. Ported to Python 3 only: ``items()``, imports, no tabs.
"""

from __future__ import annotations

from tests.e2e.blackbox import Provider
from tests.e2e.project import Project, Service
from tests.e2e.wire import Seen

_SERVICE = '''
"""A service that reacts to another's reports."""

import os

from context_bus import ServiceHandler

from .TASK import TASK


class ServiceTASK(ServiceHandler):
    """Service for DESCRIPTION."""

    def __init__(self, **kwargs):
        ServiceHandler.__init__(self, **kwargs)

    def DeserializeAction(self, msg):
        """Validate an incoming message."""
        header = msg["header"]
        isForDevice = header["service_name"] in ("NAME", "all")
        if "transaction" in header:
            isRightTransaction = header["transaction"] == self.transaction
        elif "service_transaction" in header:
            isRightTransaction = header["service_transaction"] == self.transaction
        else:
            self.logger.debug("Message without transaction ID")
            return False
        return isForDevice and isRightTransaction

    def ParseItems(self, items, resp_format):
        """Add items to a report."""
        status = resp_format["content"]["status"]
        if items is not None:
            for item in items.keys():
                status.update({item: items[item]})
        resp_format["content"]["status"] = status
        return resp_format

    def GetActionHandler(self, msg):
        """Make the task and tell that it was made."""
        result = "failure"
        deviceAction = None
        start_state = "started"
        try:
            message = msg["Task"]["message"]
            conf = message["content"]["configuration"]
            args = {"onStart": True, "service": self}
            for key in conf.keys():
                args.update({key: conf[key]})
            taskType = msg["Task"]["state"]["type"]
            if not (taskType == "on_start" or taskType == "start_now"):
                args["onStart"] = False
                start_state = "created"
            deviceAction = TASK(**args)
            if deviceAction.hasStarted():
                result = "success"
        except Exception as inst:
            self.logger.exception(inst)
        finally:
            self.notify(start_state, result, items={"pid": os.getpid()})
        return deviceAction

    def close(self):
        """End the process inside the service."""
        self.logger.debug("Stopping DESCRIPTION service")

    def ControlAction(self, msg):
        """React if another process reports."""
        if not self.ValidateTransaction(msg):
            return
        header = msg["header"]
        status = msg["content"]["status"]
        if header["service_name"] == "CALLER" and status["result"] == "success":
            for key in REQUIRED:
                if key not in status:
                    self.logger.debug("[%s] Not found in [status]", key)
                    return
            self.actionHandler.SetSearch(status)
'''

_TASK = '''
"""The thread of the service."""

import logging
import threading


class TASK(threading.Thread):
    """Waits for something to look for, looks, and reports."""

    def __init__(self, **kwargs):
        threading.Thread.__init__(self)
        self.component = self.__class__.__name__
        self.logger = logging.getLogger(self.component)
        self.tStop = threading.Event()
        self.threads = []
        self.running = False
        self.service = None
        self.onStart = True
        self.not_searching = False
        self.status = None
        self.arguments = {}
        for key, value in kwargs.items():
            if "service" == key:
                self.service = value
            elif "onStart" == key:
                self.onStart = bool(value)
            else:
                self.arguments[key] = value
        self.running = True
        if self.onStart:
            self.start()
        self.threads.append(self)

    def hasStarted(self):
        """Report the task's status."""
        return self.running and not self.tStop.is_set()

    def hasFinished(self):
        """Report the task's status."""
        return not self.running and self.tStop.is_set()

    def SetSearch(self, status):
        """Take what to look for from another's report."""
        self.status = status
        self.not_searching = True

    def run(self):
        """Loop until told to stop."""
        self.running = True
        if self.service is not None and self.service.task is not None:
            self.service.task.AddContext(self, self.component)
        while not self.tStop.is_set():
            if self.not_searching:
                status = self.status
                LOOK
                self.service.notify("updated", "success", items=itemsCall)
                self.not_searching = False
            self.tStop.wait(0.02)
        self.running = False

    def close(self):
        """End the thread."""
        if not self.tStop.is_set():
            self.tStop.set()
        if self.is_alive() and self.service is not None:
            threading.Thread.join(self, 1)

    def execute(self, service):
        """Nothing: the thread runs by itself."""
'''

_FIND = """itemsCall = {"search_title": status["action"], "top_items": [
                    {"frame_id": n, "word": word} for n, word in enumerate(self.arguments["action_words"])],
                    "pages": int(self.arguments["page_limit"])}"""
_CONFIRM = """itemsCall = {"search_title": status["search_title"],
                    "confirmed_title": status["top_items"][-1], "asked_by": status["device_action"]}"""


def _write(project: Project, task: str, name: str, caller: str, required: str, look: str) -> None:
    service = _SERVICE.replace("TASK", task).replace("NAME", name).replace("CALLER", caller)
    service = service.replace("REQUIRED", required).replace("DESCRIPTION", f"looking as {name}")
    home = project.write_service(task, service, **{task: _TASK.replace("TASK", task).replace("LOOK", look)})
    (home / "__init__.py").write_text(f"from .{task} import {task}\n")


def _pair(provider: Provider) -> list[Service]:
    project = provider.project
    _write(project, "FindTitle", "title_finder", "voice_order", '("action", "caller")', _FIND)
    _write(
        project, "ConfirmTitle", "confirm_title", "title_finder", '("search_title", "top_items")', _CONFIRM
    )
    words = {"page_limit": "3", "action_words": ["find", "look for"]}
    return [
        Service("ts_a", "FindTitle", "title_finder", configuration={"device_action": "find"} | words),
        Service("ts_b", "ConfirmTitle", "confirm_title", configuration={"device_action": "confirm"}),
    ]


def _order(provider: Provider, transaction: str, sentence: str, result: str = "success") -> None:
    """A hand-made report of a service nobody runs, as a tool of the original's users sends it."""
    status = {"device_action": "order", "result": result, "action": sentence, "caller": "a test"}
    header = {"action": "updated", "service_id": "ts_voice", "service_name": "voice_order"}
    message = {"content": {"status": status}, "header": header | {"service_transaction": transaction}}
    provider.wire.send("control", message)


def test_row_28_services_in_the_old_shape_react_to_each_other(provider: Provider, transaction: str) -> None:
    """A client's report makes the first look and report, and that makes the second confirm."""
    wire = provider.wire
    pair = _pair(provider)
    provider.command("start", transaction, pair)
    for service in pair:
        assert wire.report("started", service.id, transaction).status["pid"] in provider.processes()
    _order(provider, "ANOTHERTRANSACTION", "find what must not be found")
    _order(provider, transaction, "find what failed", result="failed")
    _order(provider, transaction, "find me a title")
    found = wire.report("updated", "ts_a", transaction).status
    assert found["search_title"] == "find me a title"
    assert [item["word"] for item in found["top_items"]] == ["find", "look for"]
    assert (found["pages"], found["device_action"], found["result"]) == (3, "find", "success")
    confirmed = wire.report("updated", "ts_b", transaction).status
    assert confirmed["confirmed_title"] == {"frame_id": 1, "word": "look for"}
    assert (confirmed["asked_by"], confirmed["device_action"]) == ("find", "confirm")


def test_row_28_services_in_the_old_shape_stop_restart_and_wait(provider: Provider, transaction: str) -> None:
    """They report in order: started once, stopped when told; a deferred one is created, then runs."""
    wire = provider.wire
    pair = _pair(provider)
    deferred = Service(
        "ts_c", "FindTitle", "title_finder", state="on_exit", configuration=pair[0].configuration
    )
    provider.command("start", transaction, [*pair, deferred])
    wire.report("created", "ts_c", transaction)
    for service in pair:
        wire.report("started", service.id, transaction)
    assert provider.ask("restart", transaction, pair)["verbs"][-1] == "done"
    provider.process_message("start", transaction, deferred)
    wire.report("started", "ts_c", transaction)
    assert provider.ask("stop", transaction)["verbs"][-1] == "done"
    wanted = {
        "ts_a": ["started", "stopped", "started", "stopped"],
        "ts_b": ["started", "stopped", "started", "stopped"],
        "ts_c": ["created", "started", "stopped"],
    }
    for service_id, actions in wanted.items():
        assert [seen.action for seen in _said(provider, transaction, service_id)] == actions


def _said(provider: Provider, transaction: str, service_id: str) -> list[Seen]:
    return provider.wire.reports(transaction, service_id)
