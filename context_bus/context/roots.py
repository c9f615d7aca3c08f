"""Where a context's services may come from. Knows paths; must not import anything from them.

A command on the bus names a directory to run code from, so the directory has to be one that the user
of the provider has trusted: where the file's own services are, beside the file, or named by a flag.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from context_bus.config.locations import allowed_roots, is_allowed, resolve_location
from context_bus.config.model import ContextConf, ServiceType, TaskServiceConf, is_built_in


def home_of(conf: ContextConf) -> Path:
    """Where relative paths of a file start."""
    return Path(conf.file or "context.xml").absolute().parent


class Roots:
    """The directories that a provider trusts.

    Args:
        conf: The context file.
        allowed: Directories that the user names besides; relative ones start at the working directory.
    """

    def __init__(self, conf: ContextConf, allowed: Iterable[str | Path] = ()) -> None:
        #: The context file, as the user gave it.
        self.file = conf.file
        #: Where relative paths of the file start.
        self.home = home_of(conf)
        self.trust(conf)
        self._roots = tuple(
            dict.fromkeys([*allowed_roots(conf), *(Path(each).resolve() for each in allowed)])
        )

    def trust(self, conf: ContextConf) -> None:
        """Trust the programs, users and paths of a file: any other that a message names could be anything."""
        self._powers = [_powers(each) for each in conf.services]

    def resolve(self, service: TaskServiceConf) -> Path:
        """Directory that holds the directory of a service, absolute."""
        return resolve_location(self.file, service.location)

    def refuse(self, service: TaskServiceConf) -> str:
        """Judge where a service comes from.

        Returns:
            Why it is refused; empty if it is not.
        """
        if (powers := _powers(service)) != _NONE and powers not in self._powers:
            return (
                f"service {service.id} names programs, users or paths that the provider's own file does not; "
                "edit that file and reload it"
            )
        if service.service_type is ServiceType.COMMAND or is_built_in(service):
            return ""
        if not service.location:
            return f"service {service.id} has no location; name the directory that holds {service.instance}/"
        location = self.resolve(service)
        if is_allowed(location / service.instance, self._roots):
            return ""
        roots = ", ".join(map(str, self._roots)) or "none"
        return (
            f"location {location} of service {service.id} is outside the allowed directories ({roots}); "
            f"start the provider with --allow_location={location} if it is to be trusted"
        )


def _powers(service: TaskServiceConf) -> tuple[object, ...]:
    """What of a definition can run a program, become a user, or read or write a file."""
    kept = service.supervision
    commands = (kept.readiness.probe.command, kept.liveness.probe.command if kept.liveness else ())
    file = kept.feedback.file if kept.feedback else ""
    return (service.command, *commands, kept.surroundings, kept.output, file)


#: A definition that can do none of it.
_NONE = _powers(TaskServiceConf("", "", ""))
