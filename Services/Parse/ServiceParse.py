"""Task service Parse: what the context starts; the work is in Parse.py."""

from context_bus import TaskService

from .Parse import Parsing


class ServiceParse(TaskService):
    """Turns lines of an access log into records, and fails on what is no such line"""

    task_class = Parsing
