"""The service of instance Monitor, as the provider names it. Wires what a monitor needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from context_bus.config.model import Value
from context_bus.config.monitor import MonitorConf, monitor_conf
from context_bus.monitor.keeper import Keeper, Keeping, Tell
from context_bus.monitor.place import address_for
from context_bus.monitor.task import Monitor
from context_bus.service.task import Link, Task, make_task
from context_bus.service.taskservice import BuiltInService


class ServiceMonitor(BuiltInService):
    """Watches the processes of one transaction."""

    task_class: ClassVar[type[Task]] = Monitor

    def make_task(self, link: Link, configuration: Mapping[str, Value]) -> Task:
        """Build the monitor as the configuration says.

        Raises:
            ConfigurationError: The configuration has faults.
            StoreError: The URL of the store names none.
        """
        conf = monitor_conf(configuration, link.service_id)
        insecure = self.boot.built_in is not None and self.boot.built_in.insecure
        keeper = self._keeper(link, conf) if conf.store_records else None
        return make_task(self.task_class, link, {"conf": conf, "keeper": keeper, "insecure": insecure})

    def _keeper(self, link: Link, conf: MonitorConf) -> Keeper | None:
        given = self.boot.built_in
        if given is None or not given.state:
            link.logger.warning("records are not kept: this provider keeps no state")
            return None
        address = address_for(given.file, given.state, given.store)
        keeping = Keeping(conf.retention, conf.store_limit)
        return Keeper(address, link.transaction, keeping, _telling(link))


def _telling(link: Link) -> Tell:
    """Tell of trouble in the log and to the provider; of its end with a word that fires no transition."""

    def tell(reason: str, lost: int) -> None:
        if reason:
            link.logger.warning("records wait: %s", reason)
            link.notify("updated", "failed", {"reason": f"records wait: {reason}"})
            return
        link.logger.warning("records are kept again: lost=%d", lost)
        link.notify("updated", "recovered", {"reason": f"records are kept again, {lost} are lost"})

    return tell
