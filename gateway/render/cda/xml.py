"""The few moves that build the tree: every text goes through lxml, so escaping is right by construction."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from lxml import etree

NS = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSI_TYPE = f"{{{XSI}}}type"

Element = etree._Element  # noqa: SLF001 - lxml publishes its element class under this name only


class _Tags(dict[str, str]):
    """`code` -> `{urn:hl7-org:v3}code`, made once for each name."""

    def __missing__(self, name: str) -> str:
        self[name] = tag = f"{{{NS}}}{name}"
        return tag


TAGS = _Tags()


def root(name: str) -> Element:
    """A root element with the two namespaces that the document uses."""
    nsmap: Any = {None: NS, "xsi": XSI}
    return etree.Element(TAGS[name], nsmap=nsmap)


def add(parent: Element, name: str, /, **attributes: str) -> Element:
    """A child element of the HL7 namespace with its attributes, in the order given."""
    return etree.SubElement(parent, TAGS[name], attributes)


def add_text(parent: Element, name: str, text: str, /, **attributes: str) -> Element:
    """A child element that holds a text."""
    child = etree.SubElement(parent, TAGS[name], attributes)
    child.text = text
    return child


def add_typed(parent: Element, name: str, datatype: str, /, **attributes: str) -> Element:
    """A child element whose HL7 datatype stands in xsi:type."""
    typed: dict[str, str] = {XSI_TYPE: datatype, **attributes}
    return etree.SubElement(parent, TAGS[name], typed)


def timestamp(moment: date) -> str:
    """HL7 TS: a date to the day, a date and time to the second with its offset from UTC.

    Raises ValueError on a time without zone: no suite notices it, every reader gets it wrong.
    """
    if not isinstance(moment, datetime):
        return f"{moment.year:04d}{moment.month:02d}{moment.day:02d}"
    if moment.tzinfo is None:
        raise ValueError("a time without zone")
    # strftime pads early years differently from one platform to the other
    return f"{moment.year:04d}" + moment.strftime("%m%d%H%M%S%z")[:15]
