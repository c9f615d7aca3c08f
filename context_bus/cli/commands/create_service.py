"""``create-service``: writes the skeleton of one service by flags, or of many by a list.

Knows the scaffold and the reader of lists; the service list decides everything else.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import FileInProject, json_option
from context_bus.cli.output import remark, say, say_json
from context_bus.errors import ConfigurationError

if TYPE_CHECKING:
    from context_bus.config.model import MetaConf
    from context_bus.scaffold.plan import Plan, PlannedFile

#: Options of one service; a list says these itself.
SERVICE_OPTIONS = (
    "task_service",
    "task_class",
    "task_file",
    "task_type",
    "task_desc",
    "service_name",
    "task_id",
    "device_action",
    "entry_action",
)
#: Options of the context; they win over what a list says.
CONTEXT_OPTIONS = (
    "service_path",
    "home_path",
    "location",
    "context_name",
    "context_id",
    "server_ip",
    "sub_port",
    "pub_port",
)
#: Options that are paths of this machine.
PATH_OPTIONS = ("service_path", "home_path")
#: Options without which no service can be made.
REQUIRED = (
    "service_path",
    "task_service",
    "task_desc",
    "context_name",
    "service_name",
    "server_ip",
    "sub_port",
    "pub_port",
    "task_id",
)
#: Word for each step once it is done.
DONE = {"create": "created", "keep": "kept", "merge": "merged", "overwrite": "overwritten"}
#: Colour of each step in the tree.
STEP_COLOURS = {"create": "green", "merge": "cyan", "overwrite": "yellow", "refuse": "red"}
#: Colour of each kind of line in a diff.
DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command(
    "create-service",
    epilog=examples(
        "context-bus create-service --service_path=/tmp/my --task_service=Hello --task_class=Greeter"
        " --task_desc='Says hello' --context_name=Hello --service_name=hello --server_ip=127.0.0.1"
        " --sub_port=5556 --pub_port=5557 --task_id=ts_100",
        "context-bus create-service --xml_file=Conf/Services-StateMachine.xml --dry_run",
    ),
)
@click.option("--service_path", metavar="DIR", help="Absolute path of the directory that gets Services/.")
@click.option("--xml_file", type=FileInProject(), help="List of services (MetaServiceConf) to make.")
@click.option("--task_service", metavar="NAME", help="Name of the service: its directory and its class.")
@click.option("--task_class", metavar="NAME", help="Class that does the work.  [default: task_service]")
@click.option("--task_desc", metavar="TEXT", help="What the task does, for people.")
@click.option("--context_name", metavar="NAME", help="Name of the context and of its file.")
@click.option("--service_name", metavar="NAME", help="Name that messages are matched on.")
@click.option("--server_ip", metavar="ADDRESS", help="Address of the forwarder.")
@click.option("--sub_port", type=int, metavar="PORT", help="Port that subscribers connect to.")
@click.option("--pub_port", type=int, metavar="PORT", help="Port that publishers connect to.")
@click.option("--task_id", metavar="ID", help="Id of the service in its context.")
@click.option("--device_action", metavar="WORD", help="Word that the service's messages bear.")
@click.option(
    "--entry_action",
    type=click.Choice(["on_start", "start_now", "on_update", "on_fail", "on_exit"]),
    help="When it runs: on_start with the context, others when started.  [default: on_start]",
)
@click.option("--home_path", metavar="DIR", help="Directory that gets Conf/.  [default: service_path]")
@click.option("--context_id", metavar="ID", help="Id of the context.  [default: context001]")
@click.option("--task_file", metavar="NAME", help="File of the class.  [default: task_service]")
@click.option(
    "--task_type",
    type=click.Choice(["Looped", "Single"]),
    help="Whether the task works periodically or once.  [default: Looped]",
)
@click.option("--async", "asynchronous", is_flag=True, help="Make run() a coroutine.")
@click.option("--location", metavar="DIR", help="Where the context finds the services.  [default: Services/]")
@click.option("--force", is_flag=True, help="Write existing Python files anew; the work in them is lost.")
@click.option("--dry_run", is_flag=True, help="Show what would be written, as a tree and diffs.")
@json_option("Print the plan as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    xml_file: Path | None,
    asynchronous: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    **values: str | int | None,
) -> None:
    """Write the skeleton of task services: three Python files each, and their context file.

    Code that exists is never touched, and a context file is only added to, so the command may be
    repeated at will.
    """
    from context_bus.scaffold.create import plan_services, remarks_on
    from context_bus.scaffold.write import apply

    given = {name: value for name, value in values.items() if value is not None}
    base = xml_file.resolve().parent if xml_file else Path.cwd()
    conf = _from_list(ctx, xml_file, given) if xml_file else _from_flags(ctx, given)
    plan = plan_services(conf, base=base, asynchronous=asynchronous, force=force)
    if not dry_run:
        apply(plan)
    if as_json:
        say_json(_as_data(plan, dry_run))
    else:
        _show(plan, dry_run)
    for text in remarks_on(conf, base):
        remark(f"note: {text}")
    if plan.faults:
        raise ConfigurationError(plan.faults)
    if not as_json and not dry_run:
        _say_next(ctx, conf, plan)


def _from_flags(ctx: click.Context, given: Mapping[str, Any]) -> MetaConf:
    """The list of one service that the flags stand for."""
    from context_bus.config.model import MetaConf, MetaService, TaskType

    if missing := [f"--{name}" for name in REQUIRED if name not in given]:
        raise click.UsageError(f"missing {', '.join(missing)} (or --xml_file)", ctx)
    task_type = TaskType(given.get("task_type", TaskType.LOOPED))
    service = MetaService(**{**_only(given, SERVICE_OPTIONS), "task_type": task_type})
    paths = {name: _expanded(given[name]) for name in PATH_OPTIONS if name in given}
    return MetaConf(**{**_only(given, CONTEXT_OPTIONS), **paths, "services": (service,)})


def _from_list(ctx: click.Context, file: Path, given: Mapping[str, Any]) -> MetaConf:
    """The list in a file; what the flags say about the context wins.

    A list that is moved to another ``--service_path`` moves as a whole: its own home and locations
    are meant for where it was.
    """
    from context_bus.config.load import read_meta

    if odd := [f"--{name}" for name in SERVICE_OPTIONS if name in given]:
        raise click.UsageError(f"{', '.join(odd)}: the services are in {file}; give one or the other", ctx)
    changes = _only(given, CONTEXT_OPTIONS)
    for name in PATH_OPTIONS:
        if name in given and not os.path.isabs(path := _expanded(given[name])):
            # Meant from here, whereas the list's own paths are meant from the list.
            changes[name] = os.path.relpath(path, file.resolve().parent)
    if "service_path" in given:
        changes = {"home_path": "", "location": "", **changes}
    conf = replace(read_meta(file), **changes)
    if "location" not in changes:
        return conf
    return replace(conf, services=tuple(replace(service, location="") for service in conf.services))


def _only(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _expanded(path: str) -> str:
    """The path with ``~`` resolved: a shell leaves it alone behind ``--service_path=``."""
    return os.path.expanduser(path)


def _as_data(plan: Plan, dry_run: bool) -> dict[str, object]:
    """The plan as JSON has it."""
    return {
        "written": [] if dry_run else [str(file.path) for file in plan.changes],
        "files": [
            {"path": str(file.path), "step": str(file.step), "why": file.why, "diff": "\n".join(file.diff())}
            for file in plan.files
        ],
        "faults": [str(fault) for fault in plan.faults],
    }


def _show(plan: Plan, dry_run: bool) -> None:
    """Print the files as a tree, and what would change in them."""
    words = DONE if not dry_run and not plan.faults else {}
    root = Path(os.path.commonpath([file.path for file in plan.files]))
    branches = list(_branches(plan.files, root, ""))
    width = max(len(branch) for branch, _ in branches) + 2
    say(f"{root}/")
    for branch, file in branches:
        if file is None:
            say(branch)
            continue
        step = click.style(words.get(file.step, str(file.step)), fg=STEP_COLOURS.get(file.step))
        say(f"{branch:{width}}{step}" + (f" ({file.why})" if file.why else ""))
    for file in plan.files if dry_run else ():
        for line in file.diff():
            say(click.style(line, fg=DIFF_COLOURS.get(line[:1])))


def _branches(
    files: Sequence[PlannedFile], root: Path, indent: str
) -> Iterator[tuple[str, PlannedFile | None]]:
    """The lines of a tree below ``root``, each with its file; directories have none."""
    by_name: dict[str, list[PlannedFile]] = {}
    for file in files:
        by_name.setdefault(file.path.relative_to(root).parts[0], []).append(file)
    for number, (name, below) in enumerate(sorted(by_name.items()), 1):
        last = number == len(by_name)
        branch = f"{indent}{'└── ' if last else '├── '}{name}"
        if below[0].path == root / name:
            yield branch, below[0]
        else:
            yield f"{branch}/", None
            yield from _branches(below, root / name, indent + ("    " if last else "│   "))


def _say_next(ctx: click.Context, conf: MetaConf, plan: Plan) -> None:
    """Print the commands that run what was made, as the user would type them."""
    path = plan.files[-1].path
    file = shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
    called = ctx.find_root().info_name or ""
    tools, is_tool, _ = called.rpartition("create_service.py")
    run, start = (
        f"{tools}{name}.py" if is_tool else f"context-bus {name.replace('_', '-')}"
        for name in ("service_context", "conf_command")
    )
    say(f"Run it:   {run} {file}")
    say(
        f"Start it: {start} --endpoint=tcp://{conf.server_ip}:{conf.pub_port} --context_file={file}"
        f" --service_name=context --service_id={conf.context_id} --transaction= --action=start"
    )
