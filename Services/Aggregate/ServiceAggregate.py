"""Task service Aggregate: what the context starts; the work is in Aggregate.py."""

from context_bus import TaskService

from .Aggregate import Aggregating


class ServiceAggregate(TaskService):
    """Counts requests, errors and answer times of each second"""

    task_class = Aggregating
