"""Lists of services as create_service reads them, written as the documents write them.

Knows the MetaServiceConf file; imports nothing of context_bus.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

from tests.e2e.project import Project, run_tool

_STATE = "    <state><trigger>{0}</trigger><action>{1}</action><state_id>{2}</state_id></state>\n"


def service_xml(
    name: str,
    task_id: str,
    service_name: str,
    *,
    device_action: str = "",
    entry: str = "on_start",
    task_type: str = "",
    description: str = "A service of a test",
    on_exit: tuple[str, str] = ("", ""),
) -> str:
    """One ``Service`` of a list, with its four states as the document writes them."""
    kind = f" task_type='{task_type}'" if task_type else ""
    states = "".join(_STATE.format(trigger, "", "") for trigger in ("on_start", "on_update", "on_fail"))
    return (
        f"  <Service{kind}>\n"
        f"    <task_service>{name}</task_service>\n"
        f"    <task_class>{name}</task_class>\n"
        f"    <task_desc>{escape(description)}</task_desc>\n"
        f"    <service_name>{service_name}</service_name>\n"
        f"    <task_id>{task_id}</task_id>\n"
        f"    <task_topic>process</task_topic>\n"
        f"    <device_action>{device_action}</device_action>\n"
        f"    <entry_action>{entry}</entry_action>\n"
        f"{states}{_STATE.format('on_exit', *on_exit)}"
        "  </Service>\n"
    )


def list_xml(project: Project, name: str, services: str, *, context_id: str = "context001") -> Path:
    """Write a list of services for a project; an empty context id leaves the element out."""
    file = project.conf / f"Services-{name}.xml"
    identity = f"  <context_id>{context_id}</context_id>\n" if context_id else ""
    file.write_text(
        "<!-- a list of services -->\n<MetaServiceConf>\n"
        f"  <context_name>{name}</context_name>\n"
        "  <server_ip>127.0.0.1</server_ip>\n"
        f"  <sub_port>{project.sub_port}</sub_port>\n  <pub_port>{project.pub_port}</pub_port>\n"
        f"{identity}"
        f"  <home_path>{project.directory}</home_path>\n"
        f"  <service_path>{project.directory}</service_path>\n  <log_on>0</log_on>\n"
        f"{services}</MetaServiceConf>\n"
    )
    return file


def morning_xml() -> str:
    """The three services of the original's sample list."""
    return (
        service_xml(
            "WakeUp",
            "ts001",
            "morning_glory",
            device_action="standing_up",
            task_type="Single",
            description="Wakes up every morning",
            on_exit=("start", "ts002"),
        )
        + service_xml(
            "CheckEmails",
            "ts002",
            "open_inbox",
            device_action="email_checker",
            entry="on_update",
            description="Check emails from your mobile",
        )
        + service_xml(
            "DrinkCoffee",
            "ts003",
            "drink_espresso",
            device_action="single_espresso",
            task_type="Looped",
            description="Take a cup of coffee",
        )
    )


def create(file: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run create_service on a list."""
    return run_tool("create_service.py", f"--xml_file={file}", *args, cwd=file.parent.parent)
