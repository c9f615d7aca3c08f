"""Task service Traffic: what the context starts; the work is in Traffic.py."""

from context_bus import TaskService

from .Traffic import Serving


class ServiceTraffic(TaskService):
    """Writes the access log of a web shop that does not exist"""

    task_class = Serving
