"""Says what is wrong with XML that does not parse, and how to mend it: every surplus tag at once.

libxml2 stops making sense after the first tag that does not match, so tags are balanced here once
more; what is wrong within a tag or a text comes from its error log. Must not know the schema.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from context_bus.config.faults import FaultList, nearest

#: Faults reported of one file; more only repeat.
MAX_FAULTS = 20
#: Characters of a line that no person wrote.
LONG_LINE = 1000

# Unfinished comments and the like swallow the rest, and no tag may hold "<": so the scan is linear.
_TOKEN = re.compile(
    r"<!--(?:.*?-->|.*)|<!\[CDATA\[(?:.*?\]\]>|.*)|<\?(?:.*?\?>|.*)"
    r"|(?P<doctype><!DOCTYPE)"
    r"|</\s*(?P<close>[^\s<>/]+)\s*>"
    r"""|<(?P<open>[^\s<>/!?'"=&;]+)(?P<rest>(?:"[^"<]*"|'[^'<]*'|[^'"<>])*)>""",
    re.DOTALL,
)
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BOMS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8"))

#: What libxml2 says, what we say, the remedy, and whether tags after it can still be balanced.
_LEXICAL: tuple[tuple[str, str, str, bool], ...] = (
    (r"xmlParseCharRef", "a number that is no character", "remove it", True),
    (r"EntityRef", 'an "&" that begins no entity', "write &amp;", True),
    (r"Entity '(.*)' not defined", 'the entity "&{0};" is not known', "write the character itself", True),
    (r"StartTag: invalid element name", 'a "<" that begins no tag', "write &lt;", True),
    (r"Unescaped '<' not allowed", 'a "<" within an attribute, or a missing quote', "write &lt;", False),
    (r"AttValue: \" or ' expected", "an attribute without quotes", 'write name="value"', False),
    (r"Specification mandates? value for attribute (.*)", 'the attribute "{0}" has no value',
     'write {0}="..."', False),
    (r"attributes construct error", "attributes run into each other", "put a blank between them", False),
    (r"Attribute (.*) redefined", 'the attribute "{0}" stands twice', "keep one", True),
    (r"Couldn't find end of Start Tag (\S+)", "<{0}> has no end", 'write ">"', False),
    (r"expected '>'", "a closing tag has no end", 'write ">"', False),
    (r"Comment not terminated|Double hyphen within comment",
     'a comment holds "--" or has no end', "end it with -->", False),
    (r"CData section not finished", "a CDATA section has no end", "end it with ]]>", False),
    (r"xmlParsePI|PI .* never end", "a processing instruction has no end", "end it with ?>", False),
    (r"invalid Char|PCDATA invalid|Invalid char|invalid xmlChar",
     "a character that XML cannot carry", "remove it", True),
    (r"Input is not proper UTF-8|encoder error|Invalid bytes|invalid byte|input conversion failed",
     "bytes that are not in the encoding of the file", "save it as UTF-8", True),
    (r"[Uu]nsupported encoding:? ?(.*)", "the encoding {0} is not known", "save the file as UTF-8", False),
    (r"XML declaration allowed only at the start", "something stands before <?xml ...?>",
     "begin the file with it, without blanks", True),
    (r"Excessive depth|xmlParseElementStart: .*depth", "nested deeper than 256 levels",
     "this is not a configuration", False),
    (r"amplification", "an entity that grows without end", "remove the entities", False),
    (r"Extra content at the end", "something stands after the end of the root element", "remove it", True),
    (r"Document is empty|Start tag expected", "no element where one is expected",
     "a context begins with <Context>", True),
)  # fmt: skip
#: Messages that follow from tags that do not match: told better by `_balance`.
_TAGS = re.compile(
    r"Extra content|Opening and ending tag mismatch|Premature end of data|EndTag: '</' not found"
)


@dataclass(frozen=True, slots=True)
class _Tag:
    kind: str  # "open", "close", "empty" or "doctype"
    name: str
    line: int
    alone: bool  # nothing else stands on its line


def decode(data: bytes) -> tuple[str, str]:
    """Decode a document as far as it goes.

    Returns:
        The text (with its byte order mark, if any) and the encoding.
    """
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "")
    if not encoding:
        declared = _DECLARED.match(data)
        encoding = declared[1].decode() if declared else "utf-8"
    try:
        return data.decode(encoding, "replace"), encoding
    except LookupError:
        return data.decode("utf-8", "replace"), "utf-8"


def diagnose(data: bytes, faults: FaultList) -> None:
    """Note at least one fault of a document that was not accepted."""
    text, _ = decode(data)
    if not text.strip("\ufeff \t\r\n"):
        faults.fault("the file is empty", "a context begins with <Context>")
        return
    tags = list(scan(text))
    doctype = next((tag for tag in tags if tag.kind == "doctype"), None)
    if doctype:
        faults.fault("a DOCTYPE is not accepted (no entities, no DTD)", "remove it", line=doctype.line)
        return
    if not tags:
        faults.fault("not XML: it holds no tag", "a context begins with <Context>", line=1)
        return
    found = FaultList(faults.file)
    horizon = _explain_log(data, found)
    still_open = _balance([tag for tag in tags if tag.line <= horizon], found)
    if horizon == float("inf"):
        for tag in still_open:
            found.fault(f"<{tag.name}> is never closed", f"write </{tag.name}> at its end", line=tag.line)
    if not found.faults:
        _repeat_log(data, found)
    everything = found.sorted_faults()
    faults.faults.extend(everything[:MAX_FAULTS])
    if len(everything) > MAX_FAULTS:
        faults.fault("and more faults like these", "mend these first", line=everything[MAX_FAULTS].line)


def scan(text: str) -> Iterator[_Tag]:
    """Find the tags of a document, parsing or not; comments and CDATA are skipped.

    A DOCTYPE ends the scan.
    """
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    for found in _TOKEN.finditer(text):
        line = bisect_right(starts, found.start())
        if found["doctype"]:
            yield _Tag("doctype", "", line, alone=False)
            return
        name = found["close"] or found["open"]
        if not name:
            continue
        end = starts[line] if line < len(starts) else len(text)
        # A line of a megabyte must not be copied for every tag in it.
        alone = end - starts[line - 1] < LONG_LINE and text[starts[line - 1] : end].strip() == found.group()
        kind = "close" if found["close"] else "empty" if (found["rest"] or "").endswith("/") else "open"
        yield _Tag(kind, name, line, alone)


@dataclass(frozen=True, slots=True)
class RootEnd:
    """Where the root element of a well-formed document ends.

    Args:
        start: Offset of its closing tag; of its only tag if it is written ``<Root/>``.
        stop: Offset behind that tag.
        closing: Whether there is a closing tag.
    """

    start: int
    stop: int
    closing: bool


def root_end(text: str) -> RootEnd:
    """Find the last tag of a well-formed document; comments behind it do not count."""
    last = None
    for found in _TOKEN.finditer(text):
        if found["close"] or found["open"]:
            last = found
    assert last is not None  # well-formed: there is a root
    return RootEnd(last.start(), last.end(), bool(last["close"]))


def _log(data: bytes) -> list[tuple[int, str]]:
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False)
    try:
        etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        log = [(entry.line, entry.message) for entry in parser.error_log]
        return log or [(1, str(error))]
    return [(entry.line, entry.message) for entry in parser.error_log]


def _explain_log(data: bytes, faults: FaultList) -> float:
    """Note what is wrong within tags and texts.

    Returns:
        The line beyond which tags cannot be balanced.
    """
    for line, message in _log(data):
        if _TAGS.search(message):
            continue
        if entry := _look_up(message):
            said, remedy, can_go_on = entry
            faults.fault(said, remedy, line=line)
            if not can_go_on:
                return line - 1
    return float("inf")


def _look_up(message: str) -> tuple[str, str, bool] | None:
    for pattern, said, remedy, can_go_on in _LEXICAL:
        if found := re.search(pattern, message):
            return said.format(*found.groups()), remedy.format(*found.groups()), can_go_on
    return None


def _repeat_log(data: bytes, faults: FaultList) -> None:
    line, message = next(iter(_log(data)), (1, "cannot be parsed"))
    entry = _look_up(message)
    said, remedy = (entry[0], entry[1]) if entry else (f"not well-formed XML: {message}", "")
    faults.fault(said, remedy, line=line)


def _balance(tags: list[_Tag], faults: FaultList) -> list[_Tag]:
    """Note every tag that closes nothing and every element that its parent's end cuts off.

    Returns:
        The elements still open at the end.
    """
    stack: list[_Tag] = []
    root_end = 0
    previous: _Tag | None = None
    wrong = 0
    for tag in tags:
        if tag.kind != "close" and root_end and not stack:
            message = f"<{tag.name}> stands after the end of the root element (line {root_end})"
            faults.fault(message, "a file has one root element", line=tag.line)
            break
        if tag.kind == "open":
            stack.append(tag)
        elif tag.kind == "close" and stack and stack[-1].name == tag.name:
            stack.pop()
        elif tag.kind == "close":
            _close(tag, stack, previous, faults)
            wrong += 1
            if wrong > MAX_FAULTS:
                break
        if not stack and (tag.kind != "close" or not root_end):
            root_end = tag.line
        previous = tag
    return stack


def _close(tag: _Tag, stack: list[_Tag], previous: _Tag | None, faults: FaultList) -> None:
    """Say what a closing tag means that is not that of the innermost element."""
    if any(opened.name == tag.name for opened in stack):
        while stack[-1].name != tag.name:
            lost = stack.pop()
            remedy = f"write </{lost.name}> before </{tag.name}> of line {tag.line}"
            faults.fault(f"<{lost.name}> is never closed", remedy, line=lost.line)
        stack.pop()
    elif stack and nearest(tag.name, [stack[-1].name]):
        opened = stack.pop()
        message = f"</{tag.name}> does not close <{opened.name}> of line {opened.line}"
        faults.fault(message, "give both the same name", line=tag.line)
    else:
        what = f"no <{tag.name}> is open here"
        if previous and previous.kind == "close" and previous.name == tag.name:
            what = f"an extra </{tag.name}> after the one in line {previous.line}"
        remedy = "delete this line" if tag.alone else "delete it"
        faults.fault(f"</{tag.name}> closes nothing: {what}", remedy, line=tag.line)
