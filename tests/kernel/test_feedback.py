"""What a watched program says in its feedback."""

from __future__ import annotations

import itertools
import string
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.kernel.feedback import Feedback, is_keyword, parse

DOCUMENT = b"""\
[info]Starting test
[playbook]myPlaybook
[info]
[heartbeat]
[testcase_id]001
[testcase_name]Initialization
[progress]12
[progress]15
[testcase_id]002
[testcase_name]Setting up topology
[progress]10
"""

#: The original tool's own case of everything mixed.
MIXED = b"""\
# a comment
[animal]cat
[country]France
[person]joe

[town]London
[progress]36
[animal]dog
[date_unix]1588791309
[date_long]Wed 06 May 2020 08:56:15 PM CEST
[country]

[jsample]{ "items" : { "item1" : "suitcase", "item2" : "umbrella"} }
[progress]50
#[town]Berlin
[town]Paris
[name]Paul Emile Victor de la Petaudiere
[progress]60
"""

#: Lines, and what they come to: the table of what the original does, where it differs as its document says.
TABLE = [
    pytest.param(b"[a]1\n[b]2\n[]\n[c]3\n", {"c": "3"}, id="brackets alone clear all so far"),
    pytest.param(b"[1a]x\n", {}, id="no digit first"),
    pytest.param(b"[a b]x\n", {}, id="no blank in a keyword"),
    pytest.param(b"[a.b]x\n", {}, id="no dot in a keyword"),
    pytest.param("[é]v\n".encode(), {}, id="ASCII only in a keyword"),
    pytest.param(b"[a\n", {}, id="no closing bracket"),
    pytest.param(b"]\n", {}, id="no opening bracket"),
    pytest.param(b"junk [a]1\n", {}, id="something before it"),
    pytest.param(b"foo=bar\n", {}, id="another syntax"),
    pytest.param(b"#[c]d\n", {}, id="a comment"),
    pytest.param(b" # [e]f\n", {}, id="a comment behind a blank"),
    pytest.param(b"[[k]v\n", {}, id="two opening brackets"),
    pytest.param(b"[a-b]y\n[_]z\n[-]w\n", {"a-b": "y", "_": "z", "-": "w"}, id="dashes and underscores"),
    pytest.param(b"   [a] b  \n\t[c]\td\n", {"a": " b", "c": "\td"}, id="white space around the line goes"),
    pytest.param(b"[a]1\n[a]   \n", {}, id="an empty value clears"),
    pytest.param(b"[a]   \n", {}, id="and is no error when there is none"),
    pytest.param(b"[b]#x\n", {"b": "#x"}, id="a hash in a value"),
    pytest.param(b"[a][b]c\n", {"a": "[b]c"}, id="brackets in a value"),
    pytest.param(b"[a][b]c\n[a]]x\n", {"a": "]x"}, id="a bracket first in a value, and the last one wins"),
    pytest.param(b"[A]1\n[a]2\n", {"A": "1", "a": "2"}, id="capitals count"),
    pytest.param(b"[a]x", {"a": "x"}, id="no final newline"),
    pytest.param(b"[a]x\r\n[b]y\r\n", {"a": "x", "b": "y"}, id="CR LF"),
    pytest.param(b"[a]x\r[b]y\r", {"a": "x", "b": "y"}, id="CR alone"),
    pytest.param(b"[z]1\n[b]2\n[z]\n[z]3\n", {"b": "2", "z": "3"}, id="what comes again is last"),
    pytest.param("[a]vé\n".encode(), {"a": "vé"}, id="UTF-8"),
    pytest.param(b"[a]x\0y\n", {"a": "x\0y"}, id="NUL is kept"),
    pytest.param(b"[a]\xffy\n[b]\xe2\x82\n[c]z\n", {"a": "\ufffdy", "b": "\ufffd", "c": "z"}, id="no UTF-8"),
    pytest.param(b"\xef\xbb\xbf[a]1\n", {"a": "1"}, id="a byte order mark at the start is no part of it"),
    pytest.param(b"\n\xef\xbb\xbf[a]1\n", {}, id="elsewhere it is"),
    pytest.param(b"", {}, id="nothing"),
    pytest.param(b"\n \n\t\n\r\n", {}, id="empty lines"),
    pytest.param(b"[a]1\n []  \n", {}, id="blanks around the brackets"),
    pytest.param(b"[a]1\n[]x\n[ ]\n", {"a": "1"}, id="brackets with anything else do not clear"),
    pytest.param(b"[a]\x0bx\x1cy\xc2\x85z\n", {"a": "\x0bx\x1cy\x85z"}, id="only LF and CR end a line"),
    pytest.param(
        DOCUMENT,
        {
            "playbook": "myPlaybook",
            "testcase_id": "002",
            "testcase_name": "Setting up topology",
            "progress": "10",
        },
        id="the document's example",
    ),
    pytest.param(
        MIXED,
        {
            "animal": "dog",
            "person": "joe",
            "town": "Paris",
            "progress": "60",
            "date_unix": "1588791309",
            "date_long": "Wed 06 May 2020 08:56:15 PM CEST",
            "jsample": '{ "items" : { "item1" : "suitcase", "item2" : "umbrella"} }',
            "name": "Paul Emile Victor de la Petaudiere",
        },
        id="everything mixed",
    ),
    pytest.param(
        b"".join(b"[progress]%d\n" % percent for percent in range(1, 101)), {"progress": "100"}, id="progress"
    ),
]


