"""Task service EchoAction: what the context starts; the work is in EchoAction.py."""

from context_bus import TaskService

from .EchoAction import EchoShouting


class ServiceEchoAction(TaskService):
    """An echo action is for shouting the time after counting 10s"""

    task_class = EchoShouting
