"""Task service Tail: what the context starts; the work is in Tail.py."""

from context_bus import TaskService

from .Tail import Tailing


class ServiceTail(TaskService):
    """Follows a growing file through rotation and truncation"""

    task_class = Tailing
