"""The YAML twin says what the XML says, and its faults have lines as well."""

from __future__ import annotations

import random
import time

import pytest

from context_bus.config.load import parse_context, parse_meta

from .samples import THREE, faults_of

TWIN = """\
# The twin of a context file: names are the same, lists are lists.
Context:
  FrontEndEndpoint: tcp://127.0.0.1:22220
  BackendEndpoint: tcp://127.0.0.1:22221
  FrontBind: tcp://*:22221
  BackendBind: tcp://*:22220
  TaskLogName: Morning
  TaskService:
    - id: ts001
      instance: WakeUp
      Task:
        description: does WakeUp
        message:
          header: {service_name: wakeup}
          content:
            configuration:
              device_action: to_wakeup
              location: /opt/morning/Services
        state:
          on_exit: {action: start, call: ts002}
    - id: ts002
      instance: CheckEmails
      Task:
        description: does CheckEmails
        message:
          header: {service_name: checkemails}
          content:
            configuration:
              device_action: to_checkemails
              location: /opt/morning/Services
        state: {type: on_update}
    - id: ts003
      instance: DrinkCoffee
      Task:
        description: does DrinkCoffee
        message:
          header: {service_name: drinkcoffee}
          content:
            configuration:
              device_action: to_drinkcoffee
              location: /opt/morning/Services
"""


def messages(text: str | bytes, file: str = "c.yaml") -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    return [str(fault) for fault in faults_of(lambda: parse_context(data, file))]


def line_of(part: str, text: str = TWIN) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_twin_equals_the_xml():
    """One model, whatever it was written in; lines are those of the services."""
    conf = parse_context(TWIN.encode(), "c.yaml")
    assert conf == parse_context(THREE.encode(), "c.xml")
    assert [each.line for each in conf.services] == [
        line_of("id: ts001"),
        line_of("id: ts002"),
        line_of("id: ts003"),
    ]


def test_syntax_is_told_by_suffix_or_first_character():
    """A file without a suffix is read all the same."""
    assert parse_context(TWIN.encode(), "c") == parse_context(THREE.encode(), "c")
    assert parse_context(b"\xef\xbb\xbf" + THREE.replace("'utf8'", "'utf-8'").encode(), "c").services
    assert "not YAML" in messages(THREE, "c.yaml")[0] or "expected at the top" in messages(THREE, "c.yaml")[0]


def test_scalars_keep_their_text():
    """No value is turned into a number, a date or a truth: XML knows text only, and so do tasks."""
    settings = (
        "a: 1.50\n b: on\n c: 0123\n d: 2020-01-01\n e: 'null'\n f: null\n g:\n h: ~\n i: [1, 'x']\n"
        " j: [only]\n k: []\n l: {m: {n: [x, {o: p}]}}\n q: |\n  two\n  lines\n"
    ).replace("\n ", "\n" + " " * 14)
    text = TWIN.replace("device_action: to_wakeup", settings.rstrip() + "\n              r: end")
    values = parse_context(text.encode(), "c.yaml").services[0].configuration
    assert values == {
        "a": "1.50", "b": "on", "c": "0123", "d": "2020-01-01", "e": "null", "f": "", "g": "", "h": "",
        "i": ["1", "x"], "j": "only", "l": {"m": {"n": ["x", {"o": "p"}]}}, "q": "two\nlines", "r": "end",
        "location": "/opt/morning/Services",
    }  # fmt: skip


def test_single_service_needs_no_list():
    """As in XML, one is one."""
    text = (
        TWIN[: TWIN.index("    - id: ts002")]
        .replace("    - id", "      id")
        .replace(", call: ts002", ", call: ts001")
    )
    assert [each.id for each in parse_context(text.encode(), "c.yaml").services] == ["ts001"]


def test_service_list_has_a_twin():
    """The list for the scaffold may be YAML, too."""
    text = (
        "MetaServiceConf:\n  context_name: X\n  server_ip: 127.0.0.1\n  sub_port: 5556\n  pub_port: 5557\n"
        "  service_path: /x\n  Service:\n    task_service: Stand\n    service_name: stand\n"
        "    task_id: ts_100\n"
        "    state: [{trigger: on_exit, action: start, state_id: ts_100}]\n"
    )
    conf = parse_meta(text.encode(), "l.yaml")
    assert (conf.sub_port, conf.services[0].transitions[0].call) == (5556, ("ts_100",))


