"""Task service Alert: what the context starts; the work is in Alert.py."""

from context_bus import TaskService

from .Alert import Alerting


class ServiceAlert(TaskService):
    """Raises an alert when errors or slow answers exceed their limits"""

    task_class = Alerting