@pytest.mark.parametrize(("data", "expected"), TABLE)
def test_lines_come_to_these_pairs_in_this_order(data: bytes, expected: dict[str, str]) -> None:
    """Every row of the table."""
    assert list(parse(data).items()) == list(expected.items())


@pytest.mark.parametrize(("data", "expected"), TABLE)
def test_byte_by_byte_they_come_to_the_same(data: bytes, expected: dict[str, str]) -> None:
    """A line torn anywhere is one line."""
    feedback = Feedback()
    for place in range(len(data)):
        feedback.feed(data[place : place + 1])
    assert list(feedback.values.items()) == list(expected.items())


def test_a_value_may_have_megabytes() -> None:
    """No limit that a sane program meets, in whatever pieces it comes."""
    value = "x" * 5_000_000
    data = f"[a]{value}\n[b]1\n".encode()
    feedback = Feedback()
    for start in range(0, len(data), 65536):
        feedback.feed(data[start : start + 65536])
    assert feedback.values == parse(data) == {"a": value, "b": "1"}


def test_a_line_that_never_ends_is_left_out_and_forgotten() -> None:
    """It takes no more memory than the limit, and what follows its end counts."""
    feedback = Feedback(line_limit=1_000_000)
    feedback.feed(b"[a]1\n[a]")
    piece = b"x" * 100_000
    tracemalloc.start()
    for _ in range(1000):
        feedback.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000
    assert feedback.values == {"a": "1"}
    feedback.feed(b"\n[b]2\n")
    assert feedback.values == {"a": "1", "b": "2"}


def test_a_line_as_long_as_the_limit_still_counts() -> None:
    """And one byte more is too much, whether it comes at once or not."""
    for pieces in ([b"[a]1234567\n"], [b"[a]123", b"4567", b"\n"], [b"\n[a]1234567\n"]):
        feedback = Feedback(line_limit=10)
        for piece in pieces:
            feedback.feed(piece)
        assert feedback.values == {"a": "1234567"}
    for pieces in ([b"[a]12345678\n"], [b"[a]123", b"45678", b"\n"], [b"\n[a]12345678\n"]):
        feedback = Feedback(line_limit=10)
        for piece in pieces:
            feedback.feed(piece)
        assert feedback.values == {}


def test_what_changes_nothing_says_so() -> None:
    """A heartbeat, a comment, the same value again: nobody has to be told."""
    feedback = Feedback()
    assert feedback.feed(b"[a]1\n")
    assert not feedback.feed(b"[heartbeat]\n# still here\n[a]1\n\n")
    assert not feedback.feed(b"")
    assert feedback.feed(b"[a]\n")
    assert not feedback.feed(b"[a]\n[]\n")


def test_a_line_that_turns_out_otherwise_is_told() -> None:
    """What looked like a clear was none when it went on."""
    feedback = Feedback()
    feedback.feed(b"[a]1\n")
    assert feedback.feed(b"[]")
    assert feedback.values == {}
    assert feedback.feed(b"x\n")
    assert feedback.values == {"a": "1"}


def test_values_belong_to_whoever_asked() -> None:
    """Changing them changes nothing here."""
    feedback = Feedback()
    feedback.feed(b"[a]1\n")
    feedback.values.clear()
    assert feedback.values == {"a": "1"}


#: Bytes that mean something, so that what is made of them does.
PIECES = st.sampled_from(
    [b"[a]", b"[b]", b"[]", b"[1]", b"[", b"]", b"x", b"7", b" ", b"\n", b"\r", b"\r\n", b"#", b"\0",
     b"\xef\xbb\xbf", b"\xe2\x82\xac", b"\xff"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map(b"".join)


@given(data=TEXTS, cuts=st.lists(st.integers(0, 80), max_size=8), limit=st.sampled_from([3, 8, 10_000]))
def test_any_split_comes_to_the_same_and_changes_are_told(data: bytes, cuts: list[int], limit: int) -> None:
    """Feeding pieces equals feeding the whole; unless told, nothing has changed."""
    whole, torn = Feedback(limit), Feedback(limit)
    whole.feed(data)
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for start, end in itertools.pairwise(places):
        before = list(torn.values.items())
        told = torn.feed(data[start:end])
        assert told or list(torn.values.items()) == before
    assert list(torn.values.items()) == list(whole.values.items())


@given(data=st.binary(max_size=200))
def test_no_bytes_are_an_error(data: bytes) -> None:
    """Whatever a program writes there."""
    assert all(is_keyword(keyword) and value for keyword, value in parse(data).items())


@given(text=st.text(alphabet=string.printable + "éª²", max_size=6))
def test_a_keyword_is_what_the_document_says(text: str) -> None:
    """ASCII letters, digits, dash, underscore; not empty; no digit first."""
    allowed = string.ascii_letters + string.digits + "-_"
    expected = bool(text) and all(sign in allowed for sign in text) and text[0] not in string.digits
    assert is_keyword(text) == expected