FAULTS = {
    "empty": ("# nothing\n", "c.yaml:1: one key is expected at the top"),
    "scalar": ("words", "c.yaml:1: one key is expected at the top"),
    "two roots": ("Context: {}\nOther: {}\n", "c.yaml:1: one key is expected at the top"),
    "list": ("- a\n", 'c.yaml:1: a list at the top; write "Context:" and indent all else'),
    "tab": ("Context:\n\ta: b\n", "c.yaml:2: not YAML: found character"),
    "indent": ("Context:\n  a: b\n c: d\n", "c.yaml:3: not YAML: "),
    "colon": ("Context:\n  a: b: c\n", "c.yaml:2: not YAML: mapping values are not allowed"),
    "duplicate": ("Context:\n  a: 1\n  b: 2\n  a: 3\n", 'c.yaml:4: the key "a" stands in line 2 already'),
    "anchor": ("Context:\n  a: &x 1\n", "c.yaml:2: an anchor is not accepted"),
    "alias": ("Context:\n  a: *x\n", 'c.yaml:2: the alias "*x" is not accepted; write the value out'),
    "tag": ("Context:\n  a: !!python/object:os.system {}\n", "c.yaml:2: the tag "),
    "documents": ("Context: {}\n---\nContext: {}\n", "c.yaml:2: a second document"),
    "list in list": ("Context:\n  a:\n  - - b\n", "c.yaml:3: a list within a list has no XML twin"),
    "complex key": ("Context:\n  ? [a]\n  : b\n", "c.yaml:2: a list or mapping as a key"),
    "key": ("Context:\n  a b: c\n", "c.yaml:2: 'a b' cannot name an element"),
    "control character": ('Context:\n  a: "\\a"\n', "c.yaml:2: a: holds the character U+0007"),
    "surrogate": ('Context:\n  a: "\\ud800"\n', "c.yaml:2:"),
    "raw control character": (b"Context:\n  a: \x07\n", "c.yaml: not YAML: "),
    "encoding": (b"Context:\n  a: \xff\n", "c.yaml: not YAML: "),
    "text key": ('Context:\n  a: {"#text": [x]}\n', 'c.yaml:2: "#text" is not text'),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_syntax_fault_has_line_and_remedy(case):
    """One line for each."""
    text, expected = case
    found = messages(text)
    assert found[0].startswith(expected), found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "call: ts002",
            "call: ts2",
            'TaskService[ts001]/Task/state/on_exit/call: no service has the id "ts2"',
        ),
        ("instance: DrinkCoffee", "instance: 1", 'TaskService[ts003]/instance: "1" is not a Python name'),
        (
            "header: {service_name: checkemails}",
            "header: {}",
            "TaskService[ts002]/Task/message/header: <service_name>",
        ),
        ("  TaskLogName: Morning", "  TasklogNam: Morning", "TasklogNam: unknown name"),
    ],
)
def test_schema_fault_has_the_line_of_the_key(old, new, message):
    """The one reader finds the same faults here, at lines of this file."""
    found = messages(TWIN.replace(old, new))
    assert len(found) == 1
    assert found[0].startswith(f"c.yaml:{line_of(old)}: {message}")


def test_anchor_bomb_is_refused_at_once():
    """Nine lines that would be a gigabyte are one line of error."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    began = time.monotonic()
    assert messages(bomb) == ["c.yaml:1: an anchor is not accepted; write the value where it belongs"]
    assert time.monotonic() - began < 1


JUNK = {
    "zeros": b"\x00" * 2**20,
    "lists": b"[" * 2**20,
    "maps": b"{" * 2**20,
    "map items": b"{a: " * 2**18,
    "dashes": b"- " * 2**19,
    "block maps": b"".join(b" " * n + b"a:\n" for n in range(1400)),
    "keys": b"Context:\n" + b"".join(b"  k%d: v\n" % n for n in range(2**16)),
    "same keys": b"Context:\n" + b"  k: v\n" * 2**16,
    "quotes": b'"' * (2**20 + 1),
    "words": b"word " * 2**18,
    "random": random.Random(1).randbytes(2**20),
}


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK.keys())
def test_a_megabyte_of_junk_is_refused_quickly(data):
    """No recursion, no gigabytes, no minutes."""
    began = time.monotonic()
    assert messages(data)
    assert time.monotonic() - began < 20
