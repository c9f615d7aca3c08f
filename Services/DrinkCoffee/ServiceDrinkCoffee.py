"""Task service DrinkCoffee: what the context starts; the work is in DrinkCoffee.py."""

from context_bus import TaskService

from .DrinkCoffee import Drinking


class ServiceDrinkCoffee(TaskService):
    """Stop and take a coffee"""

    task_class = Drinking
