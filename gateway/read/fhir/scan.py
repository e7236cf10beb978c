"""What every part of the reader works with: resources by address, findings, FHIR datatypes, JSON of any origin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from gateway.document.model import Code, Concept, Id
from gateway.findings import Finding, error
from gateway.read import concepts
from gateway.read.fhir.tables import Tables
from gateway.read.reading import ABSENT_CODE, ABSENT_DAY, ABSENT_TIME, Trail
from gateway.terminology import Terminology

Json = dict[str, Any]

MAX_BYTES = 30_000_000
"""Size limit of a FHIR document in bytes."""
NARRATIVE_LINK = "http://hl7.org/fhir/StructureDefinition/narrativeLink"

_DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?")
_ZONE = "Europe/Paris"


def parse(data: bytes) -> tuple[Json | None, list[Finding]]:
    """A JSON object, its numbers exact, or None and why not. Never raises."""
    if len(data) > MAX_BYTES:
        message = f"Fichier trop gros ({len(data)} octets)."
        return None, [error("RDB-002", "/", message, f"La limite est de {MAX_BYTES // 1_000_000} Mo.")]
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_float=Decimal, parse_int=_whole, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None, [error("RDB-005", "/", "Ce n'est pas un JSON lisible.", "Vérifier que le fichier est complet.")]
    if not isinstance(value, dict):
        return None, [error("RDB-006", "/", "Ce n'est pas une ressource FHIR.", "Vérifier le fichier choisi.")]
    return value, []


def _whole(digits: str) -> Decimal:
    if len(digits) > 30:
        raise ValueError("huge number")
    return Decimal(digits)


def _refuse(_name: str) -> Decimal:
    raise ValueError("no number of JSON")


def obj(value: object) -> Json:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Json]:
    """The objects of a list; one alone is a list of one."""
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, dict)]


def first(value: object) -> Json:
    """The first object of a list, else an empty one."""
    return next(iter(items(value)), {})


def string(value: object) -> str:
    """The value when it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def strings(value: object) -> list[str]:
    """The texts of a list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def extension(element: Json, url: str) -> Json:
    """The first extension of this URL."""
    return next((one for one in items(element.get("extension")) if one.get("url") == url), {})


def anchor_of(element: Json) -> str:
    """The piece of narrative that an element is linked to."""
    return string(extension(element, NARRATIVE_LINK).get("valueUrl")).partition("#")[2]


def bare_oid(uri: str) -> str:
    """An OID without `urn:oid:`; any other URI as it is."""
    return uri.removeprefix("urn:oid:")


@dataclass
class Scan:
    """One reading: `resources` by address, as references name them."""

    bundle: Json
    terms: Terminology
    tables: Tables
    trail: Trail
    resources: Mapping[str, Json] = field(default_factory=dict)

    def resolve(self, reference: object, at: str) -> Json:
        """The resource that a reference names; one that is not in the Bundle is a finding."""
        address = string(obj(reference).get("reference"))
        if not address:
            return {}
        found = self.resources.get(address)
        if found is None:
            self.trail.doubt(
                "RDB-051",
                at,
                "Référence vers une ressource absente du document.",
                "Demander le document complet.",
                "FHIR R4, documents",
            )
        return found or {}

    def oid(self, uri: str) -> str:
        """OID of a code system known by its URI; a URI that no table has stays as it is."""
        for known in self.terms.oids.values():
            if self.terms.system_uri(known) == uri:
                return known
        return bare_oid(uri)

    def code(self, coding: object) -> Code | None:
        """A Coding, None without a code."""
        held = obj(coding)
        code = string(held.get("code"))
        return Code(code, self.oid(string(held.get("system"))), string(held.get("display"))) if code else None

    def coded(self, concept: object) -> Code | None:
        """The first code of a CodeableConcept, its text standing in for a missing display."""
        found = self.code(first(obj(concept).get("coding")))
        if found is not None and not found.display:
            return Code(found.code, found.system, string(obj(concept).get("text")))
        return found

    def coded_or_absent(self, concept: object) -> Code:
        """The first code of a CodeableConcept that the model wants."""
        return self.coded(concept) or ABSENT_CODE

    def concept(self, value: object) -> Concept:
        """A CodeableConcept: words, codes, and what the tables add."""
        held = obj(value)
        codes = [code for code in map(self.code, items(held.get("coding"))) if code is not None]
        words = string(held.get("text")) or next((code.display or code.code for code in codes), "")
        return concepts.from_fhir(self.terms, words, codes)

    def local_codes(self, values: object) -> Iterator[Code]:
        """The codes of the product's own system in a list of Codings or CodeableConcepts."""
        for one in items(values):
            for coding in items(one.get("coding")) or [one]:
                code = self.code(coding)
                if code is not None and code.system == self.terms.local_system:
                    yield code

    def id(self, identifier: object) -> Id:
        """An Identifier as root and extension."""
        held = obj(identifier)
        return Id(bare_oid(string(held.get("system"))), string(held.get("value")))

    def moment(self, value: object, at: str) -> datetime | None:
        """A dateTime or an instant; a day is its midnight, and a time without offset Paris time, with a finding."""
        said = string(value)
        if not said:
            return None
        if _INSTANT.fullmatch(said):
            found = _iso(said)
            if found is not None and found.tzinfo is None:
                self.trail.doubt(
                    "RDB-012",
                    at,
                    "Heure sans fuseau : lue comme heure de Paris.",
                    "Vérifier l'heure auprès de l'auteur si elle importe.",
                    "FHIR R4",
                )
                found = found.replace(tzinfo=ZoneInfo(_ZONE))
            if found is not None:
                return found
        day = self.day(said, at)
        return None if day is None else datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(_ZONE))

    def day(self, value: object, at: str) -> date | None:
        """A date, or the day of a dateTime; a month or a year alone is its first day, with a finding."""
        said = string(value).partition("T")[0]
        if not said:
            return None
        parts = _DAY.fullmatch(said)
        try:
            found = None if parts is None else date(int(parts[1]), int(parts[2] or 1), int(parts[3] or 1))
        except ValueError:
            found = None
        if found is None:
            self.trail.doubt(
                "RDB-011", at, "Date illisible : elle est ignorée.", "Se fier au texte du document.", "FHIR R4"
            )
        elif len(said) < 10:
            self.trail.info(
                "RDB-013", at, "Date sans jour : lue au premier jour.", "Se fier au texte du document.", "FHIR R4"
            )
        return found

    def moment_or_absent(self, value: object, at: str) -> datetime:
        """A dateTime that the model wants."""
        found = self.moment(value, at)
        if found is None:
            self.trail.doubt("RDB-014", at, "Date absente.", "Se fier au texte du document.", "FHIR R4")
        return found or ABSENT_TIME

    def day_or_absent(self, value: object, at: str) -> date:
        """A date that the model wants."""
        found = self.day(value, at)
        if found is None:
            self.trail.doubt("RDB-014", at, "Date absente.", "Se fier au texte du document.", "FHIR R4")
        return found or ABSENT_DAY


def _iso(said: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(said)
        return found.astimezone(UTC) if said.endswith("Z") else found
    except (ValueError, OverflowError):
        return None
