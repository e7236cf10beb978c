"""Facts nested in an entry: named observations under the product's own codes, comments, severity."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.document.model import Code
from gateway.read.cda.scan import Scan, datatype, templates
from gateway.read.xml import Element, attribute, child, children, local, path, text

_KNOWN = frozenset(
    {
        "side",
        "site",
        "context",
        "aid",
        "raw",
        "reference",
        "measure",
        "not_done",
        "goal_measure",
        "goal_reached",
        "session_number",
        "referral_to",
    }
)


class Details:
    """What stands below one entry, by the name of its code."""

    def __init__(self, scan: Scan, entry: Element) -> None:
        self.comment: str | None = None
        self.severity: Code | None = None
        self._named: dict[str, Element] = {}
        for relation in children(entry, "entryRelationship"):
            for nested in relation:
                self._take(scan, nested)

    def _take(self, scan: Scan, nested: Element) -> None:
        kind = scan.tables.entry(templates(nested))
        coded = scan.code(child(nested, "code"))
        if kind == "comment" and self.comment is None:
            self.comment = said(scan, nested)
        elif kind == "severity" and self.severity is None:
            self.severity = scan.code(child(nested, "value"))
        elif coded is not None and coded.system == scan.terms.local_system and coded.code in _KNOWN:
            self._named[coded.code] = nested
        else:
            unread(scan, nested)

    def value(self, name: str) -> Element | None:
        """The <value> of a named fact, None where it was not said."""
        return child(self._named.get(name), "value")

    def words(self, name: str) -> str | None:
        """A named fact that is text."""
        found = self.value(name)
        return None if found is None else text(found)


def said(scan: Scan, entry: Element) -> str:
    """The words of an entry: those in its <text>, else those that it points to."""
    holder = child(entry, "text")
    pointed = attribute(child(holder, "reference"), "value").removeprefix("#")
    return text(holder) or scan.spoken(pointed)


def unread(scan: Scan, entry: Element) -> None:
    """Say that an entry was seen and not read, by its templates and its code."""
    declared = ", ".join(sorted(templates(entry))) or "aucun template"
    code = child(entry, "code")
    named = attribute(code, "displayName") or attribute(code, "code")
    about = f" « {named} »" if named else ""
    message = f"Entrée non lue : {local(entry)}{about} ({declared})."
    scan.trail.info("RDB-030", path(entry), message, "Le texte de la section reste lisible.")


def listed(section: Element) -> Iterator[Element]:
    """The elements of the entries of a section, members of clusters in their place."""
    for entry in children(section, "entry"):
        yield from (one for one in entry if local(one) not in {"realmCode", "typeId", "templateId"})


def truth(value: Element | None) -> bool | None:
    """A BL."""
    return None if value is None or datatype(value) != "BL" else attribute(value, "value") == "true"
