"""The document under check, with what every rule needs: places, references, terminology."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from lxml import etree

from gateway.document.model import Code
from gateway.findings import Finding, Severity
from gateway.render.cda.profile import Profile
from gateway.render.cda.xml import NS, TAGS

Element = etree._Element  # noqa: SLF001 - lxml publishes its element class under this name only
_PREFIXES = {"c": NS, "x": "http://www.w3.org/1999/xhtml"}
_ATTRIBUTES = etree.XPath("//@*", smart_strings=False)


class Terms(Protocol):
    """The part of gateway.terminology.Terminology that the preflight calls."""

    def value(self, set_name: str, code: str) -> Code:
        """A code of a French value set. Raises MappingError when the set does not hold it."""
        ...

    def display_matches(self, code: Code) -> bool | None:
        """Whether the display is one of the code's own; None when the code is in no table."""
        ...


@dataclass(frozen=True)
class View:
    """One document, its terminology and the CI-SIS profile."""

    root: Element
    terms: Terms
    profile: Profile

    def find(self, path: str) -> list[Element]:
        """Elements by an XPath in which `c:` is the HL7 namespace and `x:` XHTML's."""
        found = self.root.xpath(path, namespaces=_PREFIXES)
        return [item for item in found if isinstance(item, etree._Element)] if isinstance(found, list) else []  # noqa: SLF001

    def first(self, path: str) -> Element | None:
        """The first of `find`."""
        return next(iter(self.find(path)), None)

    @cached_property
    def sections(self) -> list[Element]:
        """Every section of the body, in order."""
        return self.find("//c:structuredBody//c:section")

    @cached_property
    def words(self) -> str:
        """Every text of the document run together, then every attribute value, one a line."""
        attributes = _ATTRIBUTES(self.root)
        assert isinstance(attributes, list)
        text = etree.tostring(self.root, method="text", encoding="unicode")
        return "\n".join((text, *map(str, attributes)))

    @cached_property
    def anchors(self) -> dict[str, list[Element]]:
        """Elements that carry an ID, by ID."""
        found: dict[str, list[Element]] = {}
        for element in self.root.iter(etree.Element):
            name = element.get("ID")
            if name is not None:
                found.setdefault(name, []).append(element)
        return found


Rule = Callable[[View], Iterator[Finding]]


def place(element: Element) -> str:
    """XPath of an element by local names, with a number where it has sisters of its name."""
    steps: list[str] = []
    current: Element | None = element
    while current is not None:
        parent = current.getparent()
        step = local_name(current)
        if parent is not None:
            sisters = parent.findall(str(current.tag))
            if len(sisters) > 1:
                step += f"[{sisters.index(current) + 1}]"
        steps.append(step)
        current = parent
    return "/" + "/".join(reversed(steps))


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    return etree.QName(element).localname


def found(
    code: str,
    element: Element,
    message: str,
    advice: str,
    source: str = "CI-SIS",
    *,
    severity: Severity = Severity.ERROR,
) -> Finding:
    """A finding on an element: XPath, and the line in the message. No value of the document is repeated."""
    line = f" (ligne {element.sourceline})" if element.sourceline else ""
    return Finding(code, severity, place(element), f"{message}{line}.", advice, source)


def children(element: Element, name: str) -> list[Element]:
    """Children of the HL7 namespace by name."""
    return element.findall(TAGS[name])


def child(element: Element, name: str) -> Element | None:
    """The first child of the HL7 namespace by name."""
    return element.find(TAGS[name])


def words(element: Element) -> str:
    """All text inside an element, without blanks around."""
    return "".join(element.itertext()).strip()
