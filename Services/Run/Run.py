"""The task of service Run."""

from context_bus import Task


class Running(Task):
    """Start running"""

    #: Metres to run.
    metres: int = 30
    #: Metres in a second.
    speed: float = 30.0

    def run(self) -> None:
        """Run ten metres at a time; the service ends when this returns."""
        for metres in range(10, self.metres + 1, 10):
            if self.wait(10 / self.speed):
                return
            self.notify("updated", items={"says": f"{metres} m"})
        self.logger.info("arrived after %d m", self.metres)
