"""Task service Stand: what the context starts; the work is in Stand.py."""

from context_bus import TaskService

from .Stand import Standing


class ServiceStand(TaskService):
    """Stand up without doing anything"""

    task_class = Standing
