"""From a service list to a plan: checks names, lays out, renders, looks at the disk, decides.

Knows every file of this room, which do not know each other; writes nothing.
"""

from __future__ import annotations

from pathlib import Path

from context_bus.config.faults import FaultList
from context_bus.config.meta_reader import read_meta_node
from context_bus.config.model import MetaConf
from context_bus.config.tree import meta_node
from context_bus.errors import ConfigurationError
from context_bus.scaffold.join import join_context
from context_bus.scaffold.layout import Layout, context_of, layout_of
from context_bus.scaffold.names import faults_of
from context_bus.scaffold.plan import Plan, plan_files
from context_bus.scaffold.render import render
from context_bus.scaffold.write import look


def plan_services(conf: MetaConf, *, base: Path, asynchronous: bool = False, force: bool = False) -> Plan:
    """Plan the files of a service list.

    Args:
        conf: The list, from a file or from flags.
        base: Absolute directory that relative paths of the list are relative to.
        asynchronous: Whether the tasks run as coroutines.
        force: Whether existing Python files are written anew.

    Returns:
        The plan, for ``write.apply``; its faults are refusals.

    Raises:
        ConfigurationError: A name cannot be used, or a file that exists cannot be read.
    """
    _check(conf)
    layout = layout_of(conf, base)
    drafts = render(conf, layout, asynchronous=asynchronous)
    existing = look([*(draft.path for draft in drafts), layout.context])
    merged = join_context(context_of(conf, layout), existing.get(layout.context))
    return plan_files(drafts, (layout.context, merged), existing, force=force)


def _check(conf: MetaConf) -> None:
    """Raise every fault of a list, be it one of a file, whose reader has checked it, or of flags."""
    found = FaultList(conf.file or "command line")
    if not conf.file:
        read_meta_node(meta_node(conf), found)
    told = {fault.element for fault in found.faults}
    if faults := [*found.faults, *(fault for fault in faults_of(conf) if fault.element not in told)]:
        raise ConfigurationError(faults)


def remarks_on(conf: MetaConf, base: Path) -> list[str]:
    """Name the services whose location is not where their files are written.

    That is no error: files may be written here and deployed there.
    """
    layout = layout_of(conf, base)
    found = {
        service.location or layout.location: service
        for service in conf.services
        if not _is_same(layout, service.location or layout.location)
    }
    return [
        f"location {location} of service {service.task_id} is not where its files are written; "
        f"bring {layout.services / service.task_service} there before you start the context"
        for location, service in found.items()
    ]


def _is_same(layout: Layout, location: str) -> bool:
    """Whether the context file finds the services where they are written."""
    return (layout.context.parent / location).resolve() == layout.services.resolve()
