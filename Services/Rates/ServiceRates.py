"""Task service Rates: what the context starts; the work is in Rates.py."""

from context_bus import TaskService

from .Rates import Rating


class ServiceRates(TaskService):
    """Counts requests, errors and answer times of each second"""

    task_class = Rating
