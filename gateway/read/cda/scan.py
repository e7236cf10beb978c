"""What every part of the reader works with: tables, findings, and the HL7 datatypes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from gateway.document.model import Code, Concept, Id
from gateway.read import concepts
from gateway.read.cda.tables import Tables
from gateway.read.narrative import flat
from gateway.read.reading import ABSENT_CODE, ABSENT_DAY, ABSENT_ID, ABSENT_TIME, Trail
from gateway.read.xml import Element, attribute, child, children, path, text
from gateway.terminology import Terminology

_TS = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,6})\d*)?(?:([+-])(\d\d)(\d\d))?")
_NUMBER = re.compile(r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})([eE][+-]?\d{1,2})?")
_ZONE = "Europe/Paris"
"""Zone of a time that has none: where French documents are written."""

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


@dataclass
class Scan:
    """One reading. `named` holds the narrative that entries point to, for those whose words stand there only."""

    root: Element
    terms: Terminology
    tables: Tables
    trail: Trail
    named: dict[str, Element] = field(default_factory=dict)

    def spoken(self, anchor: str | None) -> str:
        """The words of a narrative ID, empty where there is none."""
        element = self.named.get(anchor or "")
        return "" if element is None else flat(element)

    def id(self, element: Element | None) -> Id:
        """An II, empty where there is none."""
        return ABSENT_ID if element is None else Id(attribute(element, "root"), attribute(element, "extension"))

    def code(self, element: Element | None) -> Code | None:
        """A coded element, None without a code."""
        if element is None or not attribute(element, "code"):
            return None
        return Code(attribute(element, "code"), attribute(element, "codeSystem"), attribute(element, "displayName"))

    def code_or_absent(self, element: Element | None) -> Code:
        """A coded element that the model wants."""
        return self.code(element) or ABSENT_CODE

    def _written(self, element: Element | None) -> datetime | None:
        """A TS as it stands, perhaps without offset; one that cannot be read is left out, with a finding."""
        value = attribute(element, "value")
        if element is None or not value:
            return None
        parts = _TS.fullmatch(value)
        made = _moment(parts) if parts is not None else None
        if made is None:
            message = "Date illisible : elle est ignorée."
            self.trail.doubt("RDB-011", path(element), message, "Se fier au texte du document.", "HL7 TS")
        return made

    def moment(self, element: Element | None) -> datetime | None:
        """A TS with its offset; without one it is read as Paris time, with a finding."""
        made = self._written(element)
        if element is None or made is None:
            return None
        value = attribute(element, "value")
        if made.tzinfo is None:
            if len(value) > len("20260105"):  # a day alone needs no zone to be understood
                message = "Heure sans fuseau : lue comme heure de Paris."
                self.trail.doubt(
                    "RDB-012", path(element), message, "Vérifier l'heure auprès de l'auteur si elle importe.", "HL7 TS"
                )
            return made.replace(tzinfo=ZoneInfo(_ZONE))
        return made

    def day(self, element: Element | None) -> date | None:
        """The day of a TS where it was written; a month or a year alone is its first day, with a finding."""
        made = self._written(element)
        if element is None or made is None:
            return None
        value = attribute(element, "value")
        if len(value) < 8:
            self.trail.info(
                "RDB-013",
                path(element),
                "Date sans jour : lue au premier jour.",
                "Se fier au texte du document.",
                "HL7 TS",
            )
        return made.date()

    def moment_or_absent(self, element: Element | None, missing: Element) -> datetime:
        """A TS that the model wants; `missing` is where to say that it is not there."""
        found = self.moment(element)
        if found is None:
            self.trail.doubt("RDB-014", path(missing), "Date absente.", "Se fier au texte du document.", "CDA R2")
        return found or ABSENT_TIME

    def day_or_absent(self, element: Element | None, missing: Element) -> date:
        """A day that the model wants."""
        found = self.day(element)
        if found is None:
            self.trail.doubt("RDB-014", path(missing), "Date absente.", "Se fier au texte du document.", "CDA R2")
        return found or ABSENT_DAY

    def number(self, element: Element) -> Decimal | None:
        """The number of a PQ, INT or REAL."""
        value = attribute(element, "value")
        if not _NUMBER.fullmatch(value):
            if value:
                self.trail.doubt(
                    "RDB-015",
                    path(element),
                    "Nombre illisible : il est ignoré.",
                    "Se fier au texte du document.",
                    "HL7 REAL",
                )
            return None
        try:
            return Decimal(value)
        except InvalidOperation:  # pragma: no cover - the pattern above lets nothing such through
            return None

    def concept(self, element: Element | None, anchor: str | None, fixed: str | None = None) -> Concept:
        """A concept: its words, its codes, and what the tables add."""
        codes = [self.code(element), *(self.code(one) for one in children(element, "translation"))]
        held = [code for code in codes if code is not None]
        return concepts.from_cda(self.terms, self.words(element, anchor, held), held, fixed)

    def words(self, element: Element | None, anchor: str | None, codes: list[Code]) -> str:
        """originalText, else the narrative that it points to, else a display name, else the entry's narrative."""
        original = child(element, "originalText")
        if text(original):
            return text(original)
        said = self.spoken(reference(original)) or next((c.display for c in codes if c.display), "")
        return said or self.spoken(anchor) or next((code.code for code in codes), "")


def reference(holder: Element | None) -> str:
    """The narrative ID that a <text> or <originalText> points to."""
    return attribute(child(holder, "reference"), "value").removeprefix("#")


def datatype(value: Element | None) -> str:
    """`xsi:type` of a value without prefix."""
    return "" if value is None else str(value.get(XSI_TYPE) or "").rpartition(":")[2]


def templates(element: Element) -> frozenset[str]:
    """Template OIDs of an entry or a section."""
    return frozenset(attribute(one, "root") for one in children(element, "templateId"))


def _moment(parts: re.Match[str]) -> datetime | None:
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = parts.groups()
    try:
        return datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")),
            _offset(sign, hours, minutes),
        )
    except ValueError:
        return None


def _offset(sign: str | None, hours: str, minutes: str) -> tzinfo | None:
    if sign is None:
        return None
    shift = timedelta(hours=int(hours), minutes=int(minutes))
    return UTC if not shift else timezone(-shift if sign == "-" else shift)
