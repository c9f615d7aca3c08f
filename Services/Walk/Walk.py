"""The task of service Walk."""

from context_bus import Task


class Walking(Task):
    """Walk along the street"""

    #: Steps to walk.
    steps: int = 4
    #: Seconds a step takes.
    pace: float = 0.25

    def run(self) -> None:
        """Walk step by step; the service ends when this returns."""
        for step in range(1, self.steps + 1):
            if self.wait(self.pace):
                return
            self.notify("updated", items={"says": f"step {step} of {self.steps}"})
