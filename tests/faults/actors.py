"""The services that suffer: one for each way to be kept and each way to misbehave. Knows context files only.

Programs are shells whose command line holds ``main <id>``; what they start carries their id in the
environment, so that a look at /proc tells whose it is, whatever session or parent it has moved to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tests.e2e.project import CONTEXT_ID, Project

#: Environment variable of a service that holds its id.
SERVICE = "FAULTS_SERVICE"
#: Seconds between two heartbeats of the one that has them.
BEAT = 0.4
#: Python services: one with heartbeats, one with children of its own, one that cannot be imported.
SOURCE = '''
"""A task that idles, with as many children as it is told, half of them in sessions of their own."""

import subprocess

from context_bus import Task, TaskService


class Acting(Task):
    """Idles."""

    children: int = 0

    def run(self) -> None:
        for number in range(self.children):
            subprocess.Popen(["sleep", "86400"], start_new_session=bool(number % 2))
        while not self.wait(3600.0):
            pass


class ServiceSubject(TaskService):
    """The service around it."""

    task_class = Acting
'''
BROKEN = "raise RuntimeError('it cannot even be imported')\n"

_QUICK = 'delay="0.02" max_delay="0.1" max_restarts="100000" min_uptime="0.01"'
_ALWAYS = f'<restart policy="always" {_QUICK}/>'
_NEVER = '<restart policy="never"/>'
_LIMITED = '<restart policy="always" delay="0.01" max_delay="0.02" max_restarts="3" window="60"/>'


@dataclass(frozen=True, slots=True)
class Actor:
    """One service.

    Args:
        id: Its id.
        script: What its shell runs; empty for a Python service.
        keep: What stands in its ``<supervision>``.
        children: Processes beside its main one, once it is up.
        instance: Directory of a Python service.
        ends: State in which it ends by itself when somebody starts it; empty: it stays up.
        returns: Whether it is started again when it is killed.
        beats: Whether it has heartbeats.
    """

    id: str
    script: str = ""
    keep: str = _ALWAYS
    children: int = 0
    instance: str = ""
    ends: str = ""
    returns: bool = True
    beats: bool = False

    def element(self, services: Path) -> str:
        """The service in a context file; one that ends by itself is deferred."""
        state = '<state type="on_exit"/>' if self.ends else '<state type="on_start"/>'
        process = f'<process><env name="{SERVICE}" value="{self.id}"/></process>'
        keep = f"<supervision>{self.keep}{process}</supervision>"
        if self.script:
            words = ("sh", "-c", self.script, "main", self.id)
            command = "".join(f"<arg>{escape(word)}</arg>" for word in words)
            return (
                f'<TaskService id="{self.id}" serviceType="Command"><command>{command}</command>'
                f"<Task>{state}</Task>{keep}</TaskService>\n"
            )
        content = f"<location>{services}</location><children>{self.children}</children>"
        message = (
            f"<message><header><action>start</action><service_name>{self.id}</service_name></header>"
            f"<content><configuration>{content}</configuration></content></message>"
        )
        return (
            f'<TaskService id="{self.id}" instance="{self.instance}" serviceType="Process" topic="process">'
            f"<Task>{message}{state}</Task>{keep}</TaskService>\n"
        )


_FAMILY = "sleep 86400 & setsid sleep 86400 & (setsid sleep 86400 &) ; wait"
_LEAVINGS = "sleep 86400 & setsid sleep 86400 & (setsid sleep 86400 &) ; sleep 0.1"

#: Those that stay up, and come back when they are killed (but for ``once``).
STAYING = (
    Actor("steady", "sleep 86400 & wait", children=1),
    Actor("family", _FAMILY, children=3),
    Actor(
        "stubborn",
        "trap '' TERM; while :; do sleep 86400; done",
        _ALWAYS + '<stop signal="SIGTERM" grace="0.4"/>',
        children=1,
    ),
    Actor("once", "sleep 86400 & wait", _NEVER, children=1, returns=False),
    Actor(
        "beating",
        keep=_ALWAYS + f'<liveness type="heartbeat" every="{BEAT}"/>',
        instance="Subject",
        beats=True,
    ),
    Actor("parent", keep=_ALWAYS, children=2, instance="Subject"),
)
#: Those that are started to see how they end.
ENDING = (
    Actor("blink", "exit 0", _LIMITED, ends="fatal"),
    Actor("crash", keep=_LIMITED, instance="Broken", ends="fatal"),
    Actor("leaker", _LEAVINGS, _NEVER, ends="exited"),
    Actor(
        "flood",
        "yes flood | head -c 20000000",
        _NEVER + '<output max_bytes="1MB" backups="1"/>',
        ends="exited",
    ),
    Actor(
        "endless",
        "head -c 8000000 /dev/zero",
        _NEVER + '<output max_bytes="1MB" backups="1"/>',
        ends="exited",
    ),
    Actor("mute", "exec >&- 2>&-; sleep 0.05", _NEVER, ends="exited"),
)
ACTORS = {actor.id: actor for actor in (*STAYING, *ENDING)}


def write_context(project: Project) -> Path:
    """Write the context file and the Python services; returns its path."""
    project.write_service("Subject", SOURCE)
    project.write_service("Broken", BROKEN)
    head = (
        f"<FrontEndEndpoint>{project.listen_on}</FrontEndEndpoint>"
        f"<BackendEndpoint>{project.publish_to}</BackendEndpoint>"
        f"<FrontBind>{project.publish_to}</FrontBind><BackendBind>{project.listen_on}</BackendBind>"
        f"<ContextID>{CONTEXT_ID}</ContextID><TaskLogName>Faults</TaskLogName>\n"
    )
    path = project.conf / "Context-Faults.xml"
    services = "".join(actor.element(project.services) for actor in ACTORS.values())
    path.write_text(f"<Context>\n{head}{services}</Context>\n")
    return path
