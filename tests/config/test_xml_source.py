"""XML that is none, or not to be trusted, ends in lines that say how to mend it."""

from __future__ import annotations

import random
import time

import pytest

from context_bus.config.load import MAX_BYTES, parse_context, read_context

from .samples import THREE, context, context_faults, faults_of, service


def messages(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    return [str(fault) for fault in faults_of(lambda: parse_context(data, "c.xml"))]


SYNTAX = {
    "empty": ("", "c.xml: the file is empty; a context begins with <Context>"),
    "blank": (" \n\t\n", "c.xml: the file is empty; a context begins with <Context>"),
    "no tag": ("just words", "c.xml:1: not XML: it holds no tag; a context begins with <Context>"),
    "declaration alone": ('<?xml version="1.0"?>', "c.xml:1: not XML: it holds no tag"),
    "cut in a tag": ("<Context", "c.xml:1: not XML: it holds no tag"),
    "never closed": (
        "\n<Context>\n<a>\n</a>",
        "c.xml:2: <Context> is never closed; write </Context> at its end",
    ),
    "inner never closed": (
        "<Context>\n<a>\n<b></b>\n</Context>",
        "c.xml:2: <a> is never closed; write </a> before </Context> of line 4",
    ),
    "misspelt closing tag": (
        "<Context>\n<TaskLogName>a</TaskLogname>\n</Context>",
        "c.xml:2: </TaskLogname> does not close <TaskLogName> of line 2; give both the same name",
    ),
    "surplus closing tag": (
        "<Context>\n<a>x</a></b>\n</Context>",
        "c.xml:2: </b> closes nothing: no <b> is open here; delete it",
    ),
    "second root": (
        "<Context/>\n<Context/>",
        "c.xml:2: <Context> stands after the end of the root element (line 1); a file has one root element",
    ),
    "text after the root": (
        "<Context/>\nmore",
        "c.xml:2: something stands after the end of the root element; remove it",
    ),
    "surplus root end": (
        "<Context>\n</Context>\n</Context>",
        "c.xml:3: </Context> closes nothing: an extra </Context> after the one in line 2; delete this line",
    ),
    "ampersand": (
        "<Context>\n<a>x & y</a>\n</Context>",
        'c.xml:2: an "&" that begins no entity; write &amp;',
    ),
    "unknown entity": (
        "<Context>\n<a>&eacute;</a>\n</Context>",
        'c.xml:2: the entity "&eacute;" is not known; write the character itself',
    ),
    "less than": ("<Context>\n<a>1 < 2</a>\n</Context>", 'c.xml:2: a "<" that begins no tag; write &lt;'),
    "unquoted attribute": (
        "<Context>\n<a b=c/>\n</Context>",
        'c.xml:2: an attribute without quotes; write name="value"',
    ),
    "attribute without value": (
        "<Context>\n<a b/>\n</Context>",
        'c.xml:2: the attribute "b" has no value; write b="..."',
    ),
    "missing quote": (
        '<Context>\n<a b="c/>\n</Context>',
        'a "<" within an attribute, or a missing quote; write &lt;',
    ),
    "attribute twice": (
        '<Context>\n<a b="1" b="2"/>\n</Context>',
        'c.xml:2: the attribute "b" stands twice; keep one',
    ),
    "attributes without blank": (
        '<Context>\n<a b="1"c="2"/>\n</Context>',
        "c.xml:2: attributes run into each other; put a blank between them",
    ),
    "closing tag cut": ("<Context>\n</Context", 'a closing tag has no end; write ">"'),
    "comment": ("<Context>\n<!-- a -- b -->\n</Context>", 'c.xml:2: a comment holds "--" or has no end'),
    "cdata": ("<Context>\n<a><![CDATA[x</a>", "a CDATA section has no end; end it with ]]>"),
    "control character": (
        "<Context>\n<a>\x07</a>\n</Context>",
        "c.xml:2: a character that XML cannot carry; remove it",
    ),
    "number of no character": (
        "<Context>\n<a>&#7;</a>\n</Context>",
        "c.xml:2: a number that is no character; remove it",
    ),
    "encoding": (b"<Context>\n<a>\xff</a>\n</Context>", "c.xml:2: bytes that are not in the encoding"),
    "unknown encoding": ('<?xml version="1.0" encoding="nope"?><Context/>', "c.xml:1: the encoding nope is"),
    "blank before declaration": (' <?xml version="1.0"?><Context/>', "something stands before <?xml ...?>"),
    "deep": ("<Context>" + "<a>" * 300 + "</a>" * 300 + "</Context>", "nested deeper than 256 levels"),
}


@pytest.mark.parametrize("case", SYNTAX.values(), ids=SYNTAX.keys())
def test_syntax_fault_says_how_to_mend_it(case):
    """One fault, one line, with the line of the file and a remedy."""
    text, expected = case
    found = messages(text)
    assert len(found) == 1, found
    assert expected in found[0]


def test_several_syntax_faults_are_reported_at_once():
    """Tags and texts are looked at together."""
    text = "<Context>\n<a>x & y</a>\n<b>\n<c>1</c></c>\n</Context>\n"
    assert messages(text) == [
        'c.xml:2: an "&" that begins no entity; write &amp;',
        "c.xml:3: <b> is never closed; write </b> before </Context> of line 5",
        "c.xml:4: </c> closes nothing: an extra </c> after the one in line 4; delete it",
    ]


BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE lolz [\n<!ENTITY lol "lol">\n'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "&lol;" * 10}">\n' for n in range(10))
    + "]>\n<Context><TaskLogName>&l9;</TaskLogName></Context>"
)
HOSTILE = {
    "billion laughs": BOMB,
    "billion laughs in an attribute": BOMB.replace("<Context>", '<Context a="&l9;">'),
    "external entity": (
        '<?xml version="1.0"?>\n<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'
        "<Context><TaskLogName>&x;</TaskLogName></Context>"
    ),
    "parameter entity": (
        '<?xml version="1.0"?>\n<!DOCTYPE c [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]>\n<Context/>'
    ),
    "external DTD": '<?xml version="1.0"?>\n<!DOCTYPE Context SYSTEM "http://127.0.0.1:1/c.dtd">\n<Context/>',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_doctype_is_refused_in_one_line(text):
    """No entity is expanded, no file read, no host asked; and at once."""
    began = time.monotonic()
    assert messages(text) == ["c.xml:2: a DOCTYPE is not accepted (no entities, no DTD); remove it"]
    assert time.monotonic() - began < 2


def test_comments_and_instructions_are_skipped():
    """They may stand anywhere, even within a text."""
    text = THREE.replace("<Context>", "<!-- <Context> & --><?ignore me?>\n<Context>").replace(
        ">Morning<", ">Mor<!-- -->ning<?x y?><"
    )
    assert parse_context(text.encode(), "c.xml") == parse_context(THREE.encode(), "c.xml")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_are_understood(encoding):
    """A file may declare what it is written in, or begin with a mark."""
    text = context(service("ts001", "WakeUp", description="Café à la crème"))
    declared = text.replace("'utf8'", "'iso-8859-1'" if encoding.startswith("iso") else "'utf-8'")
    if encoding == "utf-16":
        declared = declared.replace("'utf-8'", "'utf-16'")
    conf = parse_context(declared.encode(encoding), "c.xml")
    assert conf.services[0].description == "Café à la crème"


def test_line_is_where_the_start_tag_begins():
    """A start tag with an attribute on each line is found at its first; so is one beyond line 65535."""
    text = THREE.replace('<TaskService id="ts003" instance=', '<TaskService\n  id="ts003"\n  instance=\n')
    text = text.replace("<Context>", "<Context>" + "\n" * 70_000)
    conf = parse_context(text.encode(), "c.xml")
    assert conf.services[2].line == text[: text.index("<TaskService\n")].count("\n") + 1


def test_namespace_is_a_fault():
    """Elements in a namespace would all look unknown."""
    text = THREE.replace("<Context>", '<Context xmlns="urn:x">')
    faults = context_faults(text)
    assert str(faults[0]) == 'c.xml:2: Context: <Context> is in the namespace "urn:x"; remove xmlns'


def test_attributes_of_other_tools_are_skipped():
    """A schema location or xml:space is not ours to judge."""
    text = THREE.replace(
        "<Context>",
        '<Context xmlns:xsi="urn:x" xsi:schemaLocation="a" xml:space="default">',
    )
    assert parse_context(text.encode(), "c.xml") == parse_context(THREE.encode(), "c.xml")


def test_other_root_is_one_line():
    """Any well-formed XML may be given by mistake."""
    assert messages("<html/>") == [
        "c.xml:1: the root element is <html>, expected <Context>; a context is expected here"
    ]


JUNK = {
    "zeros": b"\x00" * 2**20,
    "tags": b"<" * 2**20,
    "openings": b"<a " * 2**18,
    "quotes": b'<a b="' * 2**17,
    "comments": b"<!--" * 2**18,
    "cdata": b"<a>" + b"<![CDATA[" * 2**17,
    "instructions": b"<?" * 2**19,
    "closings": b"</a>" * 2**18,
    "closings in lines": b"</a>\n" * 2**18,
    "openings in lines": b"<a>\n" * 2**18,
    "misspelt in lines": b"<Context>" + b"<abcd>\n</abcde>" * 2**16,
    "elements": b"<a>" * 2**18,
    "ampersands": b"<Context>" + b"&" * 2**20,
    "random": random.Random(1).randbytes(2**20),
    "random behind a tag": b"<Context>" + random.Random(2).randbytes(2**20),
}


@pytest.mark.parametrize("file", ["c.xml", "c"])
@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK.keys())
def test_a_megabyte_of_junk_is_refused_quickly(data, file):
    """A few short lines, in time proportional to the size."""
    began = time.monotonic()
    faults = faults_of(lambda: parse_context(data, file))
    assert 1 <= len(faults) <= 21
    assert all(len(str(fault)) < 1000 and str(fault).isprintable() for fault in faults)
    assert time.monotonic() - began < 10


def test_files_that_cannot_be_read_are_one_line(tmp_path):
    """Missing, a directory, too large, no permission: said plainly."""
    (tmp_path / "Context-Morning.xml").write_text(THREE)
    missing = tmp_path / "Context-Mornin.xml"
    assert [str(fault) for fault in faults_of(lambda: read_context(missing))] == [
        f'{missing}: no such file; did you mean "{tmp_path / "Context-Morning.xml"}"?'
    ]
    assert [str(fault) for fault in faults_of(lambda: read_context(tmp_path))] == [
        f"{tmp_path}: is a directory; name a file in it"
    ]
    large = tmp_path / "large.xml"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert [str(fault) for fault in faults_of(lambda: read_context(large))] == [
        f"{large}: larger than 16 MB: not a configuration"
    ]
    assert "no such file" in str(faults_of(lambda: read_context(tmp_path / "no" / "where.xml"))[0])
    assert "cannot be read" in str(faults_of(lambda: read_context("a\0b"))[0])
    assert "larger than" in str(faults_of(lambda: read_context("/dev/zero"))[0])
