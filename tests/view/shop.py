"""Services to look at: what they are and what is to be seen of them."""

from __future__ import annotations

from tests.e2e.project import Project, Service

#: A program that stays, one that writes and is started again, and one that fails for ever.
SERVICES = """
  <TaskService id="stay" serviceType="Command">
    <command>sleep 300</command>
    <supervision><restart policy="always"/></supervision>
  </TaskService>
  <TaskService id="talk" serviceType="Command">
    <command>sh -c 'echo a word; exec sleep 300'</command>
    <supervision><restart policy="always"/></supervision>
  </TaskService>
  <TaskService id="fail" serviceType="Command">
    <command>sh -c 'exit 3'</command>
    <supervision><restart policy="on_failure" max_restarts="1"/></supervision>
  </TaskService>
"""

#: A service that publishes a hundred messages a second.
TICKER = '''
"""A task that publishes."""

from context_bus import Task, TaskService


class Ticking(Task):
    """Says a number a hundred times a second."""

    def run(self) -> None:
        number = 0
        while not self.wait(0.01):
            number += 1
            self.publish("ticks", {"number": number})


class ServiceTicker(TaskService):
    """The service around it."""

    task_class = Ticking
'''


def ticker(project: Project) -> str:
    """The element of the service that publishes."""
    return Service("tick", "Ticker").element(project.services)
