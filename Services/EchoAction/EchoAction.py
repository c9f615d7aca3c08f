"""The task of service EchoAction."""

from datetime import datetime

from context_bus import Task


class EchoShouting(Task):
    """An echo action is for shouting the time after counting 10s"""

    #: Seconds to count; a <period> in the service's <configuration> changes it.
    period: float = 10.0

    def run(self) -> None:
        """Count and shout the time, again and again until the service is stopped."""
        while not self.wait(self.period):
            shout = f"IT IS {datetime.now():%H:%M:%S}!"
            self.logger.info(shout)
            self.notify("updated", items={"shout": shout})
