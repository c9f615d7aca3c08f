"""Task service Alarm: what the context starts; the work is in Alarm.py."""

from context_bus import TaskService

from .Alarm import Alarming


class ServiceAlarm(TaskService):
    """Raises an alarm when errors or slow answers exceed their limits"""

    task_class = Alarming
