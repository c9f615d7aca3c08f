"""Task service Walk: what the context starts; the work is in Walk.py."""

from context_bus import TaskService

from .Walk import Walking


class ServiceWalk(TaskService):
    """Walk along the street"""

    task_class = Walking
