"""The task of service Stand."""

from context_bus import Task


class Standing(Task):
    """Stand up without doing anything"""

    #: Seconds to stand.
    seconds: float = 1.0

    def run(self) -> None:
        """Stand for a while; the service ends when this returns."""
        self.notify("updated", items={"says": f"I stand for {self.seconds:g} s"})
        self.wait(self.seconds)
