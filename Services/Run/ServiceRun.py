"""Task service Run: what the context starts; the work is in Run.py."""

from context_bus import TaskService

from .Run import Running


class ServiceRun(TaskService):
    """Start running"""

    task_class = Running
