"""The faults by name, in the families of the table, and where each can be injected. Does nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.faults import hostile, killing, starving
from tests.faults.findings import Finding
from tests.faults.hand import Hand
from tests.faults.subject import Subject

#: What is done to a provider.
Fault = Callable[[Hand], list[Finding]]

#: Faults by name, in families.
FAMILIES: Mapping[str, Mapping[str, Fault]] = {
    "kill": {
        "kill service": killing.service,
        "kill service and child": killing.child,
        "kill all services": killing.everyone,
        "kill forwarder": killing.forwarder,
        "kill writer": killing.writer,
        "kill guardian": killing.guardian,
        "kill provider": killing.provider,
        "kill provider and guardian": killing.both,
        "kill at a state change": killing.change,
    },
    "freeze": {
        "stop service": killing.frozen,
        "stop service with heartbeat": killing.hung,
        "stop provider": killing.frozen_provider,
        "stop guardian": killing.frozen_guardian,
        "stop forwarder": killing.frozen_forwarder,
        "stop writer": killing.frozen_writer,
        "stop guardian, kill provider": killing.frozen_both,
    },
    "writes": {"kill provider during a command": killing.during_command},
    "leaks": {"kill one service 15 times": killing.storm},
    "model": {"commands at random": killing.commands},
    "services": {"hostile service": hostile.service},
    "clients": {
        "hostile frames": hostile.frames,
        "hostile connections": hostile.connections,
        "command twice": hostile.replayed,
        "kill who commands": killing.commander,
    },
    "exhaustion": {
        "locked store": starving.locked,
        "full disk": starving.full_disk,
        "full disk, kill provider": starving.full_disk_and_kill,
        "no descriptors for the provider": starving.descriptors_of_provider,
        "no descriptors for the guardian": starving.descriptors_of_guardian,
        "no processes for the guardian": starving.processes,
        "no threads and no processes": starving.threads,
    },
}
#: Family of each fault.
FAMILY_OF = {name: family for family, group in FAMILIES.items() for name in group}
#: Those that need a small disk.
_ON_SMALL_DISK = frozenset({"full disk", "full disk, kill provider"})
#: Those that need a user whose processes are counted.
_AS_SOMEBODY = frozenset({"no processes for the guardian", "no threads and no processes"})


def faults_for(subject: Subject, family: str) -> dict[str, Fault]:
    """What can be done to a subject.

    Args:
        subject: To whom.
        family: Only of this family; empty for all.
    """
    lacking = set() if subject.is_mounted else set(_ON_SMALL_DISK)
    if not subject.manner.is_poor:
        lacking |= _AS_SOMEBODY
    if subject.manner.keeps:
        # A guardian that keeps services and does not answer is not replaced: the next provider
        # says so, and ends.
        lacking.add("stop guardian, kill provider")
    return {
        name: fault
        for group in FAMILIES.values()
        for name, fault in group.items()
        if family in ("", FAMILY_OF[name]) and name not in lacking
    }
