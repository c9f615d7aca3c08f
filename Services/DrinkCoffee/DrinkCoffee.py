"""The task of service DrinkCoffee."""

from context_bus import Task


class Drinking(Task):
    """Stop and take a coffee"""

    #: Sips in a cup.
    sips: int = 3
    #: Seconds between two sips.
    pause: float = 0.3

    def run(self) -> None:
        """Empty the cup; the service ends when this returns."""
        for left in reversed(range(self.sips)):
            if self.wait(self.pause):
                return
            self.notify("updated", items={"says": f"a sip, {left} left" if left else "the cup is empty"})
