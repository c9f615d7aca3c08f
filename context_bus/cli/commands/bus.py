"""``context-bus bus``: look at the topics of any bus, in the manner of the ROS 2 and NATS command lines."""

from __future__ import annotations

from context_bus.cli.lazy import LazyGroup, examples

command = LazyGroup(
    "bus",
    package="context_bus.cli.commands",
    prefix="bus-",
    table={
        "echo": "Print messages, filtered, field by field, raw or as JSON.",
        "pub": "Publish a message once, several times or at a rate.",
        "last": "Print the last message that each sender keeps.",
        "req": "Ask, and print the reply.",
        "top": "Show the traffic by topic and sender: rates, losses, delays.",
        "list": "List the topics: who sends, whether anybody listens, how much.",
        "hz": "Measure how many messages a second a topic carries.",
        "bw": "Measure how many bytes a second a topic carries.",
        "record": "Record topics into a file.",
        "play": "Publish a recording again, at its pace or another.",
        "info": "Say what is in a recording.",
        "latency": "Measure the way to the forwarder and back.",
    },
    help="Look at the topics of any bus.",
    epilog=examples(
        "{command} echo control --once --context_file=Conf/Context-EchoAction.xml",
        "{command} latency --count=200",
        "{command} pub weather '{\"celsius\": 21.5}'",
    ),
)
