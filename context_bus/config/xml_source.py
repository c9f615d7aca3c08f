"""XML in: bytes become the neutral tree, or faults with lines. Knows lxml; must not know the schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from lxml import etree

from context_bus.config.faults import FaultList
from context_bus.config.node import Node
from context_bus.config.xml_diagnosis import decode, diagnose, scan


def parse_xml(data: bytes, faults: FaultList) -> Node | None:
    """Parse a document; entities, DTDs and the network are off, comments are skipped.

    Returns:
        The root, or None after noting why there is none.
    """
    parser = _parser()
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        diagnose(data, faults)
        return None
    if _has_doctype(root):
        diagnose(data, faults)
        return None
    return _node(root, faults, _lines(data, root))


def _lines(data: bytes, root: etree._Element) -> Iterator[int]:
    """The line in which each element begins, in document order.

    libxml2 tells the line in which the start tag ends, which is not where a person looks.
    """
    begins = [tag.line for tag in scan(decode(data)[0]) if tag.kind in {"open", "empty"}]
    ends = [cast("int | None", element.sourceline) or 0 for element in root.iter()]
    return iter(begins if len(begins) == len(ends) else ends)


def _has_doctype(root: etree._Element) -> bool:
    dtd: object = root.getroottree().docinfo.internalDTD
    return dtd is not None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _node(element: etree._Element, faults: FaultList, lines: Iterator[int]) -> Node:
    tag, line = str(element.tag), next(lines)
    if tag.startswith("{"):
        space, _, tag = tag[1:].partition("}")
        faults.fault(f'<{tag}> is in the namespace "{space}"', "remove xmlns", line=line, element=tag)
    children = tuple(_node(child, faults, lines) for child in element)
    pieces = [element.text or "", *(child.tail or "" for child in element)]
    attributes = {
        # Attributes with a namespace (xml:space, xsi:schemaLocation) speak to other tools.
        str(name): str(value).strip()
        for name, value in element.attrib.items()
        if not str(name).startswith("{")
    }
    text = " ".join(piece.strip() for piece in pieces if piece.strip())
    return Node(tag, text, attributes, children, faults.file, line)
