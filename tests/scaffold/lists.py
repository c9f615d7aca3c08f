"""Service lists that the tests of the scaffold share."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from context_bus.config.model import Action, MetaConf, MetaService, TaskType, Transition, Trigger
from context_bus.config.node import illegal_character

#: A list as the original package's own test had it: a task that ends and starts a deferred one, and a loop.
MORNING = """<?xml version="1.0" encoding="utf-8"?>
<!-- A list of services -->
<MetaServiceConf>
  <context_name>Morning</context_name>
  <server_ip>127.0.0.1</server_ip>
  <sub_port>22220</sub_port>
  <pub_port>22221</pub_port>
  <context_id>context001</context_id>
  <home_path>{home}</home_path>
  <service_path>{home}</service_path>
  <log_on>0</log_on>
  <Service task_type='Single'>
    <task_service>GetUp</task_service>
    <task_class>GetUp</task_class>
    <task_desc>Gets up every morning</task_desc>
    <service_name>sunrise</service_name>
    <task_id>ts001</task_id>
    <task_topic>process</task_topic>
    <device_action>standing</device_action>
    <entry_action>on_start</entry_action>
    <location>{home}/Services</location>
    <state><trigger>on_start</trigger><action></action><state_id></state_id></state>
    <state><trigger>on_update</trigger><action></action><state_id></state_id></state>
    <state><trigger>on_fail</trigger><action></action><state_id></state_id></state>
    <state><trigger>on_exit</trigger><action>start</action><state_id>ts002</state_id></state>
  </Service>
  <Service>
    <task_service>ReadMail</task_service>
    <task_class>ReadMail</task_class>
    <task_desc>Reads the mail on the phone</task_desc>
    <service_name>inbox</service_name>
    <task_id>ts002</task_id>
    <task_topic>process</task_topic>
    <device_action>mail_reader</device_action>
    <entry_action>on_update</entry_action>
  </Service>
  <Service task_type='Looped'>
    <task_service>Breakfast</task_service>
    <task_class>Eating</task_class>
    <task_file>Cornflakes</task_file>
    <task_desc>Eats a bowl of cornflakes</task_desc>
    <service_name>kitchen</service_name>
    <task_id>ts003</task_id>
    <task_topic>process</task_topic>
    <device_action>bowl</device_action>
    <entry_action>on_start</entry_action>
  </Service>
</MetaServiceConf>
"""

#: Free text as XML can carry it; what has a meaning in Python, XML or Jinja comes often.
TEXTS = (
    st.text(st.sampled_from("\"\\'\n&<>{}%#aN \u202e"), max_size=20)
    | st.text(st.characters(exclude_categories=["Cs"]))
).filter(lambda text: not illegal_character(text))


def morning(home: Path) -> str:
    """The list, to be scaffolded below ``home``."""
    return MORNING.format(home=home)


def service(**changes: object) -> MetaService:
    """One service, with what a test wants otherwise."""
    values: dict[str, object] = {
        "task_service": "EchoAction",
        "task_class": "EchoShouting",
        "task_desc": "Shouts",
        "service_name": "echo_action",
        "task_id": "ts_100",
        "device_action": "shout",
    }
    return MetaService(**{**values, **changes})  # type: ignore[arg-type]


def service_list(home: Path, *services: MetaService, **changes: object) -> MetaConf:
    """A list of these services, or of one."""
    values: dict[str, object] = {
        "context_name": "EchoAction",
        "server_ip": "127.0.0.1",
        "sub_port": 5556,
        "pub_port": 5557,
        "service_path": str(home),
        "services": services or (service(),),
    }
    return MetaConf(**{**values, **changes})  # type: ignore[arg-type]


def chain() -> tuple[MetaService, MetaService]:
    """Two services, the first of which starts the second when it ends."""
    start = Transition(Trigger.ON_EXIT, Action.START, ("ts_101",))
    first = service(task_type=TaskType.SINGLE, transitions=(start,))
    return first, service(task_service="Next", task_class="", task_id="ts_101", entry_action="on_exit")
