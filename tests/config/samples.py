"""Texts the tests of this room share: a context of three services and lists in both syntaxes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from context_bus.config.load import parse_context
from context_bus.errors import ConfigurationError, Fault

SERVICE = """  <TaskService id="{id}" instance="{instance}" serviceType="Process" topic="process">
    <Task>
      <description>
        {description}
      </description>
      <message>
        <header>
          <action>start</action>
          <service_name>{name}</service_name>
        </header>
        <content>
          <configuration>
            <device_action>{device_action}</device_action>
            <location>/opt/morning/Services</location>
          </configuration>
        </content>
      </message>
      <state type="{type}">
        <on_start><action /><call /></on_start>
        <on_update><action /><call /></on_update>
        <on_fail><action /><call /></on_fail>
        <on_exit><action>{action}</action><call>{call}</call></on_exit>
      </state>
    </Task>
  </TaskService>
"""

HEAD = """<?xml version='1.0' encoding='utf8'?>
<Context>
  <FrontEndEndpoint>tcp://127.0.0.1:22220</FrontEndEndpoint>
  <BackendEndpoint>tcp://127.0.0.1:22221</BackendEndpoint>
  <FrontBind>tcp://*:22221</FrontBind>
  <BackendBind>tcp://*:22220</BackendBind>
  <ContextID>context001</ContextID>
  <TaskLogName>Morning</TaskLogName>
"""


def service(service_id: str, instance: str, **changes: str) -> str:
    """A ``TaskService`` element as the tools of old wrote it."""
    fields = {
        "description": f"does {instance}",
        "name": instance.lower(),
        "device_action": f"to_{instance.lower()}",
        "type": "on_start",
        "action": "",
        "call": "",
    }
    return SERVICE.format(id=service_id, instance=instance, **(fields | changes))


def context(*services: str, head: str = HEAD) -> str:
    """A whole context file."""
    return head + "".join(services) + "</Context>\n"


#: What the tools of old generated from their sample, in shape: one successor, one deferred, binds on *.
THREE = context(
    service("ts001", "WakeUp", action="start", call="ts002"),
    service("ts002", "CheckEmails", type="on_update"),
    service("ts003", "DrinkCoffee"),
)

MONITOR = """  <TaskService id="ts000" instance="Monitor" serviceType="Process" topic="process">
    <Task>
      <message>
        <header><action>start</action><service_name>monitor</service_name></header>
        <content><configuration>
          <device_action>task_monitor</device_action>
          <service><endpoint>tcp://127.0.0.1:6558</endpoint><frequency_s>30.0</frequency_s></service>
          <monitor_options><memory_maps>1</memory_maps></monitor_options>
        </configuration></content>
      </message>
      <state type="on_start"><on_fail><action>restart</action><call>ts000</call></on_fail></state>
    </Task>
  </TaskService>
"""

LIST_HEAD = """<MetaServiceConf>
  <context_name>StateMachineSample</context_name>
  <server_ip>127.0.0.1</server_ip>
  <sub_port>5556</sub_port>
  <pub_port>5557</pub_port>
  <service_path>/path-to-services-home/</service_path>
"""


def list_service(service_id: str, name: str, *, extra: str = "", states: str = "") -> str:
    """A ``Service`` element with the four empty states of the tutorial."""
    if not states:
        states = "".join(
            f"    <state>\n      <trigger>{trigger}</trigger>\n      <action></action>\n"
            "      <state_id></state_id>\n    </state>\n"
            for trigger in ("on_start", "on_update", "on_fail", "on_exit")
        )
    return (
        "\n  <Service>\n"
        f"    <task_service>{name}</task_service>\n"
        f"    <task_class>{name}ing</task_class>\n"
        f"    <task_desc>{name} along</task_desc>\n"
        "    <service_name>state_update</service_name>\n"
        f"    <task_id>{service_id}</task_id>\n"
        "    <device_action>pass_state</device_action>\n"
        "    <task_topic>process</task_topic>\n"
        "    \n"
        "    <entry_action>on_start</entry_action>\n"
        f"{states}  </Service>\n{extra}"
    )


#: The sample of the tutorial, fault for fault: a closing tag too many after all services but the first.
SURPLUS = (
    LIST_HEAD
    + list_service("ts_100", "Stand")
    + list_service("ts_101", "Walk", extra="  </Service>\n")
    + list_service("ts_102", "DrinkCoffee", extra="  </Service>\n")
    + list_service("ts_103", "Run", extra="  </Service>\n")
    + "</MetaServiceConf>\n"
)


def line_of(text: str, part: str) -> int:
    """Line in which a part stands first."""
    return text[: text.index(part)].count("\n") + 1


def faults_of(read: Callable[[], object]) -> tuple[Fault, ...]:
    """The faults that reading raises."""
    with pytest.raises(ConfigurationError) as caught:
        read()
    return caught.value.faults


def context_faults(text: str, file: str = "c.xml") -> tuple[Fault, ...]:
    """The faults of a context file."""
    return faults_of(lambda: parse_context(text.encode(), file))


#: Endpoints that need no --insecure.
LOCAL_HEAD = HEAD.replace("tcp://*", "tcp://127.0.0.1")


def kept(inner: str, service_id: str = "ts_1", service_type: str = "Process") -> str:
    """A service with a ``<supervision>`` of these elements; a command runs ``sleep 5``."""
    task = "<Task><message><header><service_name>n</service_name></header></message></Task>"
    begin = f'<TaskService id="{service_id}" serviceType="{service_type}"'
    begin += "><command>sleep 5</command>" if service_type == "Command" else f' instance="Some">{task}'
    return f"{begin}\n<supervision>{inner}</supervision></TaskService>\n"


def kept_context(*services: str, defaults: str = "") -> str:
    """A context of such services, with elements that hold for all of them."""
    return context(
        *services, head=LOCAL_HEAD + (f"<supervision>{defaults}</supervision>\n" if defaults else "")
    )
