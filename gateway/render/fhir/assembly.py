"""The Bundle while it is being built: entries in order, stable addresses, codes and references."""

from __future__ import annotations

import uuid
from itertools import count
from typing import TYPE_CHECKING, Any

from gateway.document import comparison
from gateway.document.model import MeasureEntry
from gateway.render.fhir import data, marks

if TYPE_CHECKING:
    from gateway.document.model import ClinicalDocument, Code, Concept, Header, Professional
    from gateway.terminology import Terminology

Json = dict[str, Any]
"""A FHIR element as plain JSON; numbers are Decimal so that no digit is lost."""


class Assembly:
    """Collects resources. An address is a uuid5 of the document's id and a path: same document, same bytes."""

    def __init__(self, document: ClinicalDocument, terminology: Terminology, fr_core: str) -> None:
        self.document = document
        self.terminology = terminology
        self.data = data.load()
        self.release = self.data.release(fr_core)
        self._entries: dict[str, Json] = {}
        parts = (entry for part in document.walk() for entry in part.entries)
        self.earlier = comparison.earlier(entry for entry in parts if isinstance(entry, MeasureEntry))

    @property
    def header(self) -> Header:
        """Header of the document."""
        return self.document.header

    @property
    def author_path(self) -> str:
        """Path of the author's PractitionerRole."""
        return role_path(self.header.author)

    def url(self, path: str) -> str:
        """Stable `urn:uuid:` address of the resource at this path of the document."""
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{self.header.id}/{path}')}"

    def reference(self, path: str) -> Json:
        """Reference to the resource at this path, added already or not."""
        return {"reference": self.url(path)}

    def add(self, path: str, resource: Json) -> Json:
        """Add a resource at its path and return the reference to it. The first one added at a path stays."""
        url = self.url(path)
        if url not in self._entries:
            kind = resource.pop("resourceType")
            self._entries[url] = {"resourceType": kind, "id": url.removeprefix("urn:uuid:"), **resource}
        return {"reference": url}

    def add_entry(self, anchor: str, resource: Json) -> Json:
        """Add the resource of an entry, linked to the narrative that says the same."""
        return self.add(f"entry/{anchor}", marks.linked(self, anchor, resource))

    def add_variant(self, path: str, resource: Json, *, but: str = "") -> Json:
        """Add a resource; where another stands at its path that says something else, beside it. Nothing is dropped.

        `but` is an element that the two may differ in.
        """
        wanted = {**resource, but: None}
        for number in count(1):
            place = path if number == 1 else f"{path}/{number}"
            held = self._entries.get(self.url(place))
            if held is None or {**held, but: None, "id": None} == {**wanted, "id": None}:
                return self.add(place, resource)
        raise AssertionError("unreachable")  # pragma: no cover

    def entries(self) -> list[Json]:
        """Bundle entries, in the order of their first mention."""
        return [{"fullUrl": url, "resource": resource} for url, resource in self._entries.items()]

    def coding(self, code: Code) -> Json:
        """A Coding; the system is the FHIR address of the OID."""
        return {"system": self.terminology.system_uri(code.system), "code": code.code, "display": code.display}

    def codeable(self, code: Code) -> Json:
        """A CodeableConcept of one code, with its display as text."""
        return {"coding": [self.coding(code)], "text": code.display}

    def concept(self, concept: Concept) -> Json:
        """A CodeableConcept: verified FHIR codes, the local code beside them, the text always."""
        codes = [*concept.fhir, *([concept.local] if concept.local else [])]
        return {**({"coding": [self.coding(code) for code in codes]} if codes else {}), "text": concept.text}

    def clinical(self) -> Json:
        """Subject and encounter of every clinical resource."""
        return {"subject": self.reference("patient"), "encounter": self.reference("encounter")}


def person_key(person: Professional) -> str:
    """What tells professionals apart: the national identifier, the name where there is none."""
    return person.id.extension or person.rpps or f"{person.name.family}/{person.name.given}"


def role_path(person: Professional) -> str:
    """Path of a professional's PractitionerRole."""
    return f"role/{person_key(person)}"


def without_none(**elements: object) -> Json:
    """A JSON object without the elements that have nothing to say (FHIR knows neither null nor empty)."""
    return {key: value for key, value in elements.items() if value is not None and value not in ([], {}, "")}
