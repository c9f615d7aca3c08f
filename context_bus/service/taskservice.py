"""What names the task of a service. Knows task; must not know the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from context_bus.config.model import Value
from context_bus.errors import ServiceError
from context_bus.service.boot import Boot
from context_bus.service.configuration import convert_configuration
from context_bus.service.task import Link, Task, make_task


class TaskService:
    """One service as the context file names it; subclass it as ``Service<instance>``.

    Example:
        >>> class ServiceEcho(TaskService):
        ...     task_class = Task
    """

    #: The class whose work this service does.
    task_class: ClassVar[type[Task]]

    def make_task(self, link: Link, configuration: Mapping[str, Value]) -> Task:
        """Build the task from the children of ``configuration``; override to do so otherwise.

        Raises:
            ServiceError: A child that the task does not know or cannot take.
        """
        task_class = getattr(self, "task_class", None)
        if not (isinstance(task_class, type) and issubclass(task_class, Task)):
            raise ServiceError(
                f"{type(self).__name__}.task_class is {task_class!r}; set it to your subclass of "
                "context_bus.Task"
            )
        return make_task(task_class, link, convert_configuration(task_class, configuration))


class BuiltInService(TaskService):
    """A service that the package brings along.

    Args:
        boot: What it was given; of the provider it may know more than a user's service.
    """

    def __init__(self, boot: Boot) -> None:
        self.boot = boot
